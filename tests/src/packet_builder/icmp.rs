//! ICMP and ICMPv6 messages that quote a datagram (RFC 792, RFC 4443, RFC 4884), checksums included.

use etherparse::{Icmpv4Type, Icmpv6Type, IpNumber};
use isn_common::flow::Direction;

use super::{
    Carrier, Network, Tcp,
    frame::{oriented, wrong_by},
};

/// The beginning of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Octets, from the first of the network header on.
    pub octets: Vec<u8>,
    /// Where among them the TCP header begins.
    pub tcp_at: usize,
}

/// An ICMP or ICMPv6 message, not yet in a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Which way it goes, seen from the guarded host.
    pub direction: Direction,
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// The four octets behind the checksum.
    pub rest: [u8; 4],
    /// What it quotes.
    pub quote: Quote,
    /// What follows the quote.
    pub behind: Vec<u8>,
    /// Added to the right checksum: 0 leaves it right.
    pub checksum_error: u16,
}

/// Octets before the quote.
pub const ICMP_HEADER: usize = 8;

impl Icmp {
    /// A message of this type.
    #[must_use]
    pub const fn new(direction: Direction, kind: u8, quote: Quote) -> Self {
        Self {
            direction,
            kind,
            code: 0,
            rest: [0; 4],
            quote,
            behind: Vec::new(),
            checksum_error: 0,
        }
    }

    /// With these octets behind the checksum.
    #[must_use]
    pub const fn rest(mut self, octets: [u8; 4]) -> Self {
        self.rest = octets;
        self
    }

    /// With these octets behind the quote.
    #[must_use]
    pub fn behind(mut self, octets: &[u8]) -> Self {
        self.behind = octets.to_vec();
        self
    }

    /// Has a checksum that is wrong by `error` in one's complement.
    #[must_use]
    pub const fn bad_checksum(mut self, error: u16) -> Self {
        self.checksum_error = error;
        self
    }
}

impl Carrier {
    /// The beginning of the datagram that carries `tcp`: its network headers and at most so many octets of TCP.
    #[must_use]
    pub fn quote(&self, tcp: &Tcp, octets: usize) -> Quote {
        let frame = self.frame(tcp);
        let end = frame.len() - self.trailer.len();
        let tcp_at = self.tcp_at();
        Quote {
            octets: frame[self.network_at()..end.min(tcp_at.saturating_add(octets))].to_vec(),
            tcp_at: tcp_at - self.network_at(),
        }
    }

    /// The frame that carries an ICMP message, ICMPv6 over IPv6.
    ///
    /// # Panics
    ///
    /// If the message is longer than a datagram.
    #[must_use]
    pub fn icmp_frame(&self, message: &Icmp) -> Vec<u8> {
        let payload = [&message.quote.octets[..], &message.behind].concat();
        let (type_u8, code_u8, bytes5to8) = (message.kind, message.code, message.rest);
        let (protocol, right) = match self.network {
            Network::V4 { .. } => {
                let kind = Icmpv4Type::Unknown {
                    type_u8,
                    code_u8,
                    bytes5to8,
                };
                (IpNumber::ICMP, kind.calc_checksum(&payload))
            }
            Network::V6 { host, peer, .. } => {
                let (source, destination) = oriented(message.direction, host, peer);
                let kind = Icmpv6Type::Unknown {
                    type_u8,
                    code_u8,
                    bytes5to8,
                };
                let sum = kind.calc_checksum(source, destination, &payload);
                (IpNumber::IPV6_ICMP, sum.expect("shorter than 4 GiB"))
            }
        };
        let [high, low] = wrong_by(right, message.checksum_error).to_be_bytes();
        let header = [&[type_u8, code_u8, high, low], &bytes5to8[..]].concat();
        self.around(message.direction, protocol, &[header, payload].concat())
    }

    /// The carrier of what a router sends in this direction, in the host's or the peer's place.
    #[must_use]
    pub const fn of_router(mut self, direction: Direction) -> Self {
        match (&mut self.network, direction) {
            (Network::V4 { peer, .. }, Direction::Inbound) => *peer = [203, 0, 113, 1],
            (Network::V4 { host, .. }, Direction::Outbound) => *host = [203, 0, 113, 1],
            (Network::V6 { peer, .. }, Direction::Inbound) => peer[5] = 3,
            (Network::V6 { host, .. }, Direction::Outbound) => host[5] = 3,
        }
        self
    }
}
