//! Layout of ICMP (RFC 792, RFC 4884) and ICMPv6 (RFC 4443) errors: a header of 8 octets, then as
//! much of the datagram in question as the sender cared to quote.

/// Protocol number of ICMP in IPv4.
pub const PROTOCOL_V4: u8 = 1;
/// Next header of ICMPv6 in IPv6.
pub const PROTOCOL_V6: u8 = 58;
/// Octets before the quote.
pub const LENGTH: usize = 8;
/// Offset of the checksum in the header.
pub const CHECKSUM: usize = 2;
/// Octets of the quoted transport header that every error holds (RFC 792).
pub const LEAST_QUOTED: usize = 8;

const V4_UNREACHABLE: u8 = 3;
const V4_SOURCE_QUENCH: u8 = 4;
const V4_REDIRECT: u8 = 5;
const V4_TIME_EXCEEDED: u8 = 11;
const V4_PARAMETER_PROBLEM: u8 = 12;

const V6_UNREACHABLE: u8 = 1;
const V6_PACKET_TOO_BIG: u8 = 2;
const V6_TIME_EXCEEDED: u8 = 3;
const V6_PARAMETER_PROBLEM: u8 = 4;

/// Octets of the quote that an ICMP error itself declares, 0 if it declares none; `None` if this is
/// no error. The declared length is RFC 4884's, in 32-bit words; what follows it is an extension.
#[must_use]
pub const fn declared_v4(header: [u8; LENGTH]) -> Option<usize> {
    match header[0] {
        V4_UNREACHABLE | V4_TIME_EXCEEDED | V4_PARAMETER_PROBLEM => {
            Some((header[5] as usize).wrapping_mul(4))
        }
        V4_SOURCE_QUENCH | V4_REDIRECT => Some(0),
        _ => None,
    }
}

/// The same of an ICMPv6 error, where the declared length is in 64-bit words.
#[must_use]
pub const fn declared_v6(header: [u8; LENGTH]) -> Option<usize> {
    match header[0] {
        V6_UNREACHABLE | V6_TIME_EXCEEDED => Some((header[4] as usize).wrapping_mul(8)),
        V6_PACKET_TOO_BIG | V6_PARAMETER_PROBLEM => Some(0),
        _ => None,
    }
}
