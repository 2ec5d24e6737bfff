//! A TCP segment in a frame, with the flow it belongs to (RFC 9293 section 3.1).

use std::net::IpAddr;

use super::{
    Direction,
    flow::Key,
    judgement::Reasons,
    network::{Packet, Part, word},
    options::{Options, number},
};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
/// Octets of the fixed header.
pub const FIXED: usize = 20;
const BAD: Reasons = &["pass_bad_header", "pass_truncated"];

/// What a TCP packet turned out to be.
#[derive(Clone, Copy, Debug)]
pub enum Tcp {
    /// A segment.
    Segment(Segment),
    /// A first fragment that does not hold the header whole; without ports, no flow.
    Short(Option<Key>),
    /// Nothing that can be followed.
    Bad(Reasons),
}

/// A segment whose header is whole.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Flow.
    pub key: Key,
    /// Sequence number as it came.
    pub sequence: u32,
    /// Acknowledgment field as it came, significant or not.
    pub acknowledgment: u32,
    /// Control bits.
    pub flags: Flags,
    /// Window field.
    pub window: u16,
    /// Octets of data.
    pub data: u32,
    /// Where in the frame the header begins.
    pub at: usize,
    /// Octets of the header.
    pub header: usize,
}

/// Control bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// FIN.
    #[must_use]
    pub const fn fin(self) -> bool {
        self.0 & FIN != 0
    }

    /// SYN, whatever else.
    #[must_use]
    pub const fn syn_bit(self) -> bool {
        self.0 & SYN != 0
    }

    /// RST.
    #[must_use]
    pub const fn rst(self) -> bool {
        self.0 & RST != 0
    }

    /// ACK.
    #[must_use]
    pub const fn ack(self) -> bool {
        self.0 & ACK != 0
    }

    /// SYN without RST: what opens.
    #[must_use]
    pub const fn opens(self) -> bool {
        self.syn_bit() && !self.rst()
    }
}

impl Tcp {
    /// Reads what a TCP packet carries.
    #[must_use]
    pub fn read(frame: &[u8], packet: &Packet, direction: Direction) -> Self {
        let octets = &frame[packet.from..packet.to];
        let header = octets
            .get(12)
            .map_or(0, |octet| usize::from(octet >> 4) * 4);
        let whole = octets.len() >= FIXED && header >= FIXED && header <= octets.len();
        let key = key(octets, packet, direction);
        match (whole, packet.part, key) {
            (true, _, Some(key)) => Self::Segment(Segment::read(octets, header, packet.from, key)),
            (_, Part::First, key) => Self::Short(key),
            _ => Self::Bad(BAD),
        }
    }
}

fn key(octets: &[u8], packet: &Packet, direction: Direction) -> Option<Key> {
    let (source, destination) = (word(octets, 0)?, word(octets, 2)?);
    Some(Key::oriented(
        packet,
        packet.ends,
        (source, destination),
        direction,
    ))
}

impl Key {
    /// The flow of what goes from the first end to the second in this direction, with the tags of `packet`.
    #[must_use]
    pub fn oriented(
        packet: &Packet,
        (source, destination): (IpAddr, IpAddr),
        (source_port, destination_port): (u16, u16),
        direction: Direction,
    ) -> Self {
        let (host, peer, host_port, peer_port) = match direction {
            Direction::Outbound => (source, destination, source_port, destination_port),
            Direction::Inbound => (destination, source, destination_port, source_port),
        };
        Self {
            host,
            peer,
            host_port,
            peer_port,
            vlans: packet.vlans,
        }
    }
}

impl Segment {
    fn read(octets: &[u8], header: usize, at: usize, key: Key) -> Self {
        let data = octets.len() - header;
        Self {
            key,
            sequence: number(octets, 4),
            acknowledgment: number(octets, 8),
            flags: Flags(octets[13]),
            window: u16::from_be_bytes([octets[14], octets[15]]),
            data: u32::try_from(data).expect("a datagram is shorter than 4 GiB"),
            at,
            header,
        }
    }

    /// Numbers it takes up: data, SYN and FIN.
    #[must_use]
    pub fn length(&self) -> u32 {
        self.data + u32::from(self.flags.syn_bit()) + u32::from(self.flags.fin())
    }

    /// Its options in the frame it was read from.
    #[must_use]
    pub fn options<'a>(&self, frame: &'a [u8]) -> Options<'a> {
        Options::new(&frame[self.at + FIXED..self.at + self.header])
    }
}
