//! From a segment and its carrier to the octets of a frame, checksums included.

use etherparse::{IpNumber, Ipv4Header, Ipv4Options, Ipv6Header, TcpHeader};
use isn_common::flow::Direction;

use super::{Carrier, Network, Tcp, extension::Extension};

impl Carrier {
    /// The frame that carries `tcp`.
    #[must_use]
    pub fn frame(&self, tcp: &Tcp) -> Vec<u8> {
        self.around(tcp.direction, IpNumber::TCP, &self.segment(tcp))
    }

    /// The frame that carries these octets of `protocol`.
    pub(super) fn around(
        &self,
        direction: Direction,
        protocol: IpNumber,
        octets: &[u8],
    ) -> Vec<u8> {
        let mut frame = self.link(direction);
        self.network_header(direction, protocol, octets.len(), &mut frame);
        frame.extend_from_slice(octets);
        frame.extend_from_slice(&self.trailer);
        frame
    }

    fn link(&self, direction: Direction) -> Vec<u8> {
        let (to, from) = match direction {
            Direction::Outbound => ([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1]),
            Direction::Inbound => ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]),
        };
        let mut octets = [to, from].concat();
        for (tpid, tci) in &self.tags {
            octets.extend_from_slice(&tpid.to_be_bytes());
            octets.extend_from_slice(&tci.to_be_bytes());
        }
        let ether_type = match self.network {
            Network::V4 { .. } => 0x0800u16,
            Network::V6 { .. } => 0x86dd,
        };
        octets.extend_from_slice(&ether_type.to_be_bytes());
        octets
    }

    fn network_header(
        &self,
        direction: Direction,
        protocol: IpNumber,
        length: usize,
        frame: &mut Vec<u8>,
    ) {
        match &self.network {
            Network::V4 {
                host,
                peer,
                options,
                fragment,
            } => {
                let (source, destination) = oriented(direction, *host, *peer);
                let mut header = ipv4(source, destination, options, *fragment, length);
                header.protocol = protocol;
                header.header_checksum = header.calc_header_checksum();
                frame.extend_from_slice(&header.to_bytes());
            }
            Network::V6 {
                host,
                peer,
                extensions,
            } => {
                let (source, destination) = oriented(direction, *host, *peer);
                let next = |at: usize| {
                    extensions
                        .get(at)
                        .map_or(protocol, |next| IpNumber(next.number))
                };
                let mut header = ipv6(source, destination, extensions, length);
                header.next_header = next(0);
                frame.extend_from_slice(&header.to_bytes());
                for (at, extension) in extensions.iter().enumerate() {
                    frame.push(next(at + 1).0);
                    frame.extend_from_slice(&extension.octets[1..]);
                }
            }
        }
    }

    fn segment(&self, tcp: &Tcp) -> Vec<u8> {
        let (source, destination) = oriented(tcp.direction, self.host_port, self.peer_port);
        let mut header = TcpHeader::new(source, destination, tcp.sequence, tcp.window);
        header.acknowledgment_number = tcp.acknowledgment;
        header.urgent_pointer = tcp.urgent;
        header
            .set_options_raw(&tcp.options)
            .expect("at most 40 octets of options");
        let mut octets = [header.to_bytes().as_slice(), &tcp.payload].concat();
        octets[12] |= tcp.reserved & 0x0f;
        octets[13] = tcp.flags;
        let right = self.checksum(tcp.direction, &octets);
        octets[16..18].copy_from_slice(&wrong_by(right, tcp.checksum_error).to_be_bytes());
        octets
    }

    /// RFC 9293 section 3.1 over a segment whose checksum field is 0.
    fn checksum(&self, direction: Direction, segment: &[u8]) -> u16 {
        let (header, rest) = TcpHeader::from_slice(segment).expect("a complete header");
        let (reserved, flags) = (segment[12] & 0x0f, segment[13]);
        let of = |header: &TcpHeader| match &self.network {
            Network::V4 { host, peer, .. } => {
                let (source, destination) = oriented(direction, *host, *peer);
                header.calc_checksum_ipv4_raw(source, destination, rest)
            }
            Network::V6 { host, peer, .. } => {
                let (source, destination) = oriented(direction, *host, *peer);
                header.calc_checksum_ipv6_raw(source, destination, rest)
            }
        };
        // The library's header does not hold all reserved bits: what it leaves out is added here.
        let known = header.to_bytes();
        let missing = u16::from_be_bytes([reserved & !(known[12] & 0x0f), flags & !known[13]]);
        let sum = of(&header).expect("a segment is shorter than 64 KiB");
        if missing == 0 {
            sum
        } else {
            wrong_by(sum, !missing)
        }
    }
}

pub(super) fn oriented<T>(direction: Direction, host: T, peer: T) -> (T, T) {
    match direction {
        Direction::Outbound => (host, peer),
        Direction::Inbound => (peer, host),
    }
}

/// One's complement sum of a checksum and an error; an error of `0` or `!0` leaves it right.
pub(super) fn wrong_by(right: u16, error: u16) -> u16 {
    let (sum, carry) = right.overflowing_add(error);
    sum.wrapping_add(u16::from(carry))
}

fn ipv4(
    source: [u8; 4],
    destination: [u8; 4],
    options: &[u8],
    fragment: u16,
    length: usize,
) -> Ipv4Header {
    let length = u16::try_from(length).expect("a datagram is shorter than 64 KiB");
    let mut header = Ipv4Header::new(length, 64, IpNumber::TCP, source, destination)
        .expect("a datagram is shorter than 64 KiB");
    header.identification = 0xbeef;
    header.options = Ipv4Options::try_from(options).expect("options are whole words, at most ten");
    header.total_len = length + 20 + u16::try_from(options.len()).unwrap_or(0);
    header.dont_fragment = fragment & 0x4000 != 0;
    header.more_fragments = fragment & 0x2000 != 0;
    header.fragment_offset = (fragment & 0x1fff).try_into().expect("13 bits");
    header
}

fn ipv6(
    source: [u8; 16],
    destination: [u8; 16],
    extensions: &[Extension],
    length: usize,
) -> Ipv6Header {
    let behind: usize = extensions
        .iter()
        .map(|extension| extension.octets.len())
        .sum();
    let payload_length = u16::try_from(length + behind).expect("a datagram is shorter than 64 KiB");
    Ipv6Header {
        traffic_class: 0x28,
        flow_label: 0x12345.try_into().expect("20 bits"),
        payload_length,
        next_header: IpNumber::TCP,
        hop_limit: 64,
        source,
        destination,
    }
}
