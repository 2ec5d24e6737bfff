//! Errors as cases say them: a quoted segment, as it is shown on the way in and as it must be on the way out.

use super::connections::PEER_ISN;
use crate::packet_builder::{Carrier, Icmp, Tcp, host_data, peer_data};

/// A quoted segment: as the error shows it on its way in, and as it must on its way out.
pub struct Shown {
    /// In the error as it comes.
    pub came: Tcp,
    /// In the error as it leaves.
    pub leaves: Tcp,
}

impl Shown {
    /// The error about it, with so many octets of it.
    #[must_use]
    pub fn errors(&self, inner: &Carrier, kind: (u8, [u8; 4]), octets: usize) -> [Icmp; 2] {
        let direction = self.came.direction.opposite();
        [&self.came, &self.leaves]
            .map(|tcp| Icmp::new(direction, kind.0, inner.quote(tcp, octets)).rest(kind.1))
    }
}

/// A segment of each end of a connection whose host stands at 1001: what an error to the host shows, and one to the peer.
#[must_use]
pub fn both_ways(wire: u32) -> [Shown; 2] {
    [
        Shown {
            came: host_data(wire, PEER_ISN + 1, b"").octets(99),
            leaves: host_data(1001, PEER_ISN + 1, b"").octets(99),
        },
        Shown {
            came: peer_data(PEER_ISN + 1, 1001, b"").octets(99),
            leaves: peer_data(PEER_ISN + 1, wire, b"").octets(99),
        },
    ]
}

/// Every type of error, with octets that are no length of a quote where the type has none there.
#[must_use]
pub fn kinds(carrier: &Carrier) -> Vec<(u8, [u8; 4])> {
    if carrier.key4().is_some() {
        vec![
            (3, [0, 0, 0x05, 0x78]),
            (4, [9, 8, 7, 6]),
            (5, [203, 7, 113, 1]),
            (11, [0; 4]),
            (12, [0xff, 0, 0, 0]),
        ]
    } else {
        vec![
            (1, [0; 4]),
            (2, [9, 8, 7, 6]),
            (3, [0; 4]),
            (4, [9, 8, 7, 6]),
        ]
    }
}

/// The first of them: destination unreachable.
#[must_use]
pub fn unreachable(carrier: &Carrier) -> (u8, [u8; 4]) {
    kinds(carrier)[0]
}

/// More octets than any quoted segment of the cases has.
pub const WHOLE: usize = 1000;
