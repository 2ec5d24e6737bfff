//! Selective acknowledgment options (RFC 2018, D-SACK RFC 2883): finding them, and moving their
//! edges from wire numbers to host numbers.
//!
//! An option may begin at any octet, odd ones included, since any number of NOPs may stand before
//! it; the checksum then sees each edge with its octets swapped.

use super::{
    options::{LONGEST, Layout, NOP, PADDED_TIMESTAMPS, PADDED_TIMESTAMPS_LENGTH, SACK, option_at},
    seq::{Offset, Seq},
};
use crate::{checksum::Change, packet::Packet};

/// Octets of one block: left and right edge.
const BLOCK: usize = 8;
/// More blocks than this do not fit into 40 octets of options.
const MOST_BLOCKS: usize = 4;
/// A header has room for this many options of one block each, though no stack sends two.
const MOST_OPTIONS: usize = 4;

/// A SACK option that lies wholly within the header.
#[derive(Clone, Copy)]
struct SackOption {
    /// Offset in the frame of the first block.
    blocks_at: usize,
    /// Number of blocks, 1 to 4.
    blocks: usize,
}

/// What became of the SACK options of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The change of the octets, for the checksum of the segment.
    pub change: Change,
    /// Edges moved, two for each block.
    pub edges: u32,
}

impl Moved {
    /// There was none.
    pub const NOTHING: Self = Self {
        change: Change::NONE,
        edges: 0,
    };
    const FAILED: u64 = 1 << 63;

    /// As one number, and back: what a BPF function can return. `None` where a block could not be
    /// written.
    #[must_use]
    pub const fn to_bits(moved: Option<Self>) -> u64 {
        match moved {
            Some(moved) => (moved.edges as u64) << 16 | moved.change.folded() as u64,
            None => Self::FAILED,
        }
    }

    /// The inverse of [`Moved::to_bits`].
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "16 bits, and a small number"
    )]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits & Self::FAILED != 0 {
            return None;
        }
        let change = Change::NONE.with_folded(bits as u16);
        Some(Self {
            change,
            edges: (bits >> 16) as u32,
        })
    }
}

/// Takes `offset` from the edges of so many blocks, 1 to 3, behind padded timestamps ([`Layout::Sacks`]) where options begin at `start`. `None` if
/// they are out of reach; nothing is changed then.
#[inline(always)]
pub fn behind_stamps_to_host<P: Packet>(
    packet: &mut P,
    start: usize,
    blocks: usize,
    offset: Offset,
) -> Option<Moved> {
    let at = start.wrapping_add(PADDED_TIMESTAMPS_LENGTH).wrapping_add(4);
    match blocks {
        1 => edges_to_host::<2, P>(packet, at, offset),
        2 => edges_to_host::<4, P>(packet, at, offset),
        _ => edges_to_host::<6, P>(packet, at, offset),
    }
}

/// The same of `N` edges at `at`, an even number of octets into the TCP header.
#[inline(always)]
fn edges_to_host<const N: usize, P: Packet>(
    packet: &mut P,
    at: usize,
    offset: Offset,
) -> Option<Moved> {
    let mut change = Change::NONE;
    let edges = packet.words::<N>(at)?.map(|edge| {
        let wire = Seq(u32::from_be(edge));
        let host = wire.to_host(offset);
        change = change.with_word(wire.0, host.0);
        host.0.to_be()
    });
    packet.put_words(at, edges)?;
    #[allow(clippy::cast_possible_truncation, reason = "a header has few")]
    let edges = N as u32;
    Some(Moved { change, edges })
}

/// Octets of an option with one block.
const SHORTEST: usize = 10;

/// Whether options of this layout, from `start` up to `end`, may hold a SACK option.
#[must_use]
#[inline(always)]
pub fn may_hold(layout: Layout, start: usize, end: usize) -> bool {
    end.wrapping_sub(start) >= SHORTEST && layout != Layout::Plain
}

/// Takes `offset` from every edge of every SACK option from `start` up to `end`, in the segment
/// whose header begins at `tcp`. `None` if a block is out of reach: the packet may then be half
/// changed.
#[inline(always)]
pub fn to_host<P: Packet>(
    packet: &mut P,
    start: usize,
    end: usize,
    tcp: usize,
    offset: Offset,
) -> Option<Moved> {
    if let Some(option) = padded(packet, start, end) {
        return Some(Moved {
            change: option.to_host(packet, tcp, offset)?,
            edges: option.edges(),
        });
    }
    let mut moved = Moved::NOTHING;
    let mut from = start;
    for _ in 0..MOST_OPTIONS {
        let Some(option) = find(packet, from, end) else {
            break;
        };
        moved.change = moved.change.with(option.to_host(packet, tcp, offset)?);
        moved.edges = moved.edges.wrapping_add(option.edges());
        from = packet.unknown(option.end());
    }
    Some(moved)
}

