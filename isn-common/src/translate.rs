//! Writing other numbers into a segment, with its checksum (S9 to S11).
//!
//! Everything that will be written is found before anything is written. Where a write fails all the
//! same, the caller must drop the packet: it may be half translated.

use crate::{
    checksum::Change,
    headers::tcp::{ACKNOWLEDGMENT, SEQUENCE},
    packet::Packet,
    segment::Segment,
    tcp::{sack, seq::Offset},
};

/// Host to peer: the sequence number. `None` if the segment could not be written.
#[inline(always)]
pub fn outbound<P: Packet>(packet: &mut P, segment: &Segment, offset: Offset) -> Option<()> {
    let wire = segment.sequence.to_wire(offset);
    packet.store(segment.at.wrapping_add(SEQUENCE), wire.0.to_be_bytes())?;
    packet.update_checksum(
        segment.checksum_at(),
        Change::NONE.with_word(segment.sequence.0, wire.0),
    )
}

/// Peer to host: the acknowledgment and every SACK edge. Gives the number of edges; `None` if the
/// segment's options are out of reach or it could not be written. The segment must have ACK set.
#[inline(always)]
pub fn inbound<P: Packet>(packet: &mut P, segment: &Segment, offset: Offset) -> Option<u32> {
    packet.load::<1>(segment.payload_at.wrapping_sub(1))?;
    let host = segment.acknowledgment.to_host(offset);
    let mut change = Change::NONE.with_word(segment.acknowledgment.0, host.0);
    let mut edges = 0;
    let (start, end) = (segment.options_at(), segment.payload_at);
    if sack::may_hold(packet, start, end) {
        let moved = packet.sack_to_host(start, end, segment.at, offset)?;
        change = change.with(moved.change);
        edges = moved.edges;
    }
    packet.store(
        segment.at.wrapping_add(ACKNOWLEDGMENT),
        host.0.to_be_bytes(),
    )?;
    packet.update_checksum(segment.checksum_at(), change)?;
    Some(edges)
}
