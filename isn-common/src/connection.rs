//! The life of an incarnation, as segments that are not SYNs of the host move it on: high-water
//! mark, right edge, closing (RFC 9293 section 3.3.2, seen from the middle).
//!
//! Only plausible segments count (S21): what an off-path forger can send blindly must neither push
//! the marks ahead nor close the flow.

use crate::{
    abi::flow::{Control, Flow, Phase, Record, Word, pack, unpack},
    opening::with_peer_syn,
    segment::Segment,
    tcp::{options::SynOptions, seq::Seq},
    tick::Tick,
};

/// A host may send this much beyond the right edge: one octet of a zero-window probe, and a FIN.
const BEYOND_EDGE: i32 = 2;
/// Before the peer has told its window, a host that was opened to with TCP Fast Open may already
/// send this much: the largest window that a SYN can carry.
const BEFORE_ANSWER: i32 = 65_535;
/// Distance from the peer's last octet within which its resets are believed.
const RESET_SLACK: u32 = 1 << 16;
/// Distance ahead of the peer's last octet within which its segments are believed: losses before
/// the gateway leave gaps.
const GAP: u32 = 1 << 20;
/// An acknowledgment may lie this far behind the high-water mark.
const BEHIND: i32 = 1 << 30;
/// A reset of the host may lie this far behind the high-water mark.
const RESET_BEHIND: i32 = 1 << 23;
/// Ticks between two notes of a flow being alive: half a second, so that a busy flow does not dirty
/// its cache line with every packet.
const TOUCH: u32 = 4;
/// Attempts to write the control word against other CPUs.
const ATTEMPTS: u32 = 4;

/// Takes note of a segment from the host that is not a SYN, where `record` is what was just read of
/// the flow. Says whether its timestamp should be remembered ([`remember_stamp`]): from the host's
/// FIN on, the peer may be in TIME-WAIT.
#[inline(always)]
pub fn outbound<W: Word>(flow: &Flow<W>, record: &Record, segment: &Segment, now: Tick) -> bool {
    let control = record.control();
    let wire = segment.sequence.to_wire(record.offset());
    let end = wire.advanced(segment.sequence_length());
    let ahead = end.distance_from(record.high_water());
    let limit = if control.has(Control::ANSWERED) {
        BEYOND_EDGE
    } else {
        BEFORE_ANSWER
    };
    let advances = ahead > 0 && end.distance_from(record.right_edge()) <= limit;
    if advances {
        advance(flow, record, end);
    }
    let current = advances || ahead <= 0 && !is_before_syn(record, control, wire);
    let mut set = host_closing(segment, current, ahead);
    // A host that acknowledges has had its answer, by whatever way.
    let waiting = !control.has(Control::ANSWERED) && !control.has(Control::PASSIVE);
    if waiting && current && ahead >= 0 && segment.flags.ack() && !segment.flags.rst() {
        set |= Control::ANSWERED;
    }
    // Whoever speaks on has not been reset, whatever a forger sent, or has not meant it.
    let mut clear = 0;
    if !segment.flags.rst() && control.0 & (Control::HOST_RST | Control::PEER_RST) != 0 {
        clear = if advances {
            Control::HOST_RST | Control::PEER_RST
        } else {
            Control::PEER_RST
        };
    }
    believe_acknowledgment(flow, record, control, segment);
    note(flow, record.life, set, clear, now);
    let closing = control.has(Control::HOST_FIN) || set & Control::HOST_FIN != 0;
    closing && current && !segment.flags.rst() && control.has(Control::STAMPED)
}

/// Remembers the TSval of a segment of the incarnation in `record`, as the peer sees it.
#[inline(always)]
pub fn remember_stamp<W: Word>(flow: &Flow<W>, record: &Record, stamp: Seq) {
    let offset = record.timestamp_offset();
    let wire = stamp.to_wire(offset);
    let mut stamps = record.stamps;
    for _ in 0..ATTEMPTS {
        let (by, latest) = unpack(stamps);
        let done = by != offset.0 || !Seq(latest).precedes(wire);
        if done || flow.stamps.compare_exchange(stamps, pack(by, wire.0)) {
            return;
        }
        stamps = flow.stamps.load();
    }
}

