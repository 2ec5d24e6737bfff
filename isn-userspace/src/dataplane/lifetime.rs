//! Whether a flow still lives. Pure; when its entry may go, `isn_common::expiry` says.

use isn_common::{
    abi::{
        flow::{Phase, Record},
        settings::Settings,
    },
    expiry::{self, Place},
    tick::Tick,
};

/// What detaching would do to a flow that has an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It would break.
    Live,
    /// It has ended a moment ago: the last acknowledgments may be on their way.
    JustClosed,
    /// It is over, but late segments of it may still come and would not be translated.
    Closed,
    /// Nothing.
    Over,
}

/// Ticks within which the last segments of a connection that has ended arrive: two seconds.
const LAST_SEGMENTS: u32 = Tick::in_seconds(2);

/// What detaching would do to a flow in one of the tables.
#[must_use]
pub fn life(place: Place, record: &Record, settings: &Settings, now: Tick) -> Life {
    if record.translation().is_none() || expiry::is_over(place, record, settings, now) {
        return Life::Over;
    }
    match record.control().phase() {
        Phase::Opening | Phase::HalfOpen | Phase::Established | Phase::Closing => Life::Live,
        Phase::Closed if now.since(record.last_seen()) < LAST_SEGMENTS => Life::JustClosed,
        Phase::Closed => Life::Closed,
    }
}

#[cfg(test)]
mod tests {
    use isn_common::{
        abi::{
            flow::{Control, pack},
            settings::OnFull,
        },
        siphash::Key,
    };

    use super::*;

    const HISTORY: u32 = 100;
    const NOW: Tick = Tick(100_000_000);
    const HALF_OPEN: u32 = Control::HOST_SYN;
    const ESTABLISHED: u32 = HALF_OPEN | Control::ANSWERED | Control::PEER_SEEN;
    const CLOSED: u32 = ESTABLISHED | Control::HOST_FIN | Control::PEER_FIN;

    fn lives(place: Place, control: u32, offset: u32, idle: u32) -> Life {
        let record = Record {
            identity: pack(offset, 7),
            life: pack(control, NOW.0 - idle),
            ..Record::EMPTY
        };
        let settings = Settings::new(HISTORY, OnFull::Pass, 0, Key([0, 0]));
        life(place, &record, &settings, NOW)
    }

    #[test]
    fn an_open_connection_lives_however_long_it_is_silent_until_nobody_can_be_there() {
        for idle in [0, 2 * HISTORY, Tick::in_seconds(86_400)] {
            assert_eq!(lives(Place::Translated, ESTABLISHED, 5, idle), Life::Live);
        }
        let long = Tick::in_seconds(15 * 86_400).min(NOW.0);
        assert_eq!(lives(Place::Translated, ESTABLISHED, 5, long), Life::Over);
    }

    #[test]
    fn a_handshake_with_an_offset_lives_too() {
        assert_eq!(lives(Place::HalfOpen, HALF_OPEN, 5, 0), Life::Live);
        assert_eq!(lives(Place::HalfOpen, HALF_OPEN, 5, HISTORY), Life::Over);
        assert_eq!(lives(Place::HalfOpen, HALF_OPEN, 0, 0), Life::Over);
    }

    #[test]
    fn closed_flows_are_told_apart_from_live_ones() {
        let closed = |idle| lives(Place::Translated, CLOSED, 5, idle);
        assert_eq!(closed(0), Life::JustClosed);
        assert_eq!(closed(LAST_SEGMENTS), Life::Closed);
        assert_eq!(closed(2 * HISTORY), Life::Over);
    }
}
