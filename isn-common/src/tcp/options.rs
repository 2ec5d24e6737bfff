//! Options of the TCP header (RFC 9293 section 3.2): the walk over a SYN's options, once an
//! incarnation.

use super::{seq::Seq, timestamps};
use crate::packet::Packet;

/// Longest option area: 15 words of header less the 20 octets that are fixed.
pub const LONGEST: usize = 40;

/// End of option list.
pub const END: u8 = 0;
/// No operation: one octet of padding.
pub const NOP: u8 = 1;
/// Window scale (RFC 7323).
pub const WINDOW_SCALE: u8 = 3;
/// Selective acknowledgment (RFC 2018).
pub const SACK: u8 = 5;
/// Timestamps (RFC 7323).
pub const TIMESTAMPS: u8 = 8;
/// TCP-MD5 signature (RFC 2385).
pub const MD5_SIGNATURE: u8 = 19;
/// TCP Authentication Option (RFC 5925).
pub const AUTHENTICATION: u8 = 29;

/// NOP NOP TIMESTAMPS 10: how nearly every stack fills its options (RFC 7323 appendix A).
pub const PADDED_TIMESTAMPS: [u8; 4] = [NOP, NOP, TIMESTAMPS, 10];
/// Octets of these.
pub const PADDED_TIMESTAMPS_LENGTH: usize = 12;

/// How options are laid out, as far as that can be told without a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// None, or padded timestamps and nothing else: those of nearly every segment.
    Plain,
    /// Padded timestamps, then a padded SACK option of so many blocks, 1 to 3, and nothing else: those of nearly every other segment.
    Sacks(usize),
    /// Any other.
    Other,
}

/// The layout of the options from `start` up to `end`. Unless it is [`Layout::Other`], all of them are within reach.
#[inline(always)]
pub fn layout<P: Packet>(packet: &P, start: usize, end: usize) -> Layout {
    let length = end.wrapping_sub(start);
    if length == 0 {
        return Layout::Plain;
    }
    let stamps = |word: u32| word.to_ne_bytes() == PADDED_TIMESTAMPS;
    // NOP NOP SACK, and the octets of the option: two, and eight a block (RFC 2018 section 3).
    let sacks = |word: u32, blocks: u8| {
        word.to_ne_bytes() == [NOP, NOP, SACK, blocks.wrapping_mul(8).wrapping_add(2)]
    };
    match length {
        12 => match packet.words::<3>(start) {
            Some(words) if stamps(words[0]) => Layout::Plain,
            _ => Layout::Other,
        },
        24 => match packet.words::<6>(start) {
            Some(words) if stamps(words[0]) && sacks(words[3], 1) => Layout::Sacks(1),
            _ => Layout::Other,
        },
        32 => match packet.words::<8>(start) {
            Some(words) if stamps(words[0]) && sacks(words[3], 2) => Layout::Sacks(2),
            _ => Layout::Other,
        },
        40 => match packet.words::<10>(start) {
            Some(words) if stamps(words[0]) && sacks(words[3], 3) => Layout::Sacks(3),
            _ => Layout::Other,
        },
        _ => Layout::Other,
    }
}

/// What the options of a SYN settle for the incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(C)]
pub struct SynOptions {
    /// TSval of the timestamps option (RFC 7323); 0 without one.
    pub stamp: Seq,
    /// Whether the timestamps option is present.
    pub stamped: bool,
    /// Whether the window scale option is present.
    pub scales: bool,
    /// Its shift, 0 to 14 (RFC 7323 section 2.3: more is 14); 0 without the option. Beside the flag
    /// instead of in an `Option`, whose unused half the verifier would take for uninitialized.
    pub shift: u8,
    /// Whether the segment is signed, so that no sequence number may be changed (S7).
    pub authenticated: bool,
}

impl SynOptions {
    /// Largest shift that RFC 7323 section 2.3 allows.
    pub const LARGEST_SHIFT: u8 = 14;

    /// As one number, and back: what a BPF function can return.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.stamp.0 as u64) << 32
            | (self.shift as u64) << 8
            | (self.stamped as u64) << 2
            | (self.authenticated as u64) << 1
            | self.scales as u64
    }

    /// The inverse of [`SynOptions::to_bits`].
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the upper half, and masked to 4 bits"
    )]
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            stamp: Seq((bits >> 32) as u32),
            stamped: bits & 4 != 0,
            scales: bits & 1 != 0,
            authenticated: bits & 2 != 0,
            shift: (bits >> 8 & 0xf) as u8,
        }
    }

    /// Reads the options that lie from `start` up to `end`, offsets in the frame.
    ///
    /// Whatever the sender wrote ends the walk at worst: an option with an impossible length is
    /// where it stops, as it does in receivers.
    #[must_use]
    pub fn read<P: Packet>(packet: &P, start: usize, end: usize) -> Self {
        // One number of which the verifier knows nothing, or it would follow every combination of what may be there.
        let mut found = packet.unknown(0) as u64;
        let mut at = start;
        for _ in 0..LONGEST {
            let Some((kind, length)) = option_at(packet, at, end) else {
                break;
            };
            match (kind, length) {
                (WINDOW_SCALE, 3) => {
                    let Some([shift]) = packet.load(at.wrapping_add(2)) else {
                        break;
                    };
                    let shift = if shift > Self::LARGEST_SHIFT {
                        Self::LARGEST_SHIFT
                    } else {
                        shift
                    };
                    found = forgotten(packet, found & !(0xf << 8) | u64::from(shift) << 8 | 1);
                }
                (TIMESTAMPS, timestamps::LENGTH) if found & 4 == 0 => {
                    let Some(stamp) = packet.load(at.wrapping_add(2)) else {
                        break;
                    };
                    found = forgotten(
                        packet,
                        found | u64::from(u32::from_be_bytes(stamp)) << 32 | 4,
                    );
                }
                (MD5_SIGNATURE | AUTHENTICATION, _) => found = forgotten(packet, found | 2),
                _ => {}
            }
            at = packet.unknown(at.wrapping_add(length));
        }
        Self::from_bits(found)
    }
}

/// The same number, of which the verifier knows nothing any more ([`Packet::unknown`]).
#[inline(always)]
fn forgotten<P: Packet>(packet: &P, number: u64) -> u64 {
    number.wrapping_add(packet.unknown(0) as u64)
}

/// Kind and length in octets of the option at `at`; `None` at the end of the list, or where it is
/// malformed. Kind and length are read as one pair: that keeps the verifier's work small.
#[inline(always)]
pub fn option_at<P: Packet>(packet: &P, at: usize, end: usize) -> Option<(u8, usize)> {
    if at >= end {
        return None;
    }
    let [kind, length] = match packet.load::<2>(at) {
        Some(pair) => pair,
        // The last octet of the header may be the last of the frame: a NOP or END, alone.
        None => [packet.load::<1>(at)?[0], 0],
    };
    match kind {
        END => None,
        NOP => Some((NOP, 1)),
        _ => {
            let length = length as usize;
            (length >= 2 && length <= end.wrapping_sub(at)).then_some((kind, length))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syn_options_survive_the_way_through_one_number() {
        for shift in 0..=SynOptions::LARGEST_SHIFT {
            for (scales, authenticated) in [(false, true), (true, false), (true, true)] {
                let options = SynOptions {
                    stamp: Seq(0xfeed_beef),
                    stamped: scales != authenticated,
                    scales,
                    shift,
                    authenticated,
                };
                assert_eq!(SynOptions::from_bits(options.to_bits()), options);
            }
        }
    }
}
