//! Adopting: for how long connections of which no entry tells are taken for such of before (S15). Pure.

use isn_common::{abi::settings::Keyed, tick::Tick};

/// The data plane's clock may be read a little earlier than this process's, and a beginning in the future is none.
const MARGIN: u32 = Tick::in_seconds(1);
/// While connections find no room to be adopted, it goes on at least for so long: more than the two hours after which most
/// systems ask whether the other end is still there.
const AT_LEAST: u32 = Tick::in_seconds(3 * 3_600);

/// Adopting under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adopting {
    /// Ticks until it is over.
    pub left: u32,
    /// Connections of before have the offset of the key before; else none.
    pub after_key: bool,
}

impl Adopting {
    /// What is under way.
    #[must_use]
    pub fn of(keyed: &Keyed, now: Tick) -> Option<Self> {
        (keyed.is_in_use() && keyed.is_adopting(now)).then(|| Self {
            left: keyed
                .adopting_for
                .wrapping_sub(now.0.wrapping_sub(keyed.adopting_since)),
            after_key: keyed.key_before().is_some(),
        })
    }

    /// Seconds until it is over.
    #[must_use]
    pub fn seconds_left(self) -> f64 {
        Tick::to_seconds(self.left)
    }
}

/// The same with adopting from now on for so many ticks; 0 ends it.
#[must_use]
pub const fn from_now(keyed: Keyed, now: Tick, ticks: u32) -> Keyed {
    Keyed {
        adopting_since: now.0.wrapping_sub(MARGIN),
        adopting_for: lasting(ticks),
        ..keyed
    }
}

/// How long it lasts from a beginning that lies a margin back.
const fn lasting(ticks: u32) -> u32 {
    match ticks {
        0 => 0,
        more => more.saturating_add(MARGIN),
    }
}

/// The same with an end that lies so many ticks ahead, if it lay earlier.
#[must_use]
pub fn not_before(keyed: Keyed, now: Tick, ticks: u32) -> Keyed {
    let passed = now.0.wrapping_sub(keyed.adopting_since);
    Keyed {
        adopting_for: keyed.adopting_for.max(passed.saturating_add(ticks)),
        ..keyed
    }
}

/// What follows from connections that found no room to be adopted: it must not end yet. `None` if it will not soon.
#[must_use]
pub fn extended(keyed: Keyed, now: Tick) -> Option<Keyed> {
    Adopting::of(&keyed, now)?;
    let longer = not_before(keyed, now, AT_LEAST);
    (longer != keyed).then_some(longer)
}

#[cfg(test)]
mod tests {
    use isn_common::siphash::Key;

    use super::*;

    const NOW: Tick = Tick(3);

    fn keyed() -> Keyed {
        Keyed {
            keys: [Key([1, 2]), Key([3, 4])],
            flags: Keyed::IN_USE,
            ..Keyed::UNUSED
        }
    }

    #[test]
    fn it_lasts_as_long_as_it_is_said_for_a_clock_that_is_late_too() {
        for ticks in [1, 100, Tick::in_seconds(14 * 86_400)] {
            let adopting = from_now(keyed(), NOW, ticks);
            for early in 0..=MARGIN {
                assert!(adopting.is_adopting(Tick(NOW.0.wrapping_sub(early))));
            }
            assert!(!adopting.is_adopting(Tick(NOW.0 + ticks)));
            assert_eq!(Adopting::of(&adopting, NOW).map(|it| it.left), Some(ticks));
        }
        assert_eq!(Adopting::of(&from_now(keyed(), NOW, 0), NOW), None);
    }

    #[test]
    fn what_is_not_in_use_adopts_nothing() {
        let unused = Keyed {
            flags: 0,
            ..from_now(keyed(), NOW, 9)
        };
        assert_eq!(Adopting::of(&unused, NOW), None);
        let after = Keyed {
            flags: Keyed::IN_USE | Keyed::AFTER_KEY,
            ..from_now(keyed(), NOW, 9)
        };
        assert_eq!(Adopting::of(&after, NOW).map(|it| it.after_key), Some(true));
    }

    #[test]
    fn an_end_is_only_put_off() {
        let adopting = from_now(keyed(), NOW, 100);
        assert!(not_before(adopting, NOW, 99) == adopting);
        let later = not_before(adopting, Tick(NOW.0 + 50), 100);
        assert_eq!(
            Adopting::of(&later, Tick(NOW.0 + 50)).map(|it| it.left),
            Some(100)
        );
    }

    #[test]
    fn without_room_it_goes_on_but_what_is_over_does_not_begin_again() {
        let adopting = from_now(keyed(), NOW, 100);
        let longer = extended(adopting, Tick(NOW.0 + 99)).unwrap();
        assert_eq!(
            Adopting::of(&longer, Tick(NOW.0 + 99)).map(|it| it.left),
            Some(AT_LEAST)
        );
        assert!(extended(adopting, Tick(NOW.0 + 100)).is_none());
        assert!(extended(from_now(keyed(), NOW, AT_LEAST), NOW).is_none());
    }
}
