//! IPv6 and its extension headers (RFC 8200 section 4), walked up to a limit.

use super::tcp;
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

/// The parts of an IPv6 header that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// Offset of the source address in the frame.
    pub source_at: usize,
    /// Offset of the destination address in the frame.
    pub destination_at: usize,
    /// Offset of the TCP header in the frame.
    pub payload_at: usize,
    /// Octets of the datagram behind the last extension header.
    pub payload_length: u32,
}

/// Reads the header at `at` and its extensions, which must lead to TCP that can be translated.
#[inline(always)]
pub fn read<P: Packet>(packet: &P, at: usize) -> Result<Ipv6, PassReason> {
    let [version, _, _, _, l0, l1, next, _] = packet.load::<8>(at).ok_or(PassReason::Truncated)?;
    if version >> 4 != 6 {
        return Err(PassReason::BadHeader);
    }
    let first = at.wrapping_add(LENGTH);
    let payload_at = if next == tcp::PROTOCOL {
        first
    } else {
        behind_extensions(packet, next, first)?
    };
    let payload = u32::from(u16::from_be_bytes([l0, l1]));
    let in_frame = packet
        .length()
        .wrapping_sub(u32::try_from(first).unwrap_or(u32::MAX));
    if payload > in_frame {
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
    })
}

/// Offset of the TCP header behind a chain that begins at `at` with a header of kind `next`.
#[inline(always)]
fn behind_extensions<P: Packet>(
    packet: &P,
    mut next: u8,
    mut at: usize,
) -> Result<usize, PassReason> {
    for _ in 0..MOST_EXTENSIONS {
        let length = match next {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | FRAGMENT => {
                let [following, units, o0, o1] = packet.load(at).ok_or(PassReason::Truncated)?;
                let fragment = next == FRAGMENT;
                if fragment && u16::from_be_bytes([o0, o1]) & FRAGMENT_OFFSET != 0 {
                    return Err(PassReason::Fragment);
                }
                next = following;
                if fragment {
                    8
                } else {
                    (units as usize).wrapping_add(1).wrapping_mul(8)
                }
            }
            AUTHENTICATION_HEADER => return Err(PassReason::IpAuthentication),
            _ => return Err(PassReason::NotTcp),
        };
        at = packet.unknown(at.wrapping_add(length));
        if next == tcp::PROTOCOL {
            return Ok(at);
        }
    }
    Err(PassReason::ExtensionHeaders)
}
