//! When a flow still lives, and when its entry may go. Pure.

use isn_common::{
    abi::flow::{Phase, Record},
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

/// What detaching would do to a flow in the table of translated flows.
#[must_use]
pub fn life(record: &Record, now: Tick, history: u32) -> Life {
    if record.translation().is_none() || may_be_swept(record, now, history) {
        return Life::Over;
    }
    match record.control().phase() {
        Phase::Opening | Phase::HalfOpen | Phase::Established | Phase::Closing => Life::Live,
        Phase::Closed if now.since(record.last_seen()) < LAST_SEGMENTS => Life::JustClosed,
        Phase::Closed => Life::Closed,
    }
}

/// Whether an entry of the table of translated flows may be removed: after twice the history, and
/// never while its offset is in use (S16).
#[must_use]
pub fn may_be_swept(record: &Record, now: Tick, history: u32) -> bool {
    let in_use = matches!(
        record.control().phase(),
        Phase::Established | Phase::Closing
    ) && !record.translation().is_none();
    !in_use && now.since(record.last_seen()) >= history.saturating_mul(2)
}

/// Whether an entry of the table of history is forgotten (S8).
#[must_use]
pub fn is_forgotten(record: &Record, now: Tick, history: u32) -> bool {
    now.since(record.last_seen()) >= history
}

#[cfg(test)]
mod tests {
    use isn_common::abi::flow::{Control, pack};

    use super::*;

    const HISTORY: u32 = 100;
    const NOW: Tick = Tick(10_000);

    const ESTABLISHED: u32 = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;
    const CLOSING: u32 = ESTABLISHED | Control::HOST_FIN;
    const CLOSED: u32 = CLOSING | Control::PEER_FIN;
    const HALF_OPEN: u32 = Control::HOST_SYN;
    const OPENING: u32 = 0;

    fn flow(control: u32, offset: u32, idle: u32) -> Record {
        Record {
            identity: pack(offset, 7),
            sent: pack(0, 0),
            received: 0,
            stamps: 0,
            life: pack(control, NOW.0 - idle),
        }
    }

    #[test]
    fn a_flow_that_uses_its_offset_is_never_swept() {
        for control in [ESTABLISHED, CLOSING] {
            for idle in [0, 2 * HISTORY, 9_999] {
                let record = flow(control, 5, idle);
                assert!(!may_be_swept(&record, NOW, HISTORY), "{control:#x} {idle}");
                assert_eq!(life(&record, NOW, HISTORY), Life::Live);
            }
        }
    }

    #[test]
    fn a_timestamp_offset_alone_is_a_translation_too() {
        let mut record = flow(ESTABLISHED, 0, 9_999);
        record.stamps = pack(5, 7);
        assert!(!may_be_swept(&record, NOW, HISTORY));
        assert_eq!(life(&record, NOW, HISTORY), Life::Live);
    }

    #[test]
    fn what_is_over_or_never_came_up_goes_after_twice_the_history() {
        for control in [CLOSED, HALF_OPEN, OPENING] {
            assert!(!may_be_swept(
                &flow(control, 5, 2 * HISTORY - 1),
                NOW,
                HISTORY
            ));
            assert!(may_be_swept(&flow(control, 5, 2 * HISTORY), NOW, HISTORY));
        }
    }

    #[test]
    fn without_an_offset_an_open_flow_goes_too() {
        assert!(may_be_swept(
            &flow(ESTABLISHED, 0, 2 * HISTORY),
            NOW,
            HISTORY
        ));
        assert_eq!(life(&flow(ESTABLISHED, 0, 0), NOW, HISTORY), Life::Over);
    }

    #[test]
    fn closed_flows_are_told_apart_from_live_ones() {
        assert_eq!(life(&flow(HALF_OPEN, 5, 0), NOW, HISTORY), Life::Live);
        assert_eq!(life(&flow(CLOSED, 5, 0), NOW, HISTORY), Life::JustClosed);
        assert_eq!(
            life(&flow(CLOSED, 5, LAST_SEGMENTS), NOW, HISTORY),
            Life::Closed
        );
        assert_eq!(
            life(&flow(CLOSED, 5, 2 * HISTORY), NOW, HISTORY),
            Life::Over
        );
    }

    #[test]
    fn history_is_forgotten_at_its_horizon_whatever_the_state() {
        for control in [ESTABLISHED, CLOSED, OPENING] {
            assert!(!is_forgotten(&flow(control, 0, HISTORY - 1), NOW, HISTORY));
            assert!(is_forgotten(&flow(control, 0, HISTORY), NOW, HISTORY));
        }
    }

    #[test]
    fn a_flow_seen_after_the_clock_was_read_is_young() {
        let mut record = flow(CLOSED, 5, 0);
        record.life = pack(CLOSED, NOW.0 + 1);
        assert!(!may_be_swept(&record, NOW, HISTORY));
    }
}
