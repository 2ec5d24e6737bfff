//! Connections with timestamps (RFC 7323): one that is over, and how a SYN after it leaves.

use isn_common::counter::Counter;

use super::{connections::PEER_ISN, flow::Flow, leaves::AS_IT_CAME, oracle::octets_apart};
use crate::{
    expected_counters::{Events, FIRST_SYN, NOTHING},
    packet_builder::{
        Tcp, host_ack, host_data, host_fin, host_syn, peer_ack, peer_fin, peer_syn_ack,
    },
};

/// Where the connections of [`Flow::stamped_connection`] end: high-water mark.
pub const END: u32 = 5_000_000;
/// Their right edge.
pub const EDGE: u32 = 5_065_535;
/// The peer's clock in these connections.
pub const PEER_CLOCK: u32 = 0x0bad_cafe;

/// The latest timestamp of the connections before.
pub const LATEST: u32 = 0x7000_0000;
/// The peer's ISN in the connections of [`both_kinds`], far from the one before.
pub const NEW_PEER: u32 = 0x5900_0000;

/// A SYN that is safe by its sequence number, its timestamp moved ahead.
pub const STAMP_REPAIRED: &Events = &[
    (Counter::SynSeen, 1),
    (Counter::SynSafe, 1),
    (Counter::PawsRisk, 1),
    (Counter::PawsRepaired, 1),
];
/// A SYN both of whose numbers were moved ahead.
pub const BOTH_REPAIRED: &Events = &[
    (Counter::SynSeen, 1),
    (Counter::SynRewritten, 1),
    (Counter::PawsRisk, 1),
    (Counter::PawsRepaired, 1),
];

/// With timestamps as nearly every stack writes them: two NOPs before.
#[must_use]
pub fn stamped(tcp: Tcp, value: u32, echo: u32) -> Tcp {
    tcp.nops(2).timestamps(value, echo)
}

/// Offset of the value in the TCP header of what [`stamped`] makes.
const VALUE_AT: usize = 24;

impl Flow<'_> {
    /// A connection without offsets that both sides have closed; the host's last timestamp, and the latest, is `latest`.
    pub fn stamped_connection(&mut self, latest: u32) {
        let isn = END - 1002;
        let clock = |before: u32| latest.wrapping_sub(before);
        let said: [Tcp; 7] = [
            stamped(peer_syn_ack(PEER_ISN, isn + 1), PEER_CLOCK, clock(1000)).window(1001),
            stamped(host_ack(isn + 1, PEER_ISN + 1), clock(999), PEER_CLOCK),
            stamped(
                host_data(isn + 1, PEER_ISN + 1, b""),
                clock(500),
                PEER_CLOCK,
            )
            .octets(1000),
            stamped(peer_ack(PEER_ISN + 1, END - 1), PEER_CLOCK, clock(500)).window(1),
            stamped(host_fin(END - 1, PEER_ISN + 1), clock(9), PEER_CLOCK),
            stamped(peer_fin(PEER_ISN + 1, END), PEER_CLOCK, clock(9)).window(65_535),
            stamped(host_ack(END, PEER_ISN + 2), latest, PEER_CLOCK),
        ];
        let syn = stamped(host_syn(isn), clock(1000), 0);
        self.expect(&syn, &AS_IT_CAME, FIRST_SYN);
        for tcp in said {
            self.expect(&tcp, &AS_IT_CAME, NOTHING);
        }
    }

    /// A SYN of the host, made by [`stamped`]: nothing but its sequence number and its timestamp may change, and it must add
    /// to no counters but these and its outcome's. Gives both numbers.
    pub fn stamped_syn(&mut self, syn: &Tcp, events: &Events) -> (u32, u32) {
        let stepped = self.offer(syn);
        self.count(&stepped, stepped.verdict, events);
        let sequence = self.sequence_in(&stepped.frame);
        let value = self.value_in(&stepped.frame);
        let leaves = self.with_numbers(syn, sequence, value);
        self.same_octets(&leaves, &stepped.frame);
        (sequence, value)
    }

    /// The segment with these numbers instead.
    fn with_numbers(&self, tcp: &Tcp, sequence: u32, value: u32) -> Tcp {
        let mut leaves = tcp.clone();
        leaves.sequence = sequence;
        self.require(
            leaves.options.get(..4) == Some(&[1, 1, 8, 10]),
            "the segment does not begin its options with timestamps",
        );
        leaves.options[4..8].copy_from_slice(&value.to_be_bytes());
        leaves
    }

    /// The timestamp in a frame that carries what [`stamped`] makes.
    #[must_use]
    pub fn value_in(&self, frame: &[u8]) -> u32 {
        let stripped = usize::from(self.carrier.stripped.is_some());
        let at = self.carrier.tcp_at() + 4 * stripped + VALUE_AT;
        let octets = frame.get(at..at + 4);
        octets
            .and_then(|octets| octets.try_into().ok())
            .map_or_else(|| self.fail(octets_apart(&[], frame)), u32::from_be_bytes)
    }
}

