//! What SYNs and segments of the peer do to a flow (S21).

use std::time::Duration;

use super::{
    flow::{Flow, Phase},
    options::Options,
    segment::Segment,
    sequence::{ahead, later},
};

const WINDOW_REACH: i64 = 1 << 30;
const RESET_REACH: i64 = 1 << 16;
const SEGMENT_REACH: i64 = 1 << 20;

/// Takes note of a SYN or SYN-ACK, before it is followed like any other segment.
pub fn note_syn(flow: &mut Flow, segment: &Segment, options: &Options, now: Duration) {
    let concerns = match flow.phase() {
        Phase::Opening | Phase::HalfOpen => true,
        Phase::Closed => !segment.flags.ack(),
        Phase::Closing | Phase::Established => false,
    };
    if !concerns {
        return;
    }
    flow.peer_next = end(segment);
    flow.marks.peer_scale = options.clone().window_scale();
    flow.marks.peer_signs = options.clone().signed();
    flow.marks.peer_seen = true;
    flow.last_packet = now;
}

/// Takes note of any segment.
pub fn follow(flow: &mut Flow, segment: &Segment, now: Duration) {
    let flags = segment.flags;
    let phase = flow.phase();
    let acknowledges = acknowledges(flow, segment);
    let seen_before = flow.marks.peer_seen;

    flow.last_packet = now;
    flow.marks.peer_seen = true;
    if flags.rst() {
        flow.marks.peer_rst |= believed(flow, segment, acknowledges, seen_before);
        return;
    }
    if acknowledges {
        flow.marks.answered |= phase == Phase::HalfOpen;
        let edge = segment.acknowledgment.wrapping_add(window(flow, segment));
        flow.edge = later(flow.edge, edge);
    }
    let answers = phase == Phase::HalfOpen && acknowledges;
    follow_numbers(flow, segment, answers, seen_before);
}

fn acknowledges(flow: &Flow, segment: &Segment) -> bool {
    let acknowledgment = segment.acknowledgment;
    let below = ahead(flow.high, acknowledgment);
    let plausible = match flow.phase() {
        Phase::Opening => false,
        Phase::HalfOpen => below >= 0 && ahead(acknowledgment, flow.wire_isn()) > 0,
        Phase::Closed | Phase::Closing | Phase::Established => (0..WINDOW_REACH).contains(&below),
    };
    segment.flags.ack() && plausible
}

fn window(flow: &Flow, segment: &Segment) -> u32 {
    let shift = match flow.marks.peer_scale {
        Some(shift) if flow.marks.host_scales && !segment.flags.syn_bit() => shift,
        _ => 0,
    };
    u32::from(segment.window) << shift
}

fn believed(flow: &Flow, segment: &Segment, acknowledges: bool, seen_before: bool) -> bool {
    let distance = ahead(segment.sequence, flow.peer_next).abs();
    let fits = seen_before && distance <= RESET_REACH;
    match flow.phase() {
        Phase::HalfOpen => acknowledges || (flow.marks.passive && fits),
        Phase::Opening | Phase::Closed | Phase::Closing | Phase::Established => fits,
    }
}

fn follow_numbers(flow: &mut Flow, segment: &Segment, answers: bool, seen_before: bool) {
    let end = end(segment);
    let before = flow.peer_next;
    if !seen_before || (answers && segment.flags.syn_bit()) {
        flow.peer_next = end;
    }
    let forward = ahead(end, flow.peer_next);
    let near = if seen_before {
        forward.abs() <= SEGMENT_REACH
    } else {
        answers
    };
    if near && forward > 0 {
        flow.peer_next = end;
    }
    let fin = segment.flags.fin();
    if near && fin {
        flow.marks.peer_fin = true;
    }
    if !fin && flow.peer_next != before {
        flow.marks.peer_fin = false;
    }
}

fn end(segment: &Segment) -> u32 {
    segment.sequence.wrapping_add(segment.length())
}