/// Moves the high-water mark of the incarnation in `record` on to `end`. Other CPUs may be moving
/// it as well: it never goes back, or S21 would keep it there.
#[inline(always)]
pub fn advance<W: Word>(flow: &Flow<W>, record: &Record, end: Seq) {
    let mut sent = record.sent;
    for _ in 0..ATTEMPTS {
        let (mark, opened) = unpack(sent);
        let done = opened != record.opened().0 || !Seq(mark).precedes(end);
        if done || flow.sent.compare_exchange(sent, pack(end.0, opened)) {
            return;
        }
        sent = flow.sent.load();
    }
}

/// A FIN ends at the last octet, or at what is just sent. A reset stands there as well, or at an
/// acknowledgment of the peer, at most a window behind.
#[inline(always)]
const fn host_closing(segment: &Segment, current: bool, ahead: i32) -> u32 {
    if current && segment.flags.rst() && ahead > -RESET_BEHIND {
        Control::HOST_RST
    } else if current && segment.flags.fin() && !segment.flags.rst() && ahead >= 0 {
        Control::HOST_FIN
    } else {
        0
    }
}

/// The host has received what it acknowledges. Where the gateway has missed part of that, the peer
/// stands further than was seen.
#[inline(always)]
fn believe_acknowledgment<W: Word>(
    flow: &Flow<W>,
    record: &Record,
    control: Control,
    segment: &Segment,
) {
    let ahead = segment.acknowledgment.distance_from(record.peer_next());
    if segment.flags.ack()
        && control.has(Control::ANSWERED | Control::PEER_SEEN)
        && ahead > 0
        && ahead < BEHIND
    {
        let received = pack(record.right_edge().0, segment.acknowledgment.0);
        let _ = flow.received.compare_exchange(record.received, received);
    }
}

/// In a half-open flow, a number below the ISN belongs to the previous incarnation: the reset with
/// which a host answers the acknowledgment of a peer in TIME-WAIT.
const fn is_before_syn(record: &Record, control: Control, wire: Seq) -> bool {
    !control.has(Control::ANSWERED) && wire.precedes(record.wire_isn())
}

/// Takes note of a segment from the peer, where `record` is what was just read of the flow. The acknowledgment is the wire's, as it
/// came.
#[inline(always)]
pub fn inbound<W: Word>(flow: &Flow<W>, record: &Record, segment: &Segment, now: Tick) {
    let control = record.control();
    let phase = control.phase();
    let acknowledged = segment.flags.ack() && acknowledges(record, phase, segment);
    let mut set = Control::PEER_SEEN;
    if acknowledged && phase == Phase::HalfOpen && !segment.flags.rst() {
        set |= Control::ANSWERED;
    }
    let right_edge = right_edge(record, control, segment, acknowledged);
    let (peer_next, near) = peer_next(record, control, phase, segment, acknowledged);
    receive(flow, record.received, right_edge, peer_next);
    if near && segment.flags.rst() {
        set |= Control::PEER_RST;
    } else if near && segment.flags.fin() {
        set |= Control::PEER_FIN;
    }
    // Nobody sends on behind a FIN: what came before was not the peer's.
    let mut clear = 0;
    if control.has(Control::PEER_FIN) && !segment.flags.fin() && peer_next != record.peer_next() {
        clear = Control::PEER_FIN;
    }
    note(flow, record.life, set, clear, now);
}

/// Moves the right edge and the peer's next number from those in `before`. Where another CPU has
/// moved them in the meantime, each becomes the later of the two, or they could go back and S21
/// would keep them there.
#[inline(always)]
fn receive<W: Word>(flow: &Flow<W>, before: u64, right_edge: Seq, peer_next: Seq) {
    // The peer's SYN sets its number, whatever was known from the incarnation before.
    let sets = peer_next.precedes(Seq(unpack(before).1));
    let mut wanted = pack(right_edge.0, peer_next.0);
    let mut received = before;
    for _ in 0..ATTEMPTS {
        if wanted == received || flow.received.compare_exchange(received, wanted) {
            return;
        }
        received = flow.received.load();
        let (edge, next) = unpack(received);
        let next = if sets {
            peer_next
        } else {
            Seq(next).or_later(peer_next)
        };
        wanted = pack(Seq(edge).or_later(right_edge).0, next.0);
    }
}

