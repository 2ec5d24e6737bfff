//! Acknowledgments that go round in circles: the same two, by turns, faster than anything but each other makes them.

use std::time::Duration;

use super::{Direction, segment::Segment};

/// So many turns are a loop.
const LOOP: u32 = 32;
/// Thirty ticks of 2^27 ns.
const WINDOW: Duration = Duration::from_nanos(30 << 27);

/// The pure acknowledgments of a flow that is not known.
#[derive(Clone, Debug, Default)]
pub struct Storm {
    /// The last of each side: sequence number and acknowledgment.
    last: [Option<(u32, u32)>; 2],
    turn: Option<Turn>,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    whose: Direction,
    turns: u32,
    since: Duration,
}

/// Acknowledges, and does nothing else.
#[must_use]
pub fn is_pure(segment: &Segment) -> bool {
    segment.flags.ack() && !segment.flags.rst() && segment.length() == 0
}

impl Storm {
    /// Takes note of a pure acknowledgment; whether it is one of a loop.
    pub fn goes_on(&mut self, direction: Direction, segment: &Segment, now: Duration) -> bool {
        let numbers = Some((segment.sequence, segment.acknowledgment));
        let last = &mut self.last[direction as usize];
        let begin = Turn {
            whose: direction,
            turns: 0,
            since: now,
        };
        let again = *last == numbers;
        *last = numbers;
        let turn = match self.turn {
            Some(turn) if again && turn.whose == direction => return false,
            Some(turn) if again && now.saturating_sub(turn.since) <= WINDOW => Turn {
                whose: direction,
                turns: turn.turns + 1,
                ..turn
            },
            _ => begin,
        };
        self.turn = Some(turn);
        turn.turns >= LOOP
    }
}
