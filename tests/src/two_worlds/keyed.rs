//! Keyed mode in cases: its keys, F as another implementation has it, connections with it, and entries that get lost (S3).

use isn_common::{
    abi::{
        policy::Mode,
        settings::{Keyed, Settings},
    },
    counter::Counter::{
        AdoptionFull, FlowsAdopted, HalfOpenInserted, HistoryInserted, KeyedRecomputed,
        KeyedRemembered, SynKeyed, SynSeen, SynWouldRewrite,
    },
    siphash::Key,
    tick::Tick,
};

use super::{connections::PEER_ISN, flow::Flow, given::everywhere, state::State};
use crate::{
    expected_counters::{Events, NOTHING},
    model,
    packet_builder::{
        Carrier, Network, Tcp, host_ack, host_data, host_fin, host_syn, peer_ack, peer_fin,
        peer_syn_ack,
    },
    test_run::clock,
};

/// The key in use: of the vectors that its authors print.
pub const KEY: Key = Key([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
/// Another, of the generation before or after.
pub const OTHER_KEY: Key = Key([0x5555_0123_4567_89ab, 0x0bad_cafe_0000_0001]);
/// The current generation: odd, and more than what an entry keeps of it.
pub const GENERATION: u32 = 65;

/// The first SYN of a keyed flow.
pub const FIRST_KEYED: &Events = &[(SynSeen, 1), (SynKeyed, 1), (HalfOpenInserted, 1)];
/// A SYN that leaves with F, of a flow with an entry.
pub const SYN_KEYED: &Events = &[(SynSeen, 1), (SynKeyed, 1)];
/// A SYN that gets no offset since the instance is draining.
pub const DRAINING: &Events = &[(SynSeen, 1), (SynWouldRewrite, 1)];
/// A packet whose offset was computed again.
pub const RECOMPUTED: &Events = &[(KeyedRecomputed, 1)];
/// A packet of the host whose flow is known again.
pub const REMEMBERED: &Events = &[
    (KeyedRecomputed, 1),
    (KeyedRemembered, 1),
    (HistoryInserted, 1),
];
/// A packet of the host whose flow is adopted, with the offset of before.
pub const ADOPTED: &Events = &[(KeyedRecomputed, 1), (FlowsAdopted, 1)];
/// The same without an offset.
pub const ADOPTED_PLAIN: &Events = &[(FlowsAdopted, 1)];
/// A packet of the host whose flow finds no room, with the offset of before.
pub const NOT_ADOPTED: &Events = &[(KeyedRecomputed, 1), (AdoptionFull, 1)];

/// F of the flow that this carrier carries: SipHash-2-4 of the standard library, as the reference model computes it.
#[must_use]
pub fn f_by(key: Key, carrier: &Carrier) -> u32 {
    let (host, peer) = match &carrier.network {
        Network::V4 { host, peer, .. } => ((*host).into(), (*peer).into()),
        Network::V6 { host, peer, .. } => ((*host).into(), (*peer).into()),
    };
    let flow = model::Key {
        host,
        peer,
        host_port: carrier.host_port,
        peer_port: carrier.peer_port,
        vlans: [None; 2],
    };
    model::keyed::offset(key.0, &flow)
}

/// Keyed mode is in use with [`KEY`], and nothing of before lives.
fn in_use(settings: &mut Settings) {
    settings.keyed = Keyed {
        keys: [OTHER_KEY, KEY],
        generation: GENERATION,
        flags: Keyed::IN_USE,
        ..Keyed::UNUSED
    };
}

impl Flow<'_> {
    /// Puts all hosts into keyed mode, with [`KEY`]; gives the flow's F.
    pub fn keyed(&mut self) -> u32 {
        self.policy(&everywhere(Mode::Keyed));
        self.settings(in_use);
        self.f()
    }

    /// F of the flow by [`KEY`].
    #[must_use]
    pub fn f(&self) -> u32 {
        f_by(KEY, &self.carrier)
    }

    /// From now on, and for so many seconds, flows of before are adopted: with the offset by [`OTHER_KEY`], or with none.
    pub fn adopt(&mut self, seconds: u32, had_key: bool) {
        self.settings(|settings| {
            let keyed = &mut settings.keyed;
            keyed.adopting_since = clock::now().0;
            keyed.adopting_for = Tick::in_seconds(seconds);
            keyed.flags = Keyed::IN_USE | if had_key { Keyed::AFTER_KEY } else { 0 };
        });
    }

    /// Loses every entry of every flow, as a gateway does that another one stands in for.
    pub fn lose(&mut self) {
        self.worlds
            .lose(State::default())
            .unwrap_or_else(|error| self.fail(format!("{error:#}")));
    }

    /// Loses what lies among the half-open flows, as in a flood.
    pub fn lose_handshakes(&mut self) {
        let mut left = self.worlds.state().clone();
        left.half_open_v4.clear();
        left.half_open_v6.clear();
        self.worlds
            .lose(left)
            .unwrap_or_else(|error| self.fail(format!("{error:#}")));
    }

    /// Loses what lies in the tables that are made to be overwritten.
    pub fn lose_memory(&mut self) {
        let mut left = self.worlds.state().clone();
        left.half_open_v4.clear();
        left.half_open_v6.clear();
        left.history_v4.clear();
        left.history_v6.clear();
        self.worlds
            .lose(left)
            .unwrap_or_else(|error| self.fail(format!("{error:#}")));
    }

    /// A keyed connection is opened by the host from this ISN on, and stays open; gives its F. The numbers of the peer are those of
    /// [`Flow::translated`].
    pub fn keyed_connection(&mut self, isn: u32) -> u32 {
        let f = self.f();
        self.moved_by(f, &host_syn(isn), FIRST_KEYED);
        self.keyed_handshake(isn, f);
        f
    }

    /// What follows a SYN that left with this offset.
    pub fn keyed_handshake(&mut self, isn: u32, offset: u32) {
        let next = isn.wrapping_add(1);
        let answer = peer_syn_ack(PEER_ISN, next.wrapping_add(offset));
        self.moved_by(offset, &answer, NOTHING);
        self.moved_by(offset, &host_ack(next, PEER_ISN + 1), NOTHING);
    }

    /// A whole keyed connection, that ends on the wire at this high-water mark and at a right edge 65,535 beyond.
    pub fn closed_keyed_connection(&mut self, high_water: u32) {
        let f = self.f();
        let isn = high_water.wrapping_sub(f).wrapping_sub(1002);
        let host = |octets: u32| isn.wrapping_add(octets);
        let wire = |octets: u32| host(octets).wrapping_add(f);
        self.moved_by(f, &host_syn(isn), FIRST_KEYED);
        let said: [Tcp; 7] = [
            peer_syn_ack(PEER_ISN, wire(1)).window(1001),
            host_ack(host(1), PEER_ISN + 1),
            host_data(host(1), PEER_ISN + 1, b"").octets(1000),
            peer_ack(PEER_ISN + 1, wire(1001)).window(1),
            host_fin(host(1001), PEER_ISN + 1),
            peer_fin(PEER_ISN + 1, high_water).window(65_535),
            host_ack(host(1002), PEER_ISN + 2),
        ];
        for tcp in said {
            self.moved_by(f, &tcp, NOTHING);
        }
    }
}
