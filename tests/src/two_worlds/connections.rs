//! Connections that cases begin with: one that is over, and one that is open with an offset.

use isn_common::abi::flow::{Record, pack, unpack};

use super::{
    flow::Flow,
    leaves::{AS_IT_CAME, Leaves, ack},
    on_wire,
    state::State,
};
use crate::{
    expected_counters::{Events, FIRST_SYN, NOTHING, REWRITTEN},
    packet_builder::{
        Tcp, host_ack, host_data, host_fin, host_syn, peer_ack, peer_fin, peer_syn_ack,
    },
};

/// The peer's ISN in these connections.
pub const PEER_ISN: u32 = 0x0900_0000;

impl Flow<'_> {
    /// A whole connection without an offset: 1000 octets of the host, closed by both, that ends at this high-water mark and
    /// right edge (at most 65,535 beyond it).
    ///
    /// # Panics
    ///
    /// If the right edge lies farther away.
    pub fn closed_connection(&mut self, high_water: u32, right_edge: u32) {
        let isn = high_water.wrapping_sub(1002);
        let sent = |octets: u32| isn.wrapping_add(octets);
        let window =
            u16::try_from(right_edge.wrapping_sub(high_water)).expect("no window scale here");
        let untouched: [(Tcp, &Events); 8] = [
            (host_syn(isn), FIRST_SYN),
            (peer_syn_ack(PEER_ISN, sent(1)).window(1001), NOTHING),
            (host_ack(sent(1), PEER_ISN + 1), NOTHING),
            (host_data(sent(1), PEER_ISN + 1, b"").octets(1000), NOTHING),
            (peer_ack(PEER_ISN + 1, sent(1001)).window(1), NOTHING),
            (host_fin(sent(1001), PEER_ISN + 1), NOTHING),
            (peer_fin(PEER_ISN + 1, high_water).window(window), NOTHING),
            (host_ack(high_water, PEER_ISN + 2), NOTHING),
        ];
        for (tcp, events) in untouched {
            self.expect(&tcp, &AS_IT_CAME, events);
        }
    }

    /// An open connection with an offset, whose host chose `host_isn`; gives its wire ISN. The peer's next octet is
    /// [`PEER_ISN`] + 1, and so is what the host has acknowledged.
    pub fn translated(&mut self, host_isn: u32) -> u32 {
        let high_water = host_isn.wrapping_add(4_999_000);
        self.closed_connection(high_water, high_water.wrapping_add(65_535));
        let wire = self.rewritten(&host_syn(host_isn), REWRITTEN);
        self.handshake(host_isn, wire);
        wire
    }

    /// What follows a translated SYN.
    pub fn handshake(&mut self, host_isn: u32, wire: u32) {
        let (host_next, wire_next) = (host_isn.wrapping_add(1), wire.wrapping_add(1));
        self.expect(&peer_syn_ack(PEER_ISN, wire_next), &ack(host_next), NOTHING);
        self.expect(
            &host_ack(host_next, PEER_ISN + 1),
            &Leaves::Seq(wire_next),
            NOTHING,
        );
    }

    /// An open connection with an offset that makes the host's ISN this wire ISN.
    pub fn translated_to(&mut self, host_isn: u32, wire_isn: u32) {
        let by = wire_isn.wrapping_sub(self.translated(host_isn));
        let moved = |word: u64| {
            let (low, high) = unpack(word);
            pack(low.wrapping_add(by), high)
        };
        let state: State = self.worlds.state().each(|record| Record {
            identity: moved(record.identity),
            sent: moved(record.sent),
            received: moved(record.received),
            ..*record
        });
        let syn = on_wire(&self.frame(&host_syn(host_isn)));
        self.worlds
            .oracle
            .assume(&syn, wire_isn.wrapping_sub(host_isn));
        self.worlds
            .put(state)
            .unwrap_or_else(|error| self.fail(format!("{error:#}")));
    }
}
