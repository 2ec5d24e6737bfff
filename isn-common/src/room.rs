//! Who may have room in the tables: a flow with an offset, while its host leaves enough to others, and what is only
//! remembered, while its host has not used up its share (S16 to S18).
//!
//! One host that scans a network, or is flooded, must not take all room. For translated flows the bound moves with the
//! free room, as buffers are shared between the ports of a switch (Choudhury and Hahne, "Dynamic queue length thresholds",
//! 1998): a host alone may have four fifths of the table, two busy ones four ninths each, and some room is always left for
//! one more. What may be overwritten is counted in windows of time.

use crate::{
    abi::flow::{Word, pack, unpack},
    tick::Tick,
};

/// A host is admitted while it holds no more than this many times the room that is free.
const FACTOR: u64 = 4;

/// Whether another flow with an offset may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Admitted,
    /// Not as long as its host holds so many.
    Share,
    /// The table is full.
    Full,
}

impl Admission {
    /// Of a flow whose host has `of_host` of the `all` flows in a table for at most `most`.
    #[must_use]
    #[inline(always)]
    pub const fn of(all: u64, of_host: u64, most: u32) -> Self {
        let free = (most as u64).saturating_sub(all);
        if free == 0 {
            Self::Full
        } else if of_host > free.saturating_mul(FACTOR) {
            Self::Share
        } else {
            Self::Admitted
        }
    }

    /// As a number that a BPF function can return, and back.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The inverse of [`Admission::code`].
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        match code {
            0 => Self::Admitted,
            1 => Self::Share,
            _ => Self::Full,
        }
    }
}

/// What every host has a share of: the tables that are made to be overwritten, and the samples that are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Share {
    /// Flows whose handshake is not complete.
    HalfOpen = 0,
    /// Flows with nothing but what they have by themselves, whose handshake was completed.
    History = 1,
    /// Samples of guarded hosts ([`crate::sample`]).
    SamplesOfGuarded = 2,
    /// Samples of all others.
    SamplesOfOthers = 3,
}

impl Share {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::HalfOpen,
        Self::History,
        Self::SamplesOfGuarded,
        Self::SamplesOfOthers,
    ];

    /// The one with this number, the last of all if there is none: what a BPF function can be given.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            0 => Self::HalfOpen,
            1 => Self::History,
            2 => Self::SamplesOfGuarded,
            _ => Self::SamplesOfOthers,
        }
    }
}

/// The cell of a host, of as many as are given to each share, in an array for all.
#[must_use]
#[inline(always)]
pub const fn cell(host: u32, share: Share, cells: u32) -> u32 {
    let quarter = cells / 4;
    (host & quarter.wrapping_sub(1)).wrapping_add(quarter.wrapping_mul(share as u32))
}

/// Attempts to count against other CPUs; a count that is lost does no harm.
const ATTEMPTS: u32 = 4;

/// Counts one more entry of a host in `window` ticks, unless that would be more than `most`; whether it was counted. The
/// word has the count in its low half and the beginning of the window in the other.
#[inline(always)]
pub fn take<W: Word>(cell: &W, now: Tick, window: u32, most: u32) -> bool {
    for _ in 0..ATTEMPTS {
        let before = cell.load();
        let (taken, since) = unpack(before);
        let after = if taken == 0 || now.since(Tick(since)) >= window {
            pack(1, now.0)
        } else {
            pack(taken.wrapping_add(1), since)
        };
        if unpack(after).0 > most {
            return false;
        }
        if cell.compare_exchange(before, after) {
            return true;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn a_host_alone_has_four_fifths_and_two_have_four_ninths_each() {
        let most = 90_000;
        let alone = (0..=u64::from(most))
            .find(|held| Admission::of(*held, *held, most) != Admission::Admitted);
        assert_eq!(alone, Some(72_001));
        let both = (0..=u64::from(most))
            .find(|held| Admission::of(2 * held, *held, most) != Admission::Admitted);
        assert_eq!(both, Some(40_001));
        // And there is still room for somebody else.
        assert_eq!(Admission::of(80_002, 0, most), Admission::Admitted);
    }

    #[test]
    fn a_full_table_admits_nobody() {
        for (all, most) in [(4, 4), (5, 4), (0, 0), (u64::MAX, u32::MAX)] {
            assert_eq!(Admission::of(all, 0, most), Admission::Full);
        }
    }

    #[test]
    fn a_small_table_can_be_filled_by_one_host() {
        for held in 0..4 {
            assert_eq!(Admission::of(held, held, 4), Admission::Admitted);
        }
    }

    #[test]
    fn admissions_survive_the_way_through_a_number() {
        for admission in [Admission::Admitted, Admission::Share, Admission::Full] {
            assert_eq!(Admission::from_code(admission.code()), admission);
        }
    }

    #[test]
    fn a_share_is_used_up_and_comes_back_with_the_next_window() {
        let cell = AtomicU64::new(0);
        for at in 0..3 {
            assert!(take(&cell, Tick(7 + at), 10, 3));
        }
        assert!(!take(&cell, Tick(16), 10, 3));
        assert!(take(&cell, Tick(17), 10, 3));
        assert_eq!(
            unpack(cell.load(core::sync::atomic::Ordering::Relaxed)),
            (1, 17)
        );
    }

    #[test]
    fn a_share_of_nothing_is_used_up_at_once_and_the_largest_never() {
        let cell = AtomicU64::new(0);
        assert!(!take(&cell, Tick(0), 10, 0));
        assert!((0..1000).all(|_| take(&cell, Tick(0), 10, u32::MAX)));
    }

    #[test]
    fn each_share_has_cells_of_its_own() {
        for host in [0, 1, 2047, 2048, u32::MAX] {
            for (share, quarter) in Share::ALL.into_iter().zip(0..) {
                let cell = cell(host, share, 8192);
                assert!((2048 * quarter..2048 * (quarter + 1)).contains(&cell));
                assert_eq!(Share::from_number(quarter), share);
            }
        }
    }
}
