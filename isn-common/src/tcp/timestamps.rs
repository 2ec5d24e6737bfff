//! The timestamps option (RFC 7323 section 3): reading TSval, and moving TSval or TSecr between two
//! numberings of one clock.
//!
//! Timestamps are compared as sequence numbers are, modulo 2^32 (RFC 7323 section 5.2). An option
//! may begin at any octet, as SACK options may.

use super::{
    options::{LONGEST, TIMESTAMPS, option_at},
    seq::{Offset, Seq},
};
use crate::{
    abi::flow::{pack, unpack},
    checksum::Change,
    packet::Packet,
};

/// Octets of the option: kind, length, TSval, TSecr.
pub const LENGTH: usize = 10;
/// A header has room for this many, though no stack sends two.
const MOST_OPTIONS: usize = 4;
const FAILED: u64 = 1 << 32;
const FOUND: u64 = 1 << 32;

/// One of the two numbers of the option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The sender's clock.
    Value,
    /// The receiver's clock, echoed; 0 stands for none.
    EchoReply,
}

impl Field {
    /// Offset in the option.
    const fn at(self) -> usize {
        match self {
            Self::Value => 2,
            Self::EchoReply => 6,
        }
    }
}

/// Where the fields of one kind lie, and by how much they move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Offset in the frame of the TCP header, to tell odd distances from even ones.
    pub tcp: usize,
    /// Which field.
    pub field: Field,
    /// What is added to it.
    pub by: Offset,
}

impl Move {
    const ECHO_REPLY: u32 = 1;

    /// As two words, and back: what a BPF function can be given.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "a frame is short")]
    pub const fn to_words(self) -> [u64; 2] {
        let field = match self.field {
            Field::Value => 0,
            Field::EchoReply => Self::ECHO_REPLY,
        };
        [pack(self.tcp as u32, field), self.by.0 as u64]
    }

    /// The inverse of [`Move::to_words`].
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "it was 32 bits")]
    pub const fn from_words(words: [u64; 2]) -> Self {
        let (tcp, field) = unpack(words[0]);
        Self {
            tcp: tcp as usize,
            field: if field == Self::ECHO_REPLY {
                Field::EchoReply
            } else {
                Field::Value
            },
            by: Offset(words[1] as u32),
        }
    }
}

/// Moves a field of every timestamps option from `start` up to `end`. Gives the change for the
/// segment's checksum; `None` if a field could not be written: the packet may then be half changed.
#[inline(always)]
pub fn shift<P: Packet>(packet: &mut P, start: usize, end: usize, to: Move) -> Option<Change> {
    let mut change = Change::NONE;
    let mut from = start;
    for _ in 0..MOST_OPTIONS {
        let Some(option) = find(packet, from, end) else {
            break;
        };
        let at = option.wrapping_add(to.field.at());
        let old = Seq(u32::from_be_bytes(packet.load(at)?));
        // An echo of 0 stands for none (RFC 7323 section 3.2).
        if old.0 != 0 || to.field == Field::Value {
            let new = old.to_wire(to.by);
            packet.store(at, new.0.to_be_bytes())?;
            let moved = Change::NONE.with_word(old.0, new.0);
            let odd = at.wrapping_sub(to.tcp) & 1 != 0;
            change = if odd {
                change.with_odd(moved)
            } else {
                change.with(moved)
            };
        }
        from = packet.unknown(option.wrapping_add(LENGTH));
    }
    Some(change)
}

/// TSval of the first timestamps option from `start` up to `end`.
#[inline(always)]
pub fn value<P: Packet>(packet: &P, start: usize, end: usize) -> Option<Seq> {
    let option = find(packet, start, end)?;
    let octets = packet.load(option.wrapping_add(Field::Value.at()))?;
    Some(Seq(u32::from_be_bytes(octets)))
}

/// Offset of the first timestamps option from `start` up to `end`, in any layout.
#[inline(always)]
fn find<P: Packet>(packet: &P, start: usize, end: usize) -> Option<usize> {
    let mut at = start;
    for _ in 0..LONGEST {
        let (kind, length) = option_at(packet, at, end)?;
        if kind == TIMESTAMPS && length == LENGTH {
            return Some(at);
        }
        at = packet.unknown(at.wrapping_add(length));
    }
    None
}

/// What [`shift`] gives as one number, and back: what a BPF function can return.
#[must_use]
pub const fn change_to_bits(change: Option<Change>) -> u64 {
    match change {
        Some(change) => change.folded() as u64,
        None => FAILED,
    }
}

/// The inverse of [`change_to_bits`].
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "16 bits")]
pub const fn change_from_bits(bits: u64) -> Option<Change> {
    if bits & FAILED != 0 {
        return None;
    }
    Some(Change::NONE.with_folded(bits as u16))
}

/// What [`value`] gives as one number, and back.
#[must_use]
pub const fn value_to_bits(value: Option<Seq>) -> u64 {
    match value {
        Some(value) => FOUND | value.0 as u64,
        None => 0,
    }
}

/// The inverse of [`value_to_bits`].
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "the lower half")]
pub const fn value_from_bits(bits: u64) -> Option<Seq> {
    if bits & FOUND == 0 {
        return None;
    }
    Some(Seq(bits as u32))
}
