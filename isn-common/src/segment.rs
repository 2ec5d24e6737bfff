//! Finding the TCP segment in a frame, or saying why there is none that could be translated.

use crate::{
    flow::{Address, Direction, Key4, Key6},
    headers::{
        ethernet::Ethernet,
        ipv4, ipv6,
        tcp::{PROTOCOL, SHORTEST},
    },
    packet::Packet,
    tcp::{flags::Flags, seq::Seq},
    verdict::PassReason,
};

/// A TCP segment as it lies in a frame: all fixed fields of the header, and where its parts are.
///
/// Whoever holds one knows that the fixed header is within reach and the lengths are consistent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset of the TCP header in the frame.
    pub at: usize,
    /// Offset of the first octet behind the TCP options.
    pub payload_at: usize,
    /// Octets of data.
    pub payload_length: u32,
    /// Whether the whole TCP header is there. It is not in a tiny first fragment (RFC 1858), of
    /// which only the ports are known and everything else is 0.
    pub is_whole: bool,
    /// Sequence number as it stands in the frame.
    pub sequence: Seq,
    /// Acknowledgment field as it stands in the frame; significant only with ACK.
    pub acknowledgment: Seq,
    /// Control bits.
    pub flags: Flags,
    /// Window field, not scaled.
    pub window: u16,
    /// Source port, host order.
    pub source_port: u16,
    /// Destination port, host order.
    pub destination_port: u16,
}

impl Segment {
    /// Sequence numbers that the segment occupies: data, SYN and FIN.
    #[must_use]
    pub const fn sequence_length(&self) -> u32 {
        self.payload_length
            .wrapping_add(self.flags.sequence_length())
    }

    /// Offset of the first option in the frame.
    #[must_use]
    pub const fn options_at(&self) -> usize {
        self.at.wrapping_add(SHORTEST)
    }
}

/// A segment and the flow that it belongs to.
pub type Located<A> = (<A as Address>::Key, Segment);

/// An address family whose packets can be taken apart.
pub trait Family: Address {
    /// Reads the network header behind `link`, what extends it, and the TCP header behind. The key
    /// is oriented for `direction`.
    fn locate<P: Packet>(
        packet: &P,
        link: Ethernet,
        direction: Direction,
    ) -> Result<Located<Self>, PassReason>;
}

macro_rules! family {
    ($address:ty, $key:ident, $header:ident, $number:ident) => {
        impl Family for $address {
            #[inline(always)]
            fn locate<P: Packet>(
                packet: &P,
                link: Ethernet,
                direction: Direction,
            ) -> Result<Located<Self>, PassReason> {
                let ip = $header::read::<{ PROTOCOL }, P>(packet, link.payload_at)?;
                let segment = read(packet, ip.payload_at, ip.payload_length, ip.is_fragment)?;
                let (source, destination) = (ip.source_at, ip.destination_at);
                let (host, peer, host_port, peer_port) = match direction {
                    Direction::Outbound => (
                        source,
                        destination,
                        segment.source_port,
                        segment.destination_port,
                    ),
                    Direction::Inbound => (
                        destination,
                        source,
                        segment.destination_port,
                        segment.source_port,
                    ),
                };
                // The addresses go straight from the packet into the key: the stack is short.
                let host = packet.$number(host).ok_or(PassReason::Truncated)?;
                let peer = packet.$number(peer).ok_or(PassReason::Truncated)?;
                Ok((
                    $key {
                        host: host.to_be_bytes(),
                        peer: peer.to_be_bytes(),
                        host_port: host_port.to_be_bytes(),
                        peer_port: peer_port.to_be_bytes(),
                        vlan: link.vlan.0,
                    },
                    segment,
                ))
            }
        }
    };
}

family!([u8; 4], Key4, ipv4, word);
family!([u8; 16], Key6, ipv6, quadword);

/// The TCP header at `at` of a datagram with `length` octets from there on.
#[inline(always)]
pub fn read<P: Packet>(
    packet: &P,
    at: usize,
    length: u32,
    is_fragment: bool,
) -> Result<Segment, PassReason> {
    if is_fragment && (length as usize) < SHORTEST {
        return stub(packet, at, length);
    }
    let h: [u8; SHORTEST] = packet.load(at).ok_or(PassReason::Truncated)?;
    let header_length = ((h[12] >> 4) as usize).wrapping_mul(4);
    #[allow(clippy::cast_possible_truncation, reason = "at most 60")]
    let header = header_length as u32;
    if header_length < SHORTEST || header > length {
        return if is_fragment {
            stub(packet, at, length)
        } else {
            Err(PassReason::BadHeader)
        };
    }
    Ok(Segment {
        at,
        payload_at: at.wrapping_add(header_length),
        payload_length: length.wrapping_sub(header),
        is_whole: true,
        sequence: Seq(u32::from_be_bytes([h[4], h[5], h[6], h[7]])),
        acknowledgment: Seq(u32::from_be_bytes([h[8], h[9], h[10], h[11]])),
        flags: Flags(h[13]),
        window: u16::from_be_bytes([h[14], h[15]]),
        source_port: u16::from_be_bytes([h[0], h[1]]),
        destination_port: u16::from_be_bytes([h[2], h[3]]),
    })
}

/// What a first fragment tells that is too short for the header. One that a router made holds 8 octets
/// at least, so the ports are there; without them, nobody's flow is meant.
#[inline(always)]
fn stub<P: Packet>(packet: &P, at: usize, length: u32) -> Result<Segment, PassReason> {
    if length < 4 {
        return Err(PassReason::ShortFragment);
    }
    let [s0, s1, d0, d1] = packet.load(at).ok_or(PassReason::Truncated)?;
    Ok(Segment {
        at,
        payload_at: at,
        payload_length: 0,
        is_whole: false,
        sequence: Seq(0),
        acknowledgment: Seq(0),
        flags: Flags(0),
        window: 0,
        source_port: u16::from_be_bytes([s0, s1]),
        destination_port: u16::from_be_bytes([d0, d1]),
    })
}