/// Whether the acknowledgment is of something that the host sent in this incarnation.
#[inline(always)]
const fn acknowledges(record: &Record, phase: Phase, segment: &Segment) -> bool {
    let behind = record.high_water().distance_from(segment.acknowledgment);
    match phase {
        Phase::Opening => false,
        Phase::HalfOpen => behind >= 0 && record.wire_isn().precedes(segment.acknowledgment),
        Phase::Established | Phase::Closing | Phase::Closed => behind >= 0 && behind < BEHIND,
    }
}

#[inline(always)]
fn right_edge(record: &Record, control: Control, segment: &Segment, acknowledged: bool) -> Seq {
    if !acknowledged || segment.flags.rst() {
        return record.right_edge();
    }
    // The window of a segment with SYN is never scaled (RFC 7323 section 2.2).
    let shift = if segment.flags.syn() {
        0
    } else {
        control.peer_shift()
    };
    let window = u32::from(segment.window).wrapping_shl(shift);
    record
        .right_edge()
        .or_later(segment.acknowledgment.advanced(window))
}

/// The number behind the peer's last octet, and whether the segment lies close enough to it to be
/// believed when it closes the flow.
#[inline(always)]
const fn peer_next(
    record: &Record,
    control: Control,
    phase: Phase,
    segment: &Segment,
    acknowledged: bool,
) -> (Seq, bool) {
    let end = segment.sequence.advanced(segment.sequence_length());
    let known = record.peer_next();
    if segment.flags.rst() {
        let by_number = control.has(Control::PEER_SEEN)
            && segment.sequence.beyond(known).wrapping_add(RESET_SLACK) <= 2 * RESET_SLACK;
        // A SYN is refused by a reset that acknowledges it, whatever its own number
        // (RFC 9293 section 3.10.7.3).
        let believed = match phase {
            Phase::HalfOpen => acknowledged || control.has(Control::PASSIVE) && by_number,
            Phase::Opening | Phase::Established | Phase::Closing | Phase::Closed => by_number,
        };
        return (known, believed);
    }
    let answers = acknowledged && matches!(phase, Phase::HalfOpen);
    if answers && segment.flags.syn() || !control.has(Control::PEER_SEEN) {
        return (end, answers);
    }
    let near = end.beyond(known).wrapping_add(GAP) <= 2 * GAP;
    (if near { known.or_later(end) } else { known }, near)
}

/// Takes note of what a SYN or SYN-ACK of the peer settles for the windows to come.
///
/// On a flow that is open it settles nothing (S6).
#[inline(always)]
pub fn peer_syn<W: Word>(flow: &Flow<W>, segment: &Segment, options: &SynOptions, now: Tick) {
    let life = flow.life.load();
    let (bits, _) = unpack(life);
    let control = Control(bits);
    let settles = match control.phase() {
        Phase::Opening | Phase::HalfOpen => true,
        Phase::Closed => !segment.flags.ack(),
        Phase::Established | Phase::Closing => false,
    };
    if settles {
        let next = segment.sequence.advanced(segment.sequence_length());
        let received = flow.received.load();
        receive(flow, received, Seq(unpack(received).0), next);
        let _ = flow
            .life
            .compare_exchange(life, pack(with_peer_syn(control, options).0, now.0));
    }
}

/// Adds bits to an entry, and a tick if it is later: what was noted in another entry of the flow.
#[inline(always)]
pub fn take_over<W: Word>(flow: &Flow<W>, set: u32, seen: u32) {
    let life = flow.life.load();
    let now = if Tick(seen).since(Tick(unpack(life).1)) == 0 {
        unpack(life).1
    } else {
        seen
    };
    note(flow, life, set, 0, Tick(now));
}

/// Sets and clears control bits, and the tick if the last note is old enough. When another CPU
/// writes at the same time, bits are tried again; a mere tick is not worth it.
#[inline(always)]
fn note<W: Word>(flow: &Flow<W>, life: u64, set: u32, clear: u32, now: Tick) {
    let mut life = life;
    for _ in 0..ATTEMPTS {
        let (bits, seen) = unpack(life);
        let wanted = bits & !clear | set;
        if wanted == bits && now.since(Tick(seen)) < TOUCH {
            return;
        }
        if flow.life.compare_exchange(life, pack(wanted, now.0)) || wanted == bits {
            return;
        }
        life = flow.life.load();
    }
}