/// The SACK option where the options are laid out as nearly every stack does it, padded to words (RFC 2018 section 3): behind
/// timestamps or without, and nothing behind it. Spares the walk.
#[inline(always)]
fn padded<P: Packet>(packet: &P, start: usize, end: usize) -> Option<SackOption> {
    let mut at = start;
    let mut head = packet.load::<4>(at)?;
    if head == PADDED_TIMESTAMPS {
        at = at.wrapping_add(PADDED_TIMESTAMPS_LENGTH);
        head = packet.load(at)?;
    }
    let [NOP, NOP, SACK, length] = head else {
        return None;
    };
    let option = SackOption {
        blocks_at: at.wrapping_add(4),
        blocks: (length as usize).wrapping_sub(2) / BLOCK,
    };
    let whole = at.wrapping_add(2).wrapping_add(length as usize) == end && option.end() == end;
    (whole && (1..=MOST_BLOCKS).contains(&option.blocks)).then_some(option)
}

/// The first SACK option from `start` up to `end`, in any layout.
#[inline(always)]
fn find<P: Packet>(packet: &P, start: usize, end: usize) -> Option<SackOption> {
    let mut at = start;
    for _ in 0..LONGEST {
        let (kind, length) = option_at(packet, at, end)?;
        if kind == SACK {
            let blocks = length.wrapping_sub(2) / BLOCK;
            let whole = blocks.wrapping_mul(BLOCK).wrapping_add(2) == length;
            if whole && (1..=MOST_BLOCKS).contains(&blocks) {
                return Some(SackOption {
                    blocks_at: at.wrapping_add(2),
                    blocks,
                });
            }
        }
        at = packet.unknown(at.wrapping_add(length));
    }
    None
}

impl SackOption {
    /// Offset of the first octet behind the option.
    const fn end(self) -> usize {
        self.blocks_at.wrapping_add(self.blocks.wrapping_mul(BLOCK))
    }

    /// Number of edges.
    #[allow(clippy::cast_possible_truncation, reason = "at most 8")]
    const fn edges(self) -> u32 {
        (self.blocks as u32).wrapping_mul(2)
    }

    /// Takes `offset` from every edge. Gives the change for the checksum of the segment whose
    /// header begins at `tcp`; `None` if a block is out of reach.
    ///
    /// All blocks are read before the first is written, so that an option is never half changed.
    #[inline(always)]
    fn to_host<P: Packet>(self, packet: &mut P, tcp: usize, offset: Offset) -> Option<Change> {
        let last = self
            .blocks_at
            .wrapping_add(self.blocks.wrapping_sub(1).wrapping_mul(BLOCK));
        packet.load::<BLOCK>(last)?;
        let mut change = Change::NONE;
        for i in 0..MOST_BLOCKS {
            if i >= self.blocks {
                break;
            }
            let at = self.blocks_at.wrapping_add(i.wrapping_mul(BLOCK));
            change = block_to_host(packet, at, offset, change)?;
        }
        let odd = self.blocks_at.wrapping_sub(tcp) & 1 != 0;
        Some(if odd {
            Change::NONE.with_odd(change)
        } else {
            change
        })
    }
}

#[inline(always)]
fn block_to_host<P: Packet>(
    packet: &mut P,
    at: usize,
    offset: Offset,
    change: Change,
) -> Option<Change> {
    let both = u64::from_be_bytes(packet.load::<BLOCK>(at)?);
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of a block")]
    let (left, right) = (Seq((both >> 32) as u32), Seq(both as u32));
    let (new_left, new_right) = (left.to_host(offset), right.to_host(offset));
    packet.store(
        at,
        (u64::from(new_left.0) << 32 | u64::from(new_right.0)).to_be_bytes(),
    )?;
    Some(
        change
            .with_word(left.0, new_left.0)
            .with_word(right.0, new_right.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{host::Frame, tcp::options};

    /// What is done without a walk is what a walk does, to each number of blocks behind padded timestamps.
    #[test]
    fn blocks_behind_stamps_are_those_that_a_walk_finds() {
        const TCP: usize = 34;
        let start = TCP + 20;
        for blocks in 1..=3u8 {
            let mut octets: Vec<u8> = (0..=255).cycle().take(start).collect();
            octets.extend(PADDED_TIMESTAMPS);
            octets.extend([0xab; 8]);
            octets.extend([NOP, NOP, SACK, 2 + 8 * blocks]);
            octets.extend((0..blocks * 8).map(|octet| octet.wrapping_mul(37)));
            let end = octets.len();
            let frame = Frame::new(octets);
            assert_eq!(
                options::layout(&frame, start, end),
                Layout::Sacks(blocks.into())
            );
            for offset in [1, 0x1234_5678, u32::MAX].map(Offset) {
                let (mut here, mut there) = (frame.clone(), frame.clone());
                let moved = behind_stamps_to_host(&mut here, start, blocks.into(), offset);
                assert_eq!(moved, to_host(&mut there, start, end, TCP, offset));
                assert_eq!(here, there);
            }
        }
    }
}
