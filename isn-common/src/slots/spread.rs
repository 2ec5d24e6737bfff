//! Where a flow belongs: how flows are spread over sets, and how many sets there are to be.

use super::{WAYS, prints::print_of};
use crate::{abi::flow::unpack, expiry::Place};

/// Where a flow is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Index of the set, among those of all tables.
    pub set: u32,
    /// The slot of the set that comes first.
    pub first: u32,
    /// The print of the key ([`super::prints`]).
    pub print: u32,
}

/// How flows are spread over sets, and how many found theirs full. Made with the table, and the same for its whole life.
///
/// The hash is pair-multiply-shift (Thorup, "High speed hashing for integers and strings", section 3.5): whoever does not know the keys
/// cannot choose flows that fall into the same set more often than by chance.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Spread<W> {
    /// Number of sets of each table, by the number of its [`Place`]; 0 of each where all translated flows lie in the overflow.
    pub sets: [u64; PLACES],
    /// Index of the first set of each table.
    pub starts: [u64; PLACES],
    /// Most flows that each table is to hold.
    pub flows: [u64; PLACES],
    /// Random numbers, two for each word of a key, and one.
    pub keys: [u64; KEYS],
    /// Flows in the overflow: IPv4, IPv6.
    pub overflowing: [W; 2],
}

/// Number of tables.
pub const PLACES: usize = Place::ALL.len();

/// Numbers of [`Spread::keys`].
pub const KEYS: usize = 11;

/// How much room a table takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Sets of slots.
    pub sets: u32,
    /// Places in the overflow, for translated flows.
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

/// Where the sets of each table begin, one table behind the other.
#[must_use]
pub fn starts(sets: [u64; PLACES]) -> [u64; PLACES] {
    let [translated, half_open, _] = sets;
    [0, translated, translated.saturating_add(half_open)]
}

impl<W> Spread<W> {
    /// Where a flow with these words as its key is looked for in a table.
    #[must_use]
    #[inline(always)]
    pub fn spot(&self, place: Place, key: &[u64]) -> Spot {
        self.spot_of(place, self.hash(key))
    }

    /// The same for a key with this hash.
    #[must_use]
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the upper half")]
    pub const fn spot_of(&self, place: Place, hash: u32) -> Spot {
        let (start, sets) = match place {
            Place::Translated => (0, self.sets[0]),
            // One path for the verifier.
            Place::HalfOpen | Place::History => {
                (self.starts[place as usize], self.sets[place as usize])
            }
        };
        Spot {
            set: start.wrapping_add((hash as u64).wrapping_mul(sets) >> 32) as u32,
            first: hash % WAYS,
            print: print_of(hash),
        }
    }

    /// The hash of a key.
    #[must_use]
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the upper half")]
    pub fn hash(&self, key: &[u64]) -> u32 {
        let mut sum = self.keys[KEYS - 1];
        for (word, by) in key.iter().zip(self.keys.as_chunks::<2>().0) {
            let (low, high) = unpack(*word);
            let (one, other) = (
                by[0].wrapping_add(high.into()),
                by[1].wrapping_add(low.into()),
            );
            sum = sum.wrapping_add(one.wrapping_mul(other));
        }
        (sum >> 32) as u32
    }
}
