//! The Internet checksum, updated for a change instead of computed anew (RFC 1624).

/// What a change of octets does to a checksum that covers them: the sum of `~m + m'` of RFC 1624
/// eqn. 3, not yet folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change(u64);

impl Change {
    /// Nothing changed.
    pub const NONE: Self = Self(0);

    /// Adds the replacement of a 32-bit word that begins at an even distance from the first octet
    /// that the checksum covers.
    #[must_use]
    pub const fn with_word(self, old: u32, new: u32) -> Self {
        // At most 2^33 a word and a few words a packet: 64 bits never overflow.
        Self(self.0.wrapping_add(!old as u64).wrapping_add(new as u64))
    }

    /// Adds the replacement of a 16-bit word, as [`Change::with_word`] does of 32 bits.
    #[must_use]
    pub const fn with_half_word(self, old: u16, new: u16) -> Self {
        // The upper half of the complement is 0xffff, which is zero in one's complement.
        self.with_word(old as u32, new as u32)
    }

    /// Adds a change that was folded.
    #[must_use]
    pub const fn with_folded(self, folded: u16) -> Self {
        Self(self.0.wrapping_add(folded as u64))
    }

    /// Whether a checksum stays as it is.
    #[must_use]
    pub const fn is_none(self) -> bool {
        matches!(self.folded(), 0 | 0xffff)
    }

    /// Adds a change that was computed as if the octets lay at an even distance, but lie at an odd
    /// one: each octet then stands in the other half of its 16-bit word (RFC 1071 section 2 (B)).
    #[must_use]
    pub const fn with_odd(self, change: Self) -> Self {
        Self(self.0.wrapping_add(change.folded().swap_bytes() as u64))
    }

    /// Both changes.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// The change as one 16-bit one's complement number, in host order.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "folded to 16 bits before")]
    pub const fn folded(self) -> u16 {
        folded(self.0)
    }

    /// The checksum field after the change: `HC' = ~(~HC + ~m + m')` (RFC 1624 eqn. 3). A field
    /// that was wrong stays wrong by the same difference; one that need not change does not, though
    /// the sum would turn 0xffff into 0.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "folded to 16 bits before")]
    pub const fn applied_to(self, field: u16) -> u16 {
        let sum = folded(self.0.wrapping_add(!field as u64));
        // A field of 0xffff stays what it is where nothing changes.
        if sum == 0xffff && self.is_none() {
            return field;
        }
        !sum
    }
}

/// A sum as one of 16 bits, with what was carried out added (RFC 1071). It is 0 only if all its words were.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "folded to 16 bits before")]
const fn folded(sum: u64) -> u16 {
    // A few words of 33 bits are less than 2^40: 2^24, then 2^9 is the most that is carried out, then 1.
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    sum.wrapping_add(sum >> 16) as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 1071 over all octets: the oracle.
    fn full(octets: &[u8]) -> u16 {
        let mut sum: u32 = octets
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])))
            .sum();
        while sum >> 16 != 0 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).expect("folded")
    }

    /// Both representations of zero verify at a receiver.
    fn same(a: u16, b: u16) -> bool {
        a == b || (a.is_multiple_of(0xffff) && b.is_multiple_of(0xffff))
    }

    fn word(octets: &[u8], at: usize) -> u32 {
        u32::from_be_bytes(octets[at..at + 4].try_into().expect("four octets"))
    }

    fn change_of(at: usize, old: u32, new: u32) -> Change {
        let change = Change::NONE.with_word(old, new);
        if at.is_multiple_of(2) {
            change
        } else {
            Change::NONE.with_odd(change)
        }
    }

    proptest! {
        #[test]
        fn an_update_equals_full_recomputation(
            mut octets in proptest::collection::vec(any::<u8>(), 4..200), at in any::<prop::sample::Index>(), new: u32,
        ) {
            let at = at.index(octets.len() - 3);
            let before = full(&octets);
            let old = word(&octets, at);
            octets[at..at + 4].copy_from_slice(&new.to_be_bytes());
            prop_assert!(same(change_of(at, old, new).applied_to(before), full(&octets)));
        }

        #[test]
        fn many_words_at_once_equal_full_recomputation(
            mut octets in proptest::collection::vec(any::<u8>(), 40..60), new in any::<[u32; 9]>(), odd: bool,
        ) {
            let start = usize::from(odd);
            let before = full(&octets);
            let mut change = Change::NONE;
            for (i, new) in new.iter().enumerate() {
                let at = start + 4 * i;
                change = change.with_word(word(&octets, at), *new);
                octets[at..at + 4].copy_from_slice(&new.to_be_bytes());
            }
            let change = if odd { Change::NONE.with_odd(change) } else { change };
            prop_assert!(same(change.applied_to(before), full(&octets)));
        }

        #[test]
        fn a_change_and_its_reverse_cancel(field in 0u16..0xffff, old: u32, new: u32, odd: bool) {
            let at = usize::from(odd);
            let there = change_of(at, old, new).applied_to(field);
            prop_assert_eq!(change_of(at, new, old).applied_to(there), field);
        }

        #[test]
        fn a_wrong_field_stays_wrong(right: u16, error in 1u16..0xffff, old: u32, new: u32) {
            let change = change_of(0, old, new);
            let wrong = right.wrapping_add(error);
            prop_assume!(!same(right, wrong));
            prop_assert!(!same(change.applied_to(right), change.applied_to(wrong)));
        }
    }

    #[test]
    fn the_example_of_rfc_1624_section_4() {
        // HC = 0xdd2f, m = 0x5555, m' = 0x3285: HC' must be 0x0000, where eqn. 2 gave 0xffff.
        assert_eq!(
            Change::NONE.with_word(0x5555, 0x3285).applied_to(0xdd2f),
            0x0000
        );
    }

    #[test]
    fn no_change_keeps_every_field_but_the_negative_zero() {
        for field in 0..0xffffu16 {
            assert_eq!(Change::NONE.applied_to(field), field);
            assert_eq!(change_of(1, 7, 7).applied_to(field), field);
        }
    }
}
