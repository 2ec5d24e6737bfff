//! What a segment of the host does to its flow (S9, S21).

use std::time::Duration;

use super::{flow::Flow, segment::Segment, sequence::ahead};

/// One octet of a zero-window probe, and a FIN.
const BEYOND_EDGE: i64 = 2;
/// TCP Fast Open with an answer to come.
const BEYOND_EDGE_UNANSWERED: i64 = 65_535;
const RESET_REACH: i64 = 1 << 23;
const PEER_REACH: i64 = 1 << 30;

/// Whether this answers for a closed port: its number 0 stands for none.
#[must_use]
pub fn is_closed_port(flow: &Flow, segment: &Segment) -> bool {
    let answer = segment.sequence == 0 && segment.flags.rst() && segment.flags.ack();
    let closed = flow.phase() == super::Phase::Closed;
    answer && !flow.translation.is_none() && (closed || flow.translation.sequence != flow.high)
}

/// Takes note of a segment of the living incarnation, with its `TSval` as it came.
pub fn follow(flow: &mut Flow, segment: &Segment, stamp: Option<u32>, now: Duration) {
    let flags = segment.flags;
    let wire = segment.sequence.wrapping_add(flow.translation.sequence);
    let end = wire.wrapping_add(segment.length());
    let forward = ahead(end, flow.high);
    let beyond = ahead(end, flow.edge);
    let before = flow.marks;

    let room = if before.answered {
        BEYOND_EDGE
    } else {
        BEYOND_EDGE_UNANSWERED
    };
    let advances = forward > 0 && beyond <= room;
    let before_isn = !before.answered && ahead(wire, flow.wire_isn()) < 0;
    let current = advances || (forward <= 0 && !before_isn);

    if advances {
        flow.high = end;
    }
    if flags.rst() {
        flow.marks.host_rst |= current && forward > -RESET_REACH;
    } else {
        flow.marks.host_fin |= current && flags.fin() && forward >= 0;
        flow.marks.answered |= current && flags.ack() && forward >= 0 && !before.passive;
        flow.marks.peer_rst = false;
        flow.marks.host_rst &= !advances;
    }
    if flags.ack() && before.answered && before.peer_seen {
        let moves = ahead(segment.acknowledgment, flow.peer_next);
        if moves > 0 && moves < PEER_REACH {
            flow.peer_next = segment.acknowledgment;
        }
    }
    // Without a timestamp on the SYN, none counts.
    if flow.latest_stamp.is_some() && flow.marks.host_fin && current && !flags.rst() {
        note_stamp(flow, stamp);
    }
    flow.last_packet = now;
}

/// Takes note of a `TSval`, as it came, that the peer may have taken note of.
pub fn note_stamp(flow: &mut Flow, stamp: Option<u32>) {
    let Some(stamp) = stamp else { return };
    let wire = stamp.wrapping_add(flow.translation.stamp);
    let latest = flow.latest_stamp.get_or_insert(wire);
    if ahead(wire, *latest) > 0 {
        *latest = wire;
    }
}
