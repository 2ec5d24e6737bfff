//! Which segments of the host belong to the incarnation before (S14).

use std::time::Duration;

use super::{
    flow::{Flow, Translation},
    segment::Segment,
    sequence::ahead,
};

/// RFC 9293's maximum segment lifetime.
const LIFETIME: Duration = Duration::from_mins(2);
const REACH: i64 = 1 << 26;
const PEER_REACH: i64 = 1 << 23;
const OPENING_REACH: u32 = 65_535;

/// The translation of the incarnation before, if the segment is one of its.
#[must_use]
pub fn translation(flow: &Flow, segment: &Segment, now: Duration) -> Option<Translation> {
    let previous = flow.previous?;
    if now.saturating_sub(previous.since) > LIFETIME {
        return None;
    }
    let old = segment
        .sequence
        .wrapping_add(previous.translation.sequence)
        .wrapping_add(segment.length());
    let fits = within(previous.high, old, REACH);
    (fits && !is_living(flow, segment, previous.high)).then_some(previous.translation)
}

/// Whether `number` lies at the mark or up to `reach` below it.
fn within(mark: u32, number: u32, reach: i64) -> bool {
    (0..=reach).contains(&ahead(mark, number))
}

fn is_living(flow: &Flow, segment: &Segment, previous_high: u32) -> bool {
    let flags = segment.flags;
    let wire = segment.sequence.wrapping_add(flow.translation.sequence);
    if flags.rst() && !flags.ack() && within(previous_high, wire, REACH) {
        return true;
    }
    let sent = i64::from(flow.high.wrapping_sub(flow.wire_isn()));
    if within(flow.high, wire, sent.min(REACH)) {
        return true;
    }
    if ahead(wire, flow.high) <= 0 {
        return false;
    }
    if flow.marks.answered {
        let acknowledged = ahead(segment.acknowledgment, flow.peer_next);
        flags.ack() && (-REACH..=PEER_REACH).contains(&acknowledged)
    } else {
        let end = wire.wrapping_add(segment.length());
        // It lies ahead, if only by the signed distance that its beginning has.
        flow.marks.passive && end.wrapping_sub(flow.high) <= OPENING_REACH
    }
}
