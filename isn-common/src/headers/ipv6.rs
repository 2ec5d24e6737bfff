//! IPv6 and its extension headers (RFC 8200 section 4), walked up to a limit.

use super::{icmp, tcp};
use crate::{packet::Packet, verdict::PassReason};

const LENGTH: usize = 40;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION_HEADER: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
/// Extension headers that are walked before giving up. RFC 8200 section 4.1 names six places.
const MOST_EXTENSIONS: usize = 6;
/// Fragment offset of a fragment header, in units of 8 octets (RFC 8200 section 4.5).
const FRAGMENT_OFFSET: u16 = 0xfff8;
const MORE_FRAGMENTS: u16 = 1;
/// What the length field can say; as in IPv4, segments may be longer at TC, and the field is then 0
/// (RFC 2675).
const LONGEST: u32 = 0xffff;

/// The parts of an IPv6 header that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// Offset of the source address in the frame.
    pub source_at: usize,
    /// Offset of the destination address in the frame.
    pub destination_at: usize,
    /// Offset of the transport header in the frame.
    pub payload_at: usize,
    /// Octets of the datagram behind the last extension header.
    pub payload_length: u32,
    /// Whether this is the first of several fragments.
    pub is_fragment: bool,
}

/// Reads the header at `at` and its extensions, which must lead to `PROTOCOL`.
#[inline(always)]
pub fn read<const PROTOCOL: u8, P: Packet>(packet: &P, at: usize) -> Result<Ipv6, PassReason> {
    let [version, _, _, _, l0, l1, next, _] = packet.load::<8>(at).ok_or(PassReason::Truncated)?;
    if version >> 4 != 6 {
        return Err(PassReason::BadHeader);
    }
    let first = at.wrapping_add(LENGTH);
    let (payload_at, is_fragment) = behind_extensions::<PROTOCOL, P>(packet, next, first)?;
    let mut payload = u32::from(u16::from_be_bytes([l0, l1]));
    #[allow(clippy::cast_possible_truncation, reason = "within a frame")]
    let first_in_frame = first as u32;
    if payload == 0 {
        let in_frame = packet.length().wrapping_sub(first_in_frame);
        if in_frame > LONGEST {
            payload = in_frame;
        }
    }
    if !packet.holds(first_in_frame.wrapping_add(payload)) {
        return Err(PassReason::Truncated);
    }
    let extensions = u32::try_from(payload_at.wrapping_sub(first)).unwrap_or(u32::MAX);
    let payload_length = payload
        .checked_sub(extensions)
        .ok_or(PassReason::BadHeader)?;
    Ok(Ipv6 {
        source_at: at.wrapping_add(8),
        destination_at: at.wrapping_add(24),
        payload_at,
        payload_length,
        is_fragment,
    })
}

/// A TCP datagram that an ICMPv6 error quotes: offsets of its addresses and of its TCP header, of
/// which at least the first 8 octets lie before `end`. `None` if the quote is of something else.
#[inline(always)]
pub fn quoted<P: Packet>(packet: &P, at: usize, end: usize) -> Option<(usize, usize, usize)> {
    let [version, _, _, _, _, _, next, _] = packet.load::<8>(at)?;
    let first = at.wrapping_add(LENGTH);
    if version >> 4 != 6 || first > end {
        return None;
    }
    let (tcp_at, _) = behind_extensions::<{ tcp::PROTOCOL }, P>(packet, next, first).ok()?;
    (tcp_at.wrapping_add(icmp::LEAST_QUOTED) <= end).then_some((
        at.wrapping_add(8),
        at.wrapping_add(24),
        tcp_at,
    ))
}

/// Offset of the `PROTOCOL` header behind a chain that begins at `at` with a header of kind `next`,
/// and whether the datagram is the first of several fragments.
#[inline(always)]
fn behind_extensions<const PROTOCOL: u8, P: Packet>(
    packet: &P,
    mut next: u8,
    mut at: usize,
) -> Result<(usize, bool), PassReason> {
    let mut is_fragment = false;
    for walked in 0..=MOST_EXTENSIONS {
        let length = match next {
            _ if next == PROTOCOL => return Ok((at, is_fragment)),
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | FRAGMENT if walked < MOST_EXTENSIONS => {
                let [following, units, o0, o1] = packet.load(at).ok_or(PassReason::Truncated)?;
                let is_header = next == FRAGMENT;
                next = following;
                if is_header {
                    let fragment = u16::from_be_bytes([o0, o1]);
                    if fragment & FRAGMENT_OFFSET != 0 {
                        return Err(PassReason::Fragment);
                    }
                    is_fragment = fragment & MORE_FRAGMENTS != 0;
                    8
                } else {
                    (units as usize).wrapping_add(1).wrapping_mul(8)
                }
            }
            icmp::PROTOCOL_V6 => return Err(PassReason::Icmp),
            AUTHENTICATION_HEADER => return Err(PassReason::IpAuthentication),
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | FRAGMENT => break,
            _ => return Err(PassReason::NotTcp),
        };
        at = packet.unknown(at.wrapping_add(length));
    }
    Err(PassReason::ExtensionHeaders)
}
