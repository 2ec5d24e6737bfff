//! What was before: connections that are over, and their segments that come late (S14).

use isn_common::counter::Counter;

use super::{
    connections::PEER_ISN,
    flow::Flow,
    leaves::{AS_IT_CAME, Leaves, Leaves::Seq, ack},
};
use crate::{
    expected_counters::{Events, NOTHING},
    packet_builder::{host_ack, host_data, host_fin, host_rst_ack, peer_fin, peer_syn_ack},
};

/// A late segment.
pub const LATE: &Events = &[(Counter::PreviousIncarnation, 1)];
/// The peer's ISN in the new incarnation, far from the one before.
pub const NEW_PEER: u32 = 0x5900_0000;
/// Octets of the host in the incarnation before.
pub const SENT: u32 = 3000;

/// What was before: a connection that is over.
pub struct Before {
    /// The host's first octet, as the host says it.
    pub host: u32,
    /// The same on the wire.
    pub wire: u32,
}

impl Before {
    /// Without an offset.
    #[must_use]
    pub fn plain(flow: &mut Flow<'_>) -> Self {
        flow.closed_connection(5_000_000, 5_065_535);
        let first = 5_000_000 - 1001;
        Self {
            host: first,
            wire: first,
        }
    }

    /// With one: `SENT` octets, closed by both ends.
    #[must_use]
    pub fn translated(flow: &mut Flow<'_>) -> Self {
        let wire = flow.translated(9000).wrapping_add(1);
        let before = Self { host: 9001, wire };
        let sent = host_data(9001, PEER_ISN + 1, b"").octets(SENT as usize);
        flow.expect(&sent, &Seq(wire), NOTHING);
        let (host, wire) = before.at(SENT);
        flow.expect(&host_fin(host, PEER_ISN + 1), &Seq(wire), NOTHING);
        let answer = peer_fin(PEER_ISN + 1, wire.wrapping_add(1));
        flow.expect(&answer, &ack(host + 1), NOTHING);
        flow.expect(
            &host_ack(host + 1, PEER_ISN + 2),
            &Seq(wire.wrapping_add(1)),
            NOTHING,
        );
        before
    }

    /// A number of the host and its place on the wire, so many octets behind the first.
    #[must_use]
    pub const fn at(&self, octets: u32) -> (u32, u32) {
        (
            self.host.wrapping_add(octets),
            self.wire.wrapping_add(octets),
        )
    }

    /// How a segment leaves with this number on the wire: as it came if that is the host's.
    fn leaves(&self, wire: u32) -> Leaves {
        if self.host == self.wire {
            AS_IT_CAME
        } else {
            Seq(wire)
        }
    }

    /// Late segments of every kind leave with the offset of this incarnation, and the flow does not notice.
    pub fn late_segments(&self, flow: &mut Flow<'_>) {
        let known = flow.record();
        for octets in [0, 1, 400, 1000] {
            let (host, wire) = self.at(octets);
            for tcp in [
                host_ack(host, PEER_ISN + 1),
                host_data(host, PEER_ISN + 1, b"x"),
                host_fin(host, PEER_ISN + 1),
                host_rst_ack(host, PEER_ISN + 1),
            ] {
                flow.expect(&tcp, &self.leaves(wire), LATE);
            }
        }
        let (host, wire) = self.at(0);
        let sent = host_data(host, PEER_ISN + 1, b"").octets(1000);
        flow.expect(&sent, &self.leaves(wire), LATE);
        flow.require(flow.record() == known, "a late segment changed the flow");
    }
}

/// The new incarnation answers, and is open.
pub fn answered(flow: &mut Flow<'_>, host_isn: u32, wire_isn: u32) {
    let (host, wire) = (host_isn.wrapping_add(1), wire_isn.wrapping_add(1));
    flow.expect(&peer_syn_ack(NEW_PEER, wire), &ack(host), NOTHING);
    flow.expect(&host_ack(host, NEW_PEER + 1), &Seq(wire), NOTHING);
}

/// Which incarnation was before, by name.
type Beginning = (&'static str, fn(&mut Flow<'_>) -> Before);

const BEGINNINGS: [Beginning; 2] = [
    ("without an offset", Before::plain),
    ("with an offset", Before::translated),
];

/// The same case behind both beginnings, each on its own port.
pub fn both_beginnings(flow: &mut Flow<'_>, play: impl Fn(&mut Flow<'_>, &Before)) {
    for (port, (_, begin)) in (6000..).zip(BEGINNINGS) {
        flow.carrier = flow.carrier.clone().from_port(port);
        let before = begin(flow);
        play(flow, &before);
    }
}
