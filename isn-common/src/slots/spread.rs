//! Where a flow belongs: how flows are spread over sets, and how many sets there are to be.

use super::WAYS;
use crate::abi::flow::unpack;

/// Where a flow is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Index of the set.
    pub set: u32,
    /// The slot of the set that comes first.
    pub first: u32,
}

/// How flows are spread over sets, and how many found theirs full. Made with the table, and the same for its whole life.
///
/// The hash is pair-multiply-shift (Thorup, "High speed hashing for integers and strings", section 3.5): whoever does not know the keys
/// cannot choose flows that fall into the same set more often than by chance.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Spread<W> {
    /// Number of sets; 0 where all flows lie in the overflow.
    pub sets: u64,
    /// Random numbers, two for each word of a key, and one.
    pub keys: [u64; KEYS],
    /// Flows in the overflow: IPv4, IPv6.
    pub overflowing: [W; 2],
}

/// Numbers of [`Spread::keys`].
pub const KEYS: usize = 11;

/// How much room a table takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Sets of slots.
    pub sets: u32,
    /// Places in the overflow.
    pub beside: u32,
}

impl Room {
    /// For so many flows: a third more slots than flows. Then a flow in nineteen finds its set full (Poisson distribution with mean 6); the
    /// overflow has room for one in sixteen, and for all of a small table.
    #[must_use]
    pub const fn of(flows: u32) -> Self {
        let beside = (flows / 16).saturating_add(256);
        Self {
            sets: flows.div_ceil(6),
            beside: if beside < flows { beside } else { flows },
        }
    }
}

impl<W> Spread<W> {
    /// Where a flow with these words as its key is looked for.
    #[must_use]
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the upper halves")]
    pub fn spot(&self, key: &[u64]) -> Spot {
        let mut sum = self.keys[KEYS - 1];
        for (word, by) in key.iter().zip(self.keys.as_chunks::<2>().0) {
            let (low, high) = unpack(*word);
            let (one, other) = (
                by[0].wrapping_add(high.into()),
                by[1].wrapping_add(low.into()),
            );
            sum = sum.wrapping_add(one.wrapping_mul(other));
        }
        let hash = sum >> 32;
        Spot {
            set: (hash.wrapping_mul(self.sets) >> 32) as u32,
            first: hash as u32 % WAYS,
        }
    }
}
