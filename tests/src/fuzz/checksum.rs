//! The Internet checksum of frames that are made here (RFC 1071).

/// The one's complement sum of octets and of what was summed before, folded.
///
/// # Panics
///
/// Never.
#[must_use]
pub fn sum(octets: &[u8], before: u32) -> u16 {
    let mut pairs = octets.chunks_exact(2);
    let mut total = u64::from(before);
    for pair in &mut pairs {
        total += u64::from(u16::from_be_bytes([pair[0], pair[1]]));
    }
    if let [last] = pairs.remainder() {
        total += u64::from(*last) << 8;
    }
    while total > 0xffff {
        total = (total >> 16) + (total & 0xffff);
    }
    u16::try_from(total).expect("folded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071() {
        assert_eq!(sum(&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7], 0), 0xddf2);
    }

    #[test]
    fn an_odd_octet_fills_the_upper_half() {
        assert_eq!(sum(&[1], 2), 0x0102);
    }
}
