//! Segments of the previous incarnation that arrive after the new SYN (S14).
//!
//! With the new offset such a segment could fall into the new connection's window and be taken for
//! its data. With its own it lies below, where the peer discards it. Nothing marks it as late: it is
//! told by its numbers, and in doubt it belongs to the incarnation that lives.

use crate::{
    abi::flow::{Control, Previous, Record, pack, unpack},
    flow::Address,
    segment::Segment,
    tcp::{flags::Flags, seq::Seq},
    tick::Tick,
    translate::Translation,
    world::Tables,
};

/// A segment may be this late: the maximum segment lifetime, two minutes (RFC 9293 section 3.4.2).
const LIFETIME: u32 = Tick::in_seconds(120);
/// Late segments lie at most this far behind the last octet, and acknowledgments of the living
/// incarnation at most this far behind the peer's: far more than a window in use.
const SPAN: u32 = 1 << 26;
/// The largest window that a SYN can carry.
const UNSCALED_WINDOW: u32 = 65_535;
/// The host may acknowledge this much that passed the gateway unseen.
const UNSEEN: u32 = 1 << 23;

/// What a segment shows by which its incarnation is told, as two words that a BPF function can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Sequence number as the host sent it.
    pub sequence: Seq,
    /// Acknowledgment, a number of the peer.
    pub acknowledgment: Seq,
    /// Sequence numbers that the segment occupies.
    pub length: u32,
    /// Control bits.
    pub flags: Flags,
}

impl Numbers {
    /// The numbers of a segment.
    #[must_use]
    pub const fn of(segment: &Segment) -> Self {
        Self {
            sequence: segment.sequence,
            acknowledgment: segment.acknowledgment,
            length: segment.sequence_length(),
            flags: segment.flags,
        }
    }

    /// As two words, and back.
    #[must_use]
    pub const fn to_words(self) -> [u64; 2] {
        [
            pack(self.sequence.0, self.acknowledgment.0),
            pack(self.length, self.flags.0 as u32),
        ]
    }

    /// The inverse of [`Numbers::to_words`].
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "it was 8 bits")]
    pub const fn from_words(words: [u64; 2]) -> Self {
        let (sequence, acknowledgment) = unpack(words[0]);
        let (length, flags) = unpack(words[1]);
        Self {
            sequence: Seq(sequence),
            acknowledgment: Seq(acknowledgment),
            length,
            flags: Flags(flags as u8),
        }
    }
}

/// What to do to a segment of a translated flow, from the host and not a SYN: the previous
/// incarnation's translation if the segment is one of it, and otherwise `None`.
#[inline(always)]
pub fn late_translation<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    segment: &Numbers,
) -> Option<Translation> {
    let (_, record) = world.known(key)?;
    let previous = world.previous(key)?;
    translation_of(&record, &previous, segment, world.now())
}

/// [`late_translation`] of a record and the incarnation before it.
#[must_use]
#[inline(always)]
pub fn translation_of(
    record: &Record,
    previous: &Previous,
    segment: &Numbers,
    now: Tick,
) -> Option<Translation> {
    let by = previous.translation();
    let recent = now.since(Tick(previous.ended)) <= LIFETIME;
    let end = segment
        .sequence
        .to_wire(by.sequence)
        .advanced(segment.length);
    let fits = is_at_or_behind(end, Seq(previous.high_water), SPAN);
    (recent && fits && !is_of_living(record, previous, segment)).then_some(by)
}

/// Whether the segment is of the incarnation that lives, as far as its numbers tell.
fn is_of_living(record: &Record, previous: &Previous, segment: &Numbers) -> bool {
    let control = record.control();
    let wire = segment.sequence.to_wire(record.offset());
    let answers = segment.flags.rst() && !segment.flags.ack();
    if answers && is_at_or_behind(wire, Seq(previous.high_water), SPAN) {
        // The peer still holds the old connection and has acknowledged it in answer to the new SYN.
        // The host resets exactly the number it was told, which came to it by the new offset.
        return true;
    }
    if was_sent(record, segment.sequence) {
        return true;
    }
    if !record.high_water().precedes(wire) {
        return false;
    }
    // The right edge does not help: seen from two CPUs it may lag behind what the host knows.
    // It would leave a gap, as a lost segment does, and as an old one may. A host
    // that waits for the answer to its SYN has sent nothing; one that has answered a SYN may have,
    // with TCP Fast Open.
    if control.has(Control::ANSWERED) {
        segment.flags.ack() && is_near(segment.acknowledgment, record.peer_next())
    } else {
        let ahead = wire.advanced(segment.length).beyond(record.high_water());
        control.has(Control::PASSIVE) && ahead <= UNSCALED_WINDOW
    }
}

/// Whether a host's number is what the incarnation that lives sends next, or what it has sent already. A segment that begins with it and is no reset is not
/// late, whatever else it shows.
#[must_use]
#[inline(always)]
pub const fn was_sent(record: &Record, number: Seq) -> bool {
    let sent = record.high_water().beyond(record.wire_isn());
    let limit = if sent < SPAN { sent } else { SPAN };
    let wire = number.to_wire(record.offset());
    is_at_or_behind(wire, record.high_water(), limit)
}

/// Whether a host may acknowledge `number` when the peer was last seen at `peer_next`, of whose
/// segments some may have passed unseen.
const fn is_near(number: Seq, peer_next: Seq) -> bool {
    is_at_or_behind(number, peer_next.advanced(UNSEEN), SPAN + UNSEEN)
}

/// Whether `number` is `mark` or lies behind it by at most `span`.
const fn is_at_or_behind(number: Seq, mark: Seq, span: u32) -> bool {
    mark.beyond(number) <= span
}
