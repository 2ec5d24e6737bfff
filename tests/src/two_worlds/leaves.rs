//! How packets leave: what a case says of each.

use isn_common::verdict::{DropReason, PassReason, Verdict};

use crate::packet_builder::Tcp;

/// How a packet leaves, as a difference from how it came. What is not named is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// Byte for byte.
    Unchanged(PassReason),
    /// To the peer, with this sequence number.
    Seq(u32),
    /// To the host, with this acknowledgment and, if it has a SACK option, these blocks.
    Ack(u32, Vec<(u32, u32)>),
    /// Not at all.
    Dropped(DropReason),
}

/// With this acknowledgment; there is no SACK option.
#[must_use]
pub const fn ack(acknowledgment: u32) -> Leaves {
    Leaves::Ack(acknowledgment, Vec::new())
}

/// Byte for byte, and followed without an offset.
pub const AS_IT_CAME: Leaves = Leaves::Unchanged(PassReason::OffsetZero);
/// Byte for byte, and not followed.
pub const NOT_FOLLOWED: Leaves = Leaves::Unchanged(PassReason::NoFlow);
/// Byte for byte: it has no number to translate.
pub const NOTHING_IN_IT: Leaves = Leaves::Unchanged(PassReason::NothingToTranslate);

impl Leaves {
    /// The outcome, and the segment as it leaves; `None` if it lacks the SACK option that is spoken of.
    #[must_use]
    pub fn applied_to(&self, tcp: &Tcp) -> Option<(Verdict, Tcp)> {
        let mut leaving = tcp.clone();
        let outcome = match self {
            Self::Unchanged(reason) => Verdict::Pass(*reason),
            Self::Dropped(reason) => Verdict::Drop(*reason),
            Self::Seq(sequence) => {
                leaving.sequence = *sequence;
                Verdict::TranslatedOut
            }
            Self::Ack(acknowledgment, blocks) => {
                leaving.acknowledgment = *acknowledgment;
                if !blocks.is_empty() && !replace_blocks(&mut leaving.options, blocks) {
                    return None;
                }
                Verdict::TranslatedIn
            }
        };
        Some((outcome, leaving))
    }
}

/// Writes these blocks over those of the first SACK option that has as many.
fn replace_blocks(options: &mut [u8], blocks: &[(u32, u32)]) -> bool {
    let head = [5, u8::try_from(2 + 8 * blocks.len()).unwrap_or(0)];
    let Some(at) = options.windows(2).position(|pair| pair == head) else {
        return false;
    };
    for (index, (left, right)) in blocks.iter().enumerate() {
        let block = &mut options[at + 2 + 8 * index..at + 10 + 8 * index];
        block[..4].copy_from_slice(&left.to_be_bytes());
        block[4..].copy_from_slice(&right.to_be_bytes());
    }
    true
}
