//! What a set holds, in one word beside it: a print of each slot's key, seven bits of the hash. Whoever looks for a flow that is not
//! there, as the SYN of a new one does, learns that without a look at the slots, which lie in memory that nobody has touched lately.
//!
//! A slot's print is written by the CPU that has taken the slot, before the flow is announced, and wiped out by the one that ends it. So
//! a slot without a print has no flow; one with a print may have none yet, or none any more.

use super::WAYS;
use crate::abi::flow::Word;

/// Bits of a print.
const BITS: u32 = 7;
const MASK: u64 = (1 << BITS) - 1;
/// Above the prints: the slot from which on one is looked for that can be taken from its flow.
const HAND_AT: u32 = BITS * WAYS;
const HAND: u64 = 7 << HAND_AT;

/// The lowest bit of each print, and the highest.
const ONES: u64 = ((1 << HAND_AT) - 1) / MASK;
const TOPS: u64 = ONES << (BITS - 1);

/// Attempts against other CPUs: one of them succeeds in each round.
const ATTEMPTS: u32 = 8;

/// The prints of a set, as they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prints(u64);

impl Prints {
    /// Those that are there now.
    #[must_use]
    #[inline(always)]
    pub fn of<W: Word>(word: &W) -> Self {
        Self(word.load())
    }

    /// Whether a slot may hold a key with this print.
    #[must_use]
    #[inline(always)]
    pub const fn may_hold(self, nth: u32, print: u32) -> bool {
        self.0 >> BITS.wrapping_mul(nth) & MASK == print as u64
    }

    /// Whether no slot has a flow.
    #[must_use]
    pub const fn are_none(self) -> bool {
        self.0 & !HAND == 0
    }

    /// Whether a slot has no flow.
    #[must_use]
    #[inline(always)]
    pub const fn is_empty(self, nth: u32) -> bool {
        self.may_hold(nth, 0)
    }

    /// Whether every slot has a flow.
    #[must_use]
    #[inline(always)]
    pub const fn are_all(self) -> bool {
        // A lane of seven bits borrows from the next one only if it is 0, or if one below is.
        self.0.wrapping_sub(ONES) & !self.0 & TOPS == 0
    }

    /// The slot whose turn it is to make room.
    #[must_use]
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "three bits")]
    pub const fn hand(self) -> u32 {
        ((self.0 & HAND) >> HAND_AT) as u32
    }
}

/// The print of a hash; never 0.
#[must_use]
#[inline(always)]
pub const fn print_of(hash: u32) -> u32 {
    // Other bits than those that choose the first slot, and the upper ones that choose the set.
    let bits = hash >> 3 & ((1 << BITS) - 1);
    if bits == 0 { 1 } else { bits }
}

/// Replaces the print of a slot that this CPU has taken; false only if other CPUs never let it.
#[inline(always)]
pub fn put<W: Word>(word: &W, nth: u32, print: u32) -> bool {
    let at = BITS.wrapping_mul(nth);
    change(word, MASK << at, u64::from(print) << at)
}

/// The same, where the slot had to make room: the next one's turn is next.
#[inline(always)]
pub fn put_and_turn<W: Word>(word: &W, nth: u32, print: u32) -> bool {
    let at = BITS.wrapping_mul(nth);
    let next = nth.wrapping_add(1) % WAYS;
    let bits = u64::from(print) << at | u64::from(next) << HAND_AT;
    change(word, MASK << at | HAND, bits)
}

#[inline(always)]
fn change<W: Word>(word: &W, mask: u64, bits: u64) -> bool {
    for _ in 0..ATTEMPTS {
        let before = word.load();
        if word.compare_exchange(before, before & !mask | bits) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn each_slot_has_a_print_of_its_own_and_the_hand_is_beside_them() {
        let word = AtomicU64::new(0);
        for nth in 0..WAYS {
            assert!(Prints::of(&word).is_empty(nth));
            assert!(!Prints::of(&word).are_all());
            assert!(put(&word, nth, 0x7f - nth));
        }
        let prints = Prints::of(&word);
        for nth in 0..WAYS {
            assert!(prints.may_hold(nth, 0x7f - nth) && !prints.is_empty(nth));
        }
        assert_eq!(prints.hand(), 0);
        assert!(put_and_turn(&word, 4, 1));
        let prints = Prints::of(&word);
        assert!(prints.are_all() && prints.may_hold(4, 1));
        assert_eq!(prints.hand(), 5);
        assert!(put_and_turn(&word, 7, 0));
        let prints = Prints::of(&word);
        assert_eq!(prints.hand(), 0);
        assert!(prints.is_empty(7) && prints.may_hold(6, 0x7f - 6));
    }

    #[test]
    fn a_set_is_full_when_no_slot_is_empty() {
        let mut random = 1u64;
        for _ in 0..10_000 {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            // Prints that are often 0 or 1.
            let word = random & random >> 3 & random >> 9;
            for word in [word, word | ONES, word & !(MASK << 21)] {
                let prints = Prints(word & !HAND);
                let full = (0..WAYS).all(|nth| !prints.is_empty(nth));
                assert_eq!(prints.are_all(), full, "{word:#x}");
            }
        }
    }

    #[test]
    fn no_print_is_that_of_an_empty_slot() {
        assert!((0..1 << 11).all(|hash| (1..=0x7f).contains(&print_of(hash))));
    }
}
