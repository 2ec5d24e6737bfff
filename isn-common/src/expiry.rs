//! When an entry of a table may go (S8, S16). Pure; the kernel's program for upkeep asks it, and user space, which looks for
//! what may go.

use crate::{
    abi::{
        flow::{Control, Phase, Record},
        settings::Settings,
    },
    tick::Tick,
};

/// The tables of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Place {
    /// Flows with a translation of their own, or that had one, whose handshake is complete.
    Translated = 0,
    /// Flows whose handshake is not complete.
    HalfOpen = 1,
    /// Flows with nothing but what they have by themselves, whose handshake was completed.
    History = 2,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Translated, Self::HalfOpen, Self::History];

    /// By its number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Translated),
            1 => Some(Self::HalfOpen),
            2 => Some(Self::History),
            _ => None,
        }
    }
}

/// Another CPU may still be busy with an entry that has just been left behind: two seconds, in ticks.
const LEFT_BEHIND: u32 = Tick::in_seconds(2);

/// Ticks of silence after which an entry may go.
#[must_use]
#[inline(always)]
pub const fn lifetime(place: Place, record: &Record, settings: &Settings) -> u32 {
    let control = record.control();
    match place {
        Place::HalfOpen if control.has(Control::MOVED) => LEFT_BEHIND,
        Place::HalfOpen | Place::History => settings.history,
        Place::Translated => {
            // While its offset is in use, it goes only when nobody can be there any more. Otherwise late segments get twice
            // the time for which the peer may remember.
            let over = settings.history.saturating_mul(2);
            match control.phase() {
                _ if !record.must_stay() => over,
                Phase::Established => longer(settings.limits.idle, over),
                Phase::Closing => longer(settings.limits.closing, over),
                Phase::Opening | Phase::HalfOpen | Phase::Closed => over,
            }
        }
    }
}

const fn longer(one: u32, other: u32) -> u32 {
    if one > other { one } else { other }
}

/// Whether an entry may go.
#[must_use]
#[inline(always)]
pub const fn is_over(place: Place, record: &Record, settings: &Settings, now: Tick) -> bool {
    now.since(record.last_seen()) >= lifetime(place, record, settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        abi::{flow::pack, settings::OnFull},
        siphash::Key,
    };

    const HISTORY: u32 = 100;
    const NOW: Tick = Tick(1_000_000);

    const HALF_OPEN: u32 = Control::HOST_SYN;
    const ESTABLISHED: u32 = HALF_OPEN | Control::ANSWERED | Control::PEER_SEEN;
    const CLOSING: u32 = ESTABLISHED | Control::HOST_FIN;
    const CLOSED: u32 = CLOSING | Control::PEER_FIN;

    fn settings() -> Settings {
        let mut settings = Settings::new(HISTORY, OnFull::Pass, 0, Key([0, 0]));
        settings.limits.idle = 5000;
        settings.limits.closing = 700;
        settings
    }

    /// For how long an entry stays.
    fn stays(place: Place, control: u32, offset: u32) -> u32 {
        let idle = |idle| Record {
            identity: pack(offset, 7),
            life: pack(control, NOW.0 - idle),
            ..Record::EMPTY
        };
        (0..NOW.0)
            .find(|ticks| is_over(place, &idle(*ticks), &settings(), NOW))
            .unwrap()
    }

    #[test]
    fn a_flow_that_uses_its_offset_stays_until_nobody_can_be_there() {
        assert_eq!(stays(Place::Translated, ESTABLISHED, 5), 5000);
        assert_eq!(stays(Place::Translated, CLOSING, 5), 700);
    }

    #[test]
    fn a_timestamp_offset_alone_is_a_translation_too() {
        let record = Record {
            stamps: pack(5, 7),
            life: pack(ESTABLISHED, NOW.0 - 4999),
            ..Record::EMPTY
        };
        assert!(!is_over(Place::Translated, &record, &settings(), NOW));
    }

    #[test]
    fn what_is_closed_or_has_no_offset_any_more_stays_for_twice_the_history() {
        for (control, offset) in [
            (CLOSED, 5),
            (HALF_OPEN, 5),
            (0, 5),
            (ESTABLISHED, 0),
            (CLOSING, 0),
        ] {
            assert_eq!(stays(Place::Translated, control, offset), 2 * HISTORY);
        }
    }

    #[test]
    fn no_setting_makes_an_open_flow_go_before_a_closed_one() {
        let mut settings = settings();
        settings.limits.idle = 0;
        settings.limits.closing = 0;
        for control in [ESTABLISHED, CLOSING] {
            let record = Record {
                identity: pack(5, 7),
                life: pack(control, 0),
                ..Record::EMPTY
            };
            assert_eq!(lifetime(Place::Translated, &record, &settings), 2 * HISTORY);
        }
    }

    #[test]
    fn memory_ends_at_the_history_horizon_whatever_the_state() {
        for control in [0, HALF_OPEN, ESTABLISHED, CLOSED] {
            for (place, offset) in [
                (Place::HalfOpen, 0),
                (Place::HalfOpen, 5),
                (Place::History, 0),
            ] {
                assert_eq!(stays(place, control, offset), HISTORY);
            }
        }
    }

    #[test]
    fn what_was_left_behind_goes_soon_and_in_the_history_it_is_still_memory() {
        assert_eq!(
            stays(Place::HalfOpen, ESTABLISHED | Control::MOVED, 5),
            LEFT_BEHIND
        );
        assert_eq!(stays(Place::History, CLOSED | Control::MOVED, 0), HISTORY);
    }

    #[test]
    fn a_flow_seen_after_the_clock_was_read_is_young() {
        let record = Record {
            life: pack(CLOSED, NOW.0 + 1),
            ..Record::EMPTY
        };
        assert!(!is_over(Place::Translated, &record, &settings(), NOW));
    }

    #[test]
    fn places_have_numbers() {
        for place in Place::ALL {
            assert_eq!(Place::from_number(place as u8), Some(place));
        }
        assert_eq!(Place::from_number(3), None);
    }
}
