//! The Internet checksum (RFC 1071), computed the plain way.

/// The one's complement sum of octets: 0 and 0xffff are one number, given as 0.
#[must_use]
pub fn sum(octets: &[u8]) -> u64 {
    let pairs = octets.chunks(2).map(|pair| {
        let low = pair.get(1).copied().unwrap_or(0);
        u64::from(u16::from_be_bytes([pair[0], low]))
    });
    pairs.sum::<u64>() % 0xffff
}
