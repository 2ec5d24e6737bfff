//! Writing other numbers into a segment, with its checksum (S9 to S11; timestamps by RFC 7323).
//!
//! Everything that will be written is found before anything is written. Where a write fails all the
//! same, the caller must drop the packet: it may be half translated.

use crate::{
    checksum::Change,
    headers::tcp::{ACKNOWLEDGMENT, SEQUENCE},
    packet::Packet,
    segment::Segment,
    tcp::{
        options::Layout,
        sack::{self, Moved},
        seq::Offset,
        timestamps::{Field, Move},
    },
};

/// What lies between the numbers of a host and those on the wire, for an incarnation's whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Translation {
    /// Of sequence numbers, their acknowledgments, and SACK edges.
    pub sequence: Offset,
    /// Of the host's timestamps and their echoes.
    pub timestamp: Offset,
}

impl Translation {
    /// Everything stays as it is.
    pub const NONE: Self = Self {
        sequence: Offset(0),
        timestamp: Offset(0),
    };

    /// Whether everything stays as it is.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.sequence.0 == 0 && self.timestamp.0 == 0
    }
}

/// Host to peer: the sequence number and TSval. `None` if the segment's options are out of reach or
/// it could not be written.
#[inline(always)]
pub fn outbound<P: Packet>(packet: &mut P, segment: &Segment, by: Translation) -> Option<()> {
    let wire = segment.sequence.to_wire(by.sequence);
    let mut change = Change::NONE.with_word(segment.sequence.0, wire.0);
    if by.timestamp.0 != 0 {
        packet.load::<1>(segment.payload_at.wrapping_sub(1))?;
        let to = Move {
            tcp: segment.at,
            field: Field::Value,
            by: by.timestamp,
        };
        change = change.with(packet.shift_stamps(segment.options_at(), segment.payload_at, to)?);
    }
    packet.put_number(segment.at, SEQUENCE, wire, change)
}

/// Peer to host: the acknowledgment, every SACK edge, and TSecr. Gives the number of edges; `None`
/// if the segment's options are out of reach or it could not be written. The segment must have ACK
/// set.
#[inline(always)]
pub fn inbound<P: Packet>(
    packet: &mut P,
    segment: &Segment,
    by: Translation,
    layout: Layout,
) -> Option<u32> {
    let (start, end) = (segment.options_at(), segment.payload_at);
    if layout == Layout::Other {
        packet.load::<1>(end.wrapping_sub(1))?;
    }
    let host = segment.acknowledgment.to_host(by.sequence);
    let mut change = Change::NONE.with_word(segment.acknowledgment.0, host.0);
    if by.timestamp.0 != 0 {
        let to = Move {
            tcp: segment.at,
            field: Field::EchoReply,
            by: by.timestamp.inverse(),
        };
        change = change.with(packet.shift_stamps(start, end, to)?);
    }
    let moved = match layout {
        _ if by.sequence.0 == 0 || !sack::may_hold(layout, start, end) => Moved::NOTHING,
        Layout::Sacks(blocks) => sack::behind_stamps_to_host(packet, start, blocks, by.sequence)?,
        Layout::Plain | Layout::Other => {
            packet.sack_to_host(start, end, segment.at, by.sequence)?
        }
    };
    change = change.with(moved.change);
    packet.put_number(segment.at, ACKNOWLEDGMENT, host, change)?;
    Some(moved.edges)
}
