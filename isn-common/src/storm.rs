//! Acknowledgments that go round in circles (S17 in spirit; RFC 9293 section 3.10.7.4, RFC 5961 section 7).
//!
//! Where the offset of a connection is lost while both ends live, each end finds the other's numbers unacceptable and
//! answers every acknowledgment by one of its own, as the standard says, without end and as fast as the wire allows. Such a
//! loop is told by the same two pure acknowledgments taking turns; one of them missing ends it. Neither duplicate
//! acknowledgments of one side (RFC 5681) nor probes of idle connections, which are seconds apart, look like it.

use crate::{
    abi::flow::{Word, pack, unpack},
    flow::{Direction, FlowKey},
    segment::Segment,
    tick::Tick,
};

/// The last pure acknowledgment of each side, and how long they have been taking turns; for whatever flow has used the cell
/// last.
#[repr(C)]
pub struct Cell<W> {
    /// Fingerprints: the host's in the low half, the peer's in the other.
    pub acknowledgments: W,
    /// Turns twice over, plus 1 if the last one was the peer's; and the tick of the first.
    pub turns: W,
}

/// So many turns within [`WINDOW`] are a loop.
const LOOP: u32 = 32;
/// Four seconds, in ticks: keepalive and window probes take turns too, but not eight times a second.
const WINDOW: u32 = 30;

/// Whether a segment acknowledges and does nothing else.
#[must_use]
#[inline(always)]
pub const fn is_pure_acknowledgment(segment: &Segment) -> bool {
    let flags = segment.flags;
    flags.ack() && !flags.rst() && segment.sequence_length() == 0
}

/// Where the flow's cell lies among `cells`, a power of two, and the fingerprint of the acknowledgment.
#[must_use]
#[inline(always)]
pub fn place<K: FlowKey>(key: &K, segment: &Segment, cells: u32) -> (u32, u32) {
    let flow = key.fold();
    let numbers =
        segment.sequence.0.wrapping_mul(0x9e37_79b1) ^ segment.acknowledgment.0.rotate_left(15);
    (flow & cells.wrapping_sub(1), flow ^ numbers)
}

/// Takes note of a pure acknowledgment; whether it is one of a loop.
#[inline(always)]
pub fn is_loop<W: Word>(cell: &Cell<W>, direction: Direction, fingerprint: u32, now: Tick) -> bool {
    let side = direction as u32;
    let (host, peer) = unpack(cell.acknowledgments.load());
    let (known, updated) = match direction {
        Direction::Outbound => (host, pack(fingerprint, peer)),
        Direction::Inbound => (peer, pack(host, fingerprint)),
    };
    if known != fingerprint {
        cell.acknowledgments.store(updated);
        cell.turns.store(pack(side, now.0));
        return false;
    }
    let (state, since) = unpack(cell.turns.load());
    if state & 1 == side {
        return false;
    }
    if now.since(Tick(since)) > WINDOW {
        cell.turns.store(pack(side, now.0));
        return false;
    }
    let turns = (state >> 1).saturating_add(1);
    cell.turns.store(pack(turns << 1 | side, since));
    turns >= LOOP
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicU64;

    use Direction::{Inbound, Outbound};

    use super::*;

    fn cell() -> Cell<AtomicU64> {
        Cell {
            acknowledgments: AtomicU64::new(0),
            turns: AtomicU64::new(0),
        }
    }

    /// The number of the first acknowledgment that is found to be one of a loop, of 1000.
    fn first_of_loop(mut next: impl FnMut(u32) -> (Direction, u32, u32)) -> Option<u32> {
        let cell = cell();
        (0..1000).find(|nth| {
            let (direction, fingerprint, tick) = next(*nth);
            is_loop(&cell, direction, fingerprint, Tick(tick))
        })
    }

    fn by_turns(nth: u32) -> Direction {
        if nth.is_multiple_of(2) {
            Outbound
        } else {
            Inbound
        }
    }

    #[test]
    fn two_acknowledgments_that_take_turns_are_a_loop_after_a_while() {
        assert_eq!(
            first_of_loop(|nth| (by_turns(nth), 100 + nth % 2, 5)),
            Some(33)
        );
    }

    #[test]
    fn duplicates_of_one_side_are_none() {
        assert_eq!(first_of_loop(|_| (Inbound, 7, 5)), None);
        // Nor are they beside acknowledgments of the other side that move on.
        let mixed = |nth: u32| {
            (
                by_turns(nth),
                if nth.is_multiple_of(2) { nth } else { 7 },
                5,
            )
        };
        assert_eq!(first_of_loop(mixed), None);
    }

    #[test]
    fn probes_of_an_idle_connection_are_none() {
        // Each half second one and its answer.
        assert_eq!(
            first_of_loop(|nth| (by_turns(nth), 100 + nth % 2, nth / 2 * 4)),
            None
        );
    }

    #[test]
    fn a_loop_that_goes_on_is_found_again_after_each_window() {
        let cell = cell();
        let found = (0..10_000u32)
            .filter(|nth| is_loop(&cell, by_turns(*nth), 100 + nth % 2, Tick(nth / 100)))
            .count();
        assert!(found > 5_000, "{found}");
    }
}
