//! Is an initial sequence number safe after the previous incarnation, and which one instead? (S2)
//!
//! RFC 9293 section 3.4.3 and RFC 6191 let a peer in TIME-WAIT accept a SYN that lies beyond what it
//! has received; BSD stacks want it beyond the window besides. "Beyond" ends 2^31 further on.

use crate::tcp::seq::Seq;

/// What an incarnation could have occupied of the peer's sequence space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupied {
    /// The number behind the last octet sent.
    pub high_water: Seq,
    /// The number behind the last octet that the peer would have accepted.
    pub right_edge: Seq,
}

/// Half of the sequence space: what lies this far ahead no longer counts as ahead.
const HALF: u32 = 1 << 31;
/// More than the largest window there is, 65,535 << 14 (RFC 7323 section 2.3).
const LARGEST_WINDOW: u32 = 1 << 30;
/// Jumps are drawn from this many values.
const LONGEST_JUMP: u32 = 1 << 30;

impl Occupied {
    /// Octets from the high-water mark to the right edge, at most the largest window.
    fn window(self) -> u32 {
        let ahead = self
            .high_water
            .or_later(self.right_edge)
            .beyond(self.high_water);
        ahead.min(LARGEST_WINDOW)
    }

    /// Whether a connection may start at `candidate`: beyond the right edge, and less than 2^31
    /// beyond the high-water mark.
    #[must_use]
    pub fn allows(self, candidate: Seq) -> bool {
        let ahead = candidate.beyond(self.high_water);
        self.window() < ahead && ahead < HALF
    }

    /// A number that [`Occupied::allows`]: the right edge plus a jump of 1 to 2^30 octets, chosen
    /// by `random` from all 32-bit numbers.
    #[must_use]
    pub fn safe_number(self, random: u32) -> Seq {
        let window = self.window();
        let room = HALF.wrapping_sub(1).wrapping_sub(window);
        let choices = if room < LONGEST_JUMP {
            room
        } else {
            LONGEST_JUMP
        };
        // Multiply and shift: uniform up to one part in four, and no division (Lemire, 2019).
        #[allow(clippy::cast_possible_truncation, reason = "the upper half of 64 bits")]
        let chosen = (u64::from(random).wrapping_mul(u64::from(choices)) >> 32) as u32;
        self.high_water
            .advanced(window)
            .advanced(1)
            .advanced(chosen)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn occupied(high_water: u32, right_edge: u32) -> Occupied {
        Occupied {
            high_water: Seq(high_water),
            right_edge: Seq(right_edge),
        }
    }

    #[test]
    fn the_high_water_mark_itself_is_refused_by_a_peer_in_time_wait() {
        assert!(!occupied(5_000_000, 5_000_000).allows(Seq(5_000_000)));
        assert!(occupied(5_000_000, 5_000_000).allows(Seq(5_000_001)));
    }

    #[test]
    fn inside_the_window_is_unsafe_and_right_behind_it_safe() {
        let before = occupied(5_000_000, 5_065_535);
        for unsafe_isn in [1000, 4_999_999, 5_000_000, 5_000_001, 5_065_535] {
            assert!(!before.allows(Seq(unsafe_isn)), "{unsafe_isn}");
        }
        assert!(before.allows(Seq(5_065_536)));
    }

    #[test]
    fn half_the_space_ahead_is_the_limit() {
        for mark in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
            let before = occupied(mark, mark);
            assert!(before.allows(Seq(mark).advanced(0x7fff_ffff)), "{mark:#x}");
            assert!(!before.allows(Seq(mark).advanced(0x8000_0000)), "{mark:#x}");
            assert!(!before.allows(Seq(mark).advanced(0x8000_0001)), "{mark:#x}");
        }
    }

    #[test]
    fn zero_is_an_ordinary_number() {
        assert!(occupied(0xffff_ffff, 0xffff_ffff).allows(Seq(0)));
        assert!(!occupied(0, 0).allows(Seq(0)));
        assert!(!occupied(1, 1).allows(Seq(0)));
    }

    #[test]
    fn the_jump_is_at_least_one_and_spreads_over_all_choices() {
        let before = occupied(100, 200);
        assert_eq!(before.safe_number(0), Seq(201));
        assert_eq!(before.safe_number(u32::MAX), Seq(200 + (1 << 30)));
    }

    proptest! {
        #[test]
        fn the_number_chosen_is_always_allowed(high_water: u32, window in 0u32..=1 << 30, random: u32) {
            let before = Occupied {
                high_water: Seq(high_water),
                right_edge: Seq(high_water).advanced(window),
            };
            prop_assert!(before.allows(before.safe_number(random)));
        }

        #[test]
        fn a_right_edge_behind_the_mark_counts_as_the_mark(high_water: u32, back in 0u32..1 << 31, random: u32) {
            let before = occupied(high_water, high_water.wrapping_sub(back));
            prop_assert!(before.allows(before.safe_number(random)));
            prop_assert!(before.allows(Seq(high_water).advanced(1)));
        }

        #[test]
        fn allowed_is_what_the_specification_says(high_water: u32, window in 0u32..=1 << 30, candidate: u32) {
            let before = occupied(high_water, high_water.wrapping_add(window));
            let beyond_edge = before.right_edge.precedes(Seq(candidate));
            let below_half = candidate.wrapping_sub(high_water) < 1 << 31;
            prop_assert_eq!(before.allows(Seq(candidate)), beyond_edge && below_half);
        }
    }
}
