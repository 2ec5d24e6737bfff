//! Segments of known flows, and SYNs of the peer: noted, translated, and compared with what left (S9, S14, S15).

use super::{
    Direction, Flow, Judgement, Key, Model, Translation,
    flow::Table,
    guard::{are_odd, is_keyed, mode_of_syn},
    host,
    judge::{Judged, Sight, unmoved},
    judgement::Reasons,
    late, peer,
    segment::Segment,
    storm,
};

const LATE_UNMOVED: Reasons = &[
    "pass_offset_zero",
    "pass_nothing_to_translate",
    "packets_translated_out",
];
/// The flow is followed from the next packet on.
const NEW_ENTRY: Reasons = &["pass_no_flow"];
const PEER_UNGUARDED: Reasons = &["pass_no_flow", "pass_not_guarded"];
const PEER_ODD: Reasons = &["pass_odd_address", "pass_no_flow", "pass_not_guarded"];

impl Model {
    pub(super) fn host_segment(&mut self, sight: &Sight, segment: &Segment) -> Judged {
        let placing = self.placing(&segment.key, sight);
        let Some(flow) = self.flows.get_mut(&segment.key) else {
            return self.unknown(sight, segment, Direction::Outbound);
        };
        if host::is_closed_port(flow, segment) {
            let rule = "S9: a reset with number 0 that stands for none stays";
            return sight.unchanged(&["pass_closed_port"], rule);
        }
        if let Some(previous) = late::translation(flow, segment, sight.now) {
            let rule = "S14: a late segment takes the translation of its incarnation";
            let mut judged = self.translated_out(sight, segment, previous, LATE_UNMOVED, rule)?;
            judged.event("previous_incarnation", 1);
            return Ok(judged);
        }
        let stamp = segment.options(sight.frame).stamp();
        host::follow(flow, segment, stamp, sight.now);
        let completed = placing.complete(flow, segment, segment.flags.ack());
        let translation = flow.translation;
        let rule = "S9, S10: the host's number is translated, and nothing else changes";
        let mut judged =
            self.translated_out(sight, segment, translation, unmoved(translation), rule)?;
        note_completed(&mut judged, completed);
        Ok(noting_signature(judged, sight, segment, translation))
    }

    pub(super) fn peer_segment(&mut self, sight: &Sight, segment: &Segment) -> Judged {
        let opens = segment.flags.opens();
        let placing = self.placing(&segment.key, sight);
        let Some(flow) = self.flows.get_mut(&segment.key) else {
            return if opens && !segment.flags.ack() {
                self.first_peer_syn(sight, segment)
            } else {
                self.unknown(sight, segment, Direction::Inbound)
            };
        };
        if opens {
            peer::note_syn(flow, segment, &segment.options(sight.frame), sight.now);
        }
        peer::follow(flow, segment, sight.now);
        let completed = placing.complete(flow, segment, flow.marks.passive);
        let translation = flow.translation;
        let rule = "S9, S10: the peer's acknowledgments are translated, and nothing else changes";
        let mut judged =
            self.translated_in(sight, segment, translation, unmoved(translation), rule)?;
        note_completed(&mut judged, completed);
        let flags = segment.flags;
        if !flags.ack() || (flags.rst() && segment.acknowledgment == 0) {
            return Ok(judged);
        }
        Ok(noting_signature(judged, sight, segment, translation))
    }

    /// A SYN of the peer on a flow of which nothing is known.
    fn first_peer_syn(&mut self, sight: &Sight, segment: &Segment) -> Judged {
        let key = segment.key;
        let mode = mode_of_syn(&self.given.guards, &key, key.host_port);
        let rule = "S1: a SYN of the peer passes untouched";
        if are_odd(&key) {
            return sight.unchanged(PEER_ODD, rule);
        }
        if mode.is_none() {
            return sight.unchanged(PEER_UNGUARDED, rule);
        }
        let mut flow = Flow::default();
        peer::note_syn(&mut flow, segment, &segment.options(sight.frame), sight.now);
        peer::follow(&mut flow, segment, sight.now);
        self.flows.insert(key, flow);
        let mut judged = sight.unchanged(NEW_ENTRY, rule)?;
        judged.event("half_open_inserted", 1);
        Ok(judged)
    }

    /// A segment of a flow of which nothing is known.
    fn unknown(&mut self, sight: &Sight, segment: &Segment, direction: Direction) -> Judged {
        let key = segment.key;
        if storm::is_pure(segment) {
            // Either port may be the service's.
            let mut services = [key.peer_port, key.host_port].into_iter();
            let guarded =
                services.any(|port| mode_of_syn(&self.given.guards, &key, port).is_some());
            let storm = self.storms.entry(key).or_default();
            if storm.goes_on(direction, segment, sight.now) && guarded {
                let rule = "acknowledgments that go round in circles are interrupted";
                return sight.dropped("dropped_ack_storm", rule);
            }
        }
        if is_keyed(&self.given.guards, &key) {
            return self.recomputed(sight, segment, direction);
        }
        sight.unchanged(&["pass_no_flow"], "S15: an unknown flow passes")
    }

    fn placing(&self, key: &Key, sight: &Sight) -> Placing {
        Placing {
            adopting: self.given.keyed.is_adopting(sight.now),
            generation: self.given.keyed.mark(),
            room: !self.is_full(key),
        }
    }
}

/// What decides where a flow lies whose handshake is complete.
struct Placing {
    adopting: bool,
    generation: u8,
    room: bool,
}

impl Placing {
    /// Puts a flow whose handshake this segment has completed in its place; whether it did.
    fn complete(&self, flow: &mut Flow, segment: &Segment, confirms: bool) -> bool {
        let flags = segment.flags;
        let done = flow.table == Table::HalfOpen
            && flow.marks.host_syn
            && flow.marks.answered
            && confirms
            && !flags.rst()
            && !flags.syn_bit();
        if done {
            flow.table = if flow.own || (self.must_know(flow) && self.room) {
                Table::Translated
            } else {
                Table::History
            };
        }
        done
    }

    /// Whether the key would be asked in vain, or not at all, if the entry were lost.
    fn must_know(&self, flow: &Flow) -> bool {
        let of_key = |generation| self.adopting || generation != self.generation;
        flow.keyed.is_some_and(of_key)
    }
}

/// Counts a handshake that was completed. Whether a leftover made way in the history is not said.
fn note_completed(judged: &mut Judgement, completed: bool) {
    judged.event("promoted", completed.into());
    if completed {
        judged.open = &["history_inserted"];
    }
}

/// S7: a signature that no SYN has announced is broken by the translation, and counted.
pub(super) fn noting_signature(
    mut judged: Judgement,
    sight: &Sight,
    segment: &Segment,
    translation: Translation,
) -> Judgement {
    let broken = !translation.is_none() && segment.options(sight.frame).signed();
    judged.event("signed_translated", u64::from(broken));
    judged
}
