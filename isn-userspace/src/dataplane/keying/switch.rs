//! From one key to the next, in steps of which each is one write of the settings.
//!
//! The kernel copies the settings word by word while packets read them. So no step changes more than one word of those that
//! mean anything at that moment, and whoever reads in between reads either what was or what is. A process that is killed
//! between two steps leaves the old key in use, until the last one.

use isn_common::{abi::settings::Keyed, siphash::Key, tick::Tick};

use super::adopting;

/// The values that are written one after the other to switch to `key`, adopting flows of the key before for so many ticks.
#[must_use]
pub fn to_key(before: Keyed, key: Key, now: Tick, ticks: u32) -> [Keyed; 4] {
    let ended = Keyed {
        adopting_for: 0,
        ..before
    };
    let mut prepared = Keyed {
        // As far in the past as the clock tells.
        adopting_since: now.0.wrapping_add(1 << 31),
        ..ended
    };
    prepared.keys[(before.generation & 1 ^ 1) as usize] = key;
    let begun = adopting::from_now(prepared, now, ticks);
    let ready = Keyed {
        adopting_for: begun.adopting_for,
        flags: before.flags | Keyed::AFTER_KEY,
        ..prepared
    };
    let switched = Keyed {
        generation: before.generation.wrapping_add(1),
        adopting_since: begun.adopting_since,
        ..ready
    };
    [ended, prepared, ready, switched]
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Key = Key([1, 2]);
    const OLDER: Key = Key([3, 4]);
    const NEW: Key = Key([5, 6]);
    const NOW: Tick = Tick(100_000_000);
    const TICKS: u32 = Tick::in_seconds(365 * 86_400);

    /// What a packet is told: the key of flows that open, its generation, and which flows without an entry have.
    fn meaning(keyed: &Keyed) -> ([u64; 2], u32, Option<[u64; 2]>) {
        let unknown = if keyed.is_adopting(NOW) {
            keyed.key_before().map(|key| key.0)
        } else {
            Some(keyed.key().0)
        };
        (keyed.key().0, keyed.generation, unknown)
    }

    fn words(keyed: &Keyed) -> [u64; 6] {
        let [one, other] = keyed.keys.map(|key| key.0);
        let pair = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        [
            one[0],
            one[1],
            other[0],
            other[1],
            pair(keyed.generation, keyed.adopting_since),
            pair(keyed.adopting_for, keyed.flags),
        ]
    }

    #[allow(clippy::cast_possible_truncation, reason = "halves")]
    fn from_words(words: [u64; 6]) -> Keyed {
        Keyed {
            keys: [Key([words[0], words[1]]), Key([words[2], words[3]])],
            generation: words[4] as u32,
            adopting_since: (words[4] >> 32) as u32,
            adopting_for: words[5] as u32,
            flags: (words[5] >> 32) as u32,
        }
    }

    fn before(generation: u32, adopted: u32) -> Keyed {
        let mut keys = [OLDER; 2];
        keys[(generation & 1) as usize] = OLD;
        Keyed {
            keys,
            generation,
            adopting_since: NOW.0 - 2 * adopted,
            adopting_for: adopted,
            flags: Keyed::IN_USE,
        }
    }

    #[test]
    fn a_packet_meets_the_old_key_or_the_new_one_whatever_is_written_already() {
        for (generation, adopted) in [(0, 0), (7, 1_000), (u32::MAX, 5)] {
            let before = before(generation, adopted);
            let steps = to_key(before, NEW, NOW, TICKS);
            let old = meaning(&before);
            let new = (NEW.0, generation.wrapping_add(1), Some(OLD.0));
            assert_eq!(meaning(&steps[3]), new);
            let mut from = before;
            for (nth, to) in steps.iter().enumerate() {
                let (was, is) = (words(&from), words(to));
                // Any of the words may be there already.
                for there in 0..1 << was.len() {
                    let mixed = std::array::from_fn(|at| {
                        if there >> at & 1 == 1 {
                            is[at]
                        } else {
                            was[at]
                        }
                    });
                    let met = meaning(&from_words(mixed));
                    assert!(
                        met == old || nth == 3 && met == new,
                        "step {nth}, words {there:b}: {met:?}"
                    );
                }
                from = *to;
            }
        }
    }

    #[test]
    fn adopting_lasts_as_long_as_it_is_said_or_not_at_all() {
        let switched = to_key(before(4, 0), NEW, NOW, TICKS)[3];
        assert!(
            switched.is_adopting(Tick(NOW.0 + TICKS - 1))
                && !switched.is_adopting(Tick(NOW.0 + TICKS))
        );
        let at_once = to_key(before(4, 0), NEW, NOW, 0)[3];
        assert_eq!(meaning(&at_once), (NEW.0, 5, Some(NEW.0)));
        assert!(at_once.is_in_use());
    }
}
