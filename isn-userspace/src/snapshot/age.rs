//! Times in a snapshot: the data plane's clock begins anew with every boot, so the file has ages, and loading makes ticks of
//! them again. What is older than the machine has been up gets a tick from before its boot, modulo 2^32: differences are all
//! that counts.

use std::time::Duration;

use isn_common::tick::Tick;

/// The greatest age that [`Tick::since`] can tell: nine years.
const OLDEST: u32 = u32::MAX / 2;

/// Ticks from `then` to `now`; 0 if `then` lies ahead by a little.
pub const fn age(then: Tick, now: Tick) -> u32 {
    now.since(then)
}

/// Ticks in a time; as many as can be told, if there are more.
pub fn ticks(time: Duration) -> u32 {
    u32::try_from(time.as_nanos() >> Tick::SHIFT).map_or(OLDEST, |ticks| ticks.min(OLDEST))
}

/// What had this age when it was saved, `elapsed` ago.
pub fn tick(age: u32, now: Tick, elapsed: Duration) -> Tick {
    let elapsed = elapsed.as_nanos() >> Tick::SHIFT;
    let whole = u128::from(age).saturating_add(elapsed);
    let whole = u32::try_from(whole).map_or(OLDEST, |whole| whole.min(OLDEST));
    Tick(now.0.wrapping_sub(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn what_lies_between_saving_and_loading_counts() {
        let (then, saved) = (Tick(1_000), Tick(5_000));
        let loaded = Tick(700_000);
        let back = tick(age(then, saved), loaded, HOUR);
        assert_eq!(loaded.since(back), 4_000 + ticks(HOUR));
    }

    #[test]
    fn a_flow_older_than_the_uptime_after_a_reboot_keeps_its_age() {
        // Up for a minute, and the flow was silent for an hour.
        let loaded = Tick(Tick::in_seconds(60));
        let silent = Tick::in_seconds(3_600);
        let back = tick(silent, loaded, Duration::ZERO);
        assert!(back.0 > loaded.0, "{back:?}");
        assert_eq!(loaded.since(back), silent);
        // And goes on ageing as any other.
        let later = Tick(loaded.0 + 500);
        assert_eq!(later.since(back), silent + 500);
    }

    #[test]
    fn at_the_very_boot_too() {
        for elapsed in [Duration::ZERO, HOUR] {
            let back = tick(77, Tick(0), elapsed);
            assert_eq!(Tick(0).since(back), 77 + ticks(elapsed));
        }
    }

    #[test]
    fn a_packet_seen_after_the_clock_was_read_is_as_young_as_can_be() {
        assert_eq!(age(Tick(101), Tick(100)), 0);
        assert_eq!(age(Tick(3), Tick(u32::MAX)), 0);
    }

    #[test]
    fn the_wrap_of_the_clock_before_saving_is_no_matter() {
        assert_eq!(age(Tick(u32::MAX - 9), Tick(10)), 20);
    }

    #[test]
    fn too_old_to_tell_is_as_old_as_can_be_and_never_young() {
        let centuries = Duration::from_hours(300 * 365 * 24);
        for (age, elapsed) in [
            (0, centuries),
            (OLDEST, HOUR),
            (u32::MAX, centuries),
            (5, Duration::MAX),
        ] {
            let now = Tick(9);
            assert_eq!(now.since(tick(age, now, elapsed)), OLDEST);
        }
    }
}