/// An open connection with a timestamp offset, and with an offset of the sequence number if it regressed too.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// The host's next number, as the host says it.
    pub host: u32,
    /// The same on the wire.
    pub wire: u32,
    /// What is added to the host's timestamps.
    pub by: u32,
}

impl Open {
    /// The host's clock stands at this on the wire.
    #[must_use]
    pub const fn clock(self, host: u32) -> u32 {
        host.wrapping_add(self.by)
    }
}

/// An open connection whose host began at `isn` with a clock of 1000.
pub fn open(flow: &mut Flow<'_>, isn: u32) -> Open {
    flow.stamped_connection(LATEST);
    let events = if isn > EDGE {
        STAMP_REPAIRED
    } else {
        BOTH_REPAIRED
    };
    let (wire, value) = flow.stamped_syn(&stamped(host_syn(isn), 1000, 0), events);
    let open = Open {
        host: isn.wrapping_add(1),
        wire: wire.wrapping_add(1),
        by: value.wrapping_sub(1000),
    };
    flow.require(open.by != 0, "no timestamp offset was made");
    let answer = |ack, echo| stamped(peer_syn_ack(NEW_PEER, ack), PEER_CLOCK, echo);
    let _ = flow.becomes(&answer(open.wire, value), &answer(open.host, 1000), NOTHING);
    let end = |sequence, value| stamped(host_ack(sequence, NEW_PEER + 1), value, PEER_CLOCK);
    let _ = flow.becomes(
        &end(open.host, 1001),
        &end(open.wire, open.clock(1001)),
        NOTHING,
    );
    open
}

/// The two kinds of connection, each on its own port: the timestamp alone, and both numbers.
pub fn both_kinds(flow: &mut Flow<'_>, play: impl Fn(&mut Flow<'_>, Open)) {
    for (port, isn) in [(6000, EDGE + 1), (6001, 1000)] {
        flow.carrier = flow.carrier.clone().from_port(port);
        let open = open(flow, isn);
        play(flow, open);
    }
}

/// How far ahead of the latest a repaired timestamp may lie.
pub const JUMP: u32 = 65_536;

/// A SYN that is safe by its sequence number, with this timestamp.
#[must_use]
pub fn safe_syn(value: u32) -> Tcp {
    stamped(host_syn(EDGE + 1), value, 0)
}

/// The SYN leaves with its own sequence number and a timestamp 1 to 65,536 ahead of `latest`; gives that.
pub fn repaired(flow: &mut Flow<'_>, syn: &Tcp, latest: u32) -> u32 {
    let (sequence, value) = flow.stamped_syn(syn, STAMP_REPAIRED);
    flow.require(
        sequence == syn.sequence,
        format!("the sequence number became {sequence}"),
    );
    ahead(flow, value, latest);
    value
}

/// The timestamp lies 1 to 65,536 ahead of the latest.
pub fn ahead(flow: &Flow<'_>, value: u32, latest: u32) {
    let jump = value.wrapping_sub(latest);
    flow.require(
        (1..=JUMP).contains(&jump),
        format!("TSval {value}, the latest was {latest}"),
    );
}
