//! Errors about a first segment of each end, as cases on the form of errors need them.

use isn_common::{
    flow::Direction::{Inbound, Outbound},
    verdict::PassReason,
};

use super::{connections::PEER_ISN, flow::Flow, shown::WHOLE};
use crate::packet_builder::{Carrier, Icmp, Tcp, host_data, peer_data};

/// Whether the flow is one of IPv4.
#[must_use]
pub fn is_v4(flow: &Flow<'_>) -> bool {
    flow.carrier.key4().is_some()
}

/// Time exceeded.
fn kind(carrier: &Carrier) -> u8 {
    if carrier.key4().is_some() { 11 } else { 3 }
}

/// Errors about the host's first segment, to the host, and about the peer's, to the peer: as they come and as they leave.
#[must_use]
pub fn errors(inner: &Carrier, wire: u32, octets: usize) -> [[Icmp; 2]; 2] {
    let about = |direction, came: Tcp, leaves: Tcp| {
        [came, leaves].map(|tcp| Icmp::new(direction, kind(inner), inner.quote(&tcp, octets)))
    };
    let host = |sequence| host_data(sequence, PEER_ISN + 1, b"").octets(61);
    let peer = |acknowledgment| peer_data(PEER_ISN + 1, acknowledgment, b"").octets(61);
    [
        about(Inbound, host(wire), host(1001)),
        about(Outbound, peer(1001), peer(wire)),
    ]
}

/// Errors over `outer` that quote datagrams of `inner` are translated.
pub fn translated(flow: &mut Flow<'_>, outer: &Carrier, inner: &Carrier, wire: u32) {
    for octets in [14, 17, 18, WHOLE] {
        for [came, leaves] in errors(inner, wire, octets) {
            flow.expect_error(outer, &came, &leaves);
        }
    }
    let [[came, leaves], _] = errors(inner, wire, 8);
    flow.expect_error(outer, &came, &leaves);
}

/// Errors over `outer` that quote datagrams of `inner` pass.
pub fn untouched(
    flow: &mut Flow<'_>,
    outer: &Carrier,
    inner: &Carrier,
    wire: u32,
    why: PassReason,
) {
    for octets in [8, 20, WHOLE] {
        for [came, _] in errors(inner, wire, octets) {
            flow.expect_error_untouched(outer, &came, why);
        }
    }
}
