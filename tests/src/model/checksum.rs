//! Checksums that must go on saying what they said: right stays right, and wrong stays wrong by as much (RFC 1624).

/// The checksum for `after`, wrong by exactly as much as `stored` was for `before`.
///
/// Both are the same stretch of a message, the checksum field in them still the same, beginning at an even octet of the message. An Internet
/// checksum counts modulo 65,535, so what the words lost is what it gains. The result of RFC 1624's equation 3 is never 65,535; but where the
/// words add up to the same as before, nothing is to be computed, and the field stays as it came (S10).
#[must_use]
pub fn carried_over(stored: u16, before: &[u8], after: &[u8]) -> u16 {
    if (sum_of(before) - sum_of(after)) % 0xffff == 0 {
        return stored;
    }
    let sum = (i64::from(stored) + sum_of(before) - sum_of(after)).rem_euclid(0xffff);
    u16::try_from(sum).unwrap_or(u16::MAX)
}

fn sum_of(octets: &[u8]) -> i64 {
    octets
        .chunks(2)
        .map(|pair| (i64::from(pair[0]) << 8) + pair.get(1).map_or(0, |low| i64::from(*low)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Equation 3 as RFC 1624 prints it, word for word.
    fn equation_3(stored: u16, words: &[(u16, u16)]) -> u16 {
        let mut sum = u32::from(!stored);
        for (before, after) in words {
            sum += u32::from(!before) + u32::from(*after);
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).expect("folded")
    }

    #[test]
    fn agrees_with_equation_3() {
        for stored in [0, 1, 0x1234, 0xdd2f, 0xfffe, 0xffff] {
            for (before, after) in [(0x5555, 0x3285), (0, 0xffff), (1, 0), (0, 1), (7, 0xfff8)] {
                let same_sum = before % 0xffff == after % 0xffff;
                let expected = if same_sum {
                    stored
                } else {
                    equation_3(stored, &[(before, after)])
                };
                let ours = carried_over(stored, &before.to_be_bytes(), &after.to_be_bytes());
                assert_eq!(ours, expected, "{stored:04x} {before:04x} {after:04x}");
            }
        }
    }

    #[test]
    fn the_example_of_rfc_1624() {
        assert_eq!(carried_over(0xdd2f, &[0x55, 0x55], &[0x32, 0x85]), 0);
    }
}
