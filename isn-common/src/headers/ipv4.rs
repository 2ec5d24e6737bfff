//! IPv4 (RFC 791), options skipped, fragments told apart.

use super::{icmp, tcp};
use crate::{packet::Packet, verdict::PassReason};

const SHORTEST: usize = 20;
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;
/// What the length field can say. Segments that the kernel has joined, or will cut apart, may be longer
/// at TC (BIG TCP): the field is then 0.
const LONGEST: u32 = 0xffff;
const AUTHENTICATION_HEADER: u8 = 51;

/// The parts of an IPv4 header that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    /// Offset of the source address in the frame.
    pub source_at: usize,
    /// Offset of the destination address in the frame.
    pub destination_at: usize,
    /// Offset of the transport header in the frame.
    pub payload_at: usize,
    /// Octets of the datagram behind the header, from the IP length, so without Ethernet padding.
    pub payload_length: u32,
    /// Whether this is the first of several fragments.
    pub is_fragment: bool,
}

/// Reads the header at `at`, which must carry `PROTOCOL`.
#[inline(always)]
pub fn read<const PROTOCOL: u8, P: Packet>(packet: &P, at: usize) -> Result<Ipv4, PassReason> {
    let fixed: [u8; SHORTEST] = packet.load(at).ok_or(PassReason::Truncated)?;
    let header_length = ((fixed[0] & 0x0f) as usize).wrapping_mul(4);
    if fixed[0] >> 4 != 4 || header_length < SHORTEST {
        return Err(PassReason::BadHeader);
    }
    is_carried::<PROTOCOL>(fixed[9])?;
    let fragment = u16::from_be_bytes([fixed[6], fixed[7]]);
    if fragment & FRAGMENT_OFFSET != 0 {
        return Err(PassReason::Fragment);
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "at most 60, and within a frame"
    )]
    let (header, at_in_frame) = (header_length as u32, at as u32);
    let mut total = u32::from(u16::from_be_bytes([fixed[2], fixed[3]]));
    if total == 0 {
        let in_frame = packet.length().wrapping_sub(at_in_frame);
        if in_frame > LONGEST {
            total = in_frame;
        }
    }
    if total < header {
        return Err(PassReason::BadHeader);
    }
    if !packet.holds(at_in_frame.wrapping_add(total)) {
        return Err(PassReason::Truncated);
    }
    Ok(Ipv4 {
        source_at: at.wrapping_add(12),
        destination_at: at.wrapping_add(16),
        payload_at: at.wrapping_add(header_length),
        payload_length: total.wrapping_sub(header),
        is_fragment: fragment & MORE_FRAGMENTS != 0,
    })
}

/// A TCP datagram that an ICMP error quotes: offsets of its addresses and of its TCP header, of
/// which at least the first 8 octets lie before `end`. `None` if the quote is of something else.
#[inline(always)]
pub fn quoted<P: Packet>(packet: &P, at: usize, end: usize) -> Option<(usize, usize, usize)> {
    let fixed: [u8; SHORTEST] = packet.load(at)?;
    let header_length = ((fixed[0] & 0x0f) as usize).wrapping_mul(4);
    let fragment = u16::from_be_bytes([fixed[6], fixed[7]]);
    let tcp_at = at.wrapping_add(header_length);
    let readable = fixed[0] >> 4 == 4
        && header_length >= SHORTEST
        && fixed[9] == tcp::PROTOCOL
        && fragment & FRAGMENT_OFFSET == 0
        && tcp_at.wrapping_add(icmp::LEAST_QUOTED) <= end;
    readable.then_some((at.wrapping_add(12), at.wrapping_add(16), tcp_at))
}

fn is_carried<const PROTOCOL: u8>(protocol: u8) -> Result<(), PassReason> {
    match protocol {
        _ if protocol == PROTOCOL => Ok(()),
        icmp::PROTOCOL_V4 => Err(PassReason::Icmp),
        AUTHENTICATION_HEADER => Err(PassReason::IpAuthentication),
        _ => Err(PassReason::NotTcp),
    }
}
