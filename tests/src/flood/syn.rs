//! The SYNs of a flood: as many flows as numbers.

use std::net::IpAddr;

use etherparse::{PacketBuilder, TcpOptionElement};

use super::{
    Scan, Side,
    ground::{CLOSED_PORT, OPEN_PORT, bystander, stranger},
};
use crate::family::Family;

/// One of so many goes to a port that is open, and one to a port that is closed; the others find nobody.
const ANSWERED: u64 = 16;
/// A port of strangers.
const STRANGE_PORT: u16 = 443;
const FIRST_PORT: u16 = 1024;
const PORTS: u64 = 60_000;
const WINDOW: u16 = 65_535;
const HOPS: u8 = 64;
const OPTIONS: &[TcpOptionElement] = &[
    TcpOptionElement::MaximumSegmentSize(1460),
    TcpOptionElement::Noop,
    TcpOptionElement::WindowScale(7),
];

/// Makes the frames of a flood.
#[derive(Debug)]
pub(super) struct Syns {
    family: Family,
    side: Side,
    scan: Option<Scan>,
    from: [u8; 6],
    to: [u8; 6],
}

/// Both ends of a SYN.
type Ends = ((IpAddr, u16), (IpAddr, u16));

impl Syns {
    pub(super) const fn new(family: Family, side: Side, from: [u8; 6], to: [u8; 6]) -> Self {
        Self {
            family,
            side,
            scan: None,
            from,
            to,
        }
    }

    /// The same from one host, which scans.
    pub(super) const fn scanning(mut self, what: Scan) -> Self {
        self.scan = Some(what);
        self
    }

    /// The frame of a number; the initial sequence number is random.
    pub(super) fn frame(&self, number: u64) -> Vec<u8> {
        let ((source, source_port), (destination, destination_port)) = self.ends(number);
        let link = PacketBuilder::ethernet2(self.from, self.to);
        let network = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                link.ipv4(source.octets(), destination.octets(), HOPS)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                link.ipv6(source.octets(), destination.octets(), HOPS)
            }
            _ => unreachable!("both ends are of the flood's family"),
        };
        let segment = network
            .tcp(source_port, destination_port, fastrand::u32(..), WINDOW)
            .syn()
            .options(OPTIONS)
            .expect("eight octets of options");
        let mut frame = Vec::with_capacity(segment.size(0));
        segment
            .write(&mut frame, &[])
            .expect("a vector takes everything");
        frame
    }

    /// No two numbers have the same ends as long as there are strangers and ports.
    fn ends(&self, number: u64) -> Ends {
        if let Some(what) = self.scan {
            return self.scanned(what, number);
        }
        let bystander = bystander(self.family, number);
        let port = FIRST_PORT + u16::try_from(number / 100 % PORTS).expect("16 bits");
        match (self.side, number % ANSWERED) {
            (Side::Hosts, 0) => ((bystander, port), self.family.peer_end(OPEN_PORT)),
            (Side::Hosts, 1) => ((bystander, port), self.family.peer_end(CLOSED_PORT)),
            (Side::Hosts, _) => (
                (bystander, port),
                (stranger(self.family, number), STRANGE_PORT),
            ),
            (Side::Peers, answered) => {
                let to = if answered == 0 {
                    OPEN_PORT
                } else {
                    CLOSED_PORT
                };
                ((stranger(self.family, number), port), (bystander, to))
            }
        }
    }

    fn scanned(&self, what: Scan, number: u64) -> Ends {
        let port = FIRST_PORT + u16::try_from(number % PORTS).expect("16 bits");
        let scanner = bystander(self.family, 0);
        match what {
            Scan::Silence => {
                let stranger = stranger(self.family, number);
                ((scanner, port), (stranger, STRANGE_PORT))
            }
            Scan::Refusal => ((scanner, port), self.family.peer_end(CLOSED_PORT)),
        }
    }
}

impl Family {
    fn peer_end(self, port: u16) -> (IpAddr, u16) {
        (self.peer(port).ip(), port)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_number_has_a_flow_of_its_own() {
        for family in Family::ALL {
            let mut flows = HashSet::new();
            for side in Side::ALL {
                let syns = Syns::new(family, side, [2; 6], [4; 6]);
                let new = (0..200_000).filter(|number| {
                    let (from, to) = syns.ends(*number);
                    let host_first = if side == Side::Hosts {
                        (from, to)
                    } else {
                        (to, from)
                    };
                    flows.insert(host_first)
                });
                assert_eq!(new.count(), 200_000);
            }
        }
    }
}
