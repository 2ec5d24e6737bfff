//! The tables of flows: sets of eight slots, each with one flow and its key, so that a packet finds its flow with one look into
//! memory where a hash table of the kernel needs three that wait for each other.
//!
//! A flow's set, and the slot in it where the search begins, follow from a hash of its key ([`Spread`]). It takes the first slot from there
//! on that is free, or free again. Where a set is full, a translated flow lies in a hash table beside (the overflow), which is looked into
//! only while something lies there; any other takes the slot of a flow that has been silent for longer. Beside each set lies a word that
//! says what is in it ([`prints`]).
//!
//! A slot is one CPU's at a time by its tag, which moves by compare-and-exchange alone:
//!
//! | tag | meaning | becomes |
//! |---|---|---|
//! | free | never used: a search ends here | being written |
//! | being written | by the CPU that took it | announced |
//! | announced | complete, and not yet found: others may announce the same flow | live, or ending if another one comes first |
//! | live | found | ending; being written, by whoever has claimed the flow and may evict it |
//! | ending | not found any more, its print is being wiped out | gone |
//! | gone | free again; for a translated flow after a second, so that no CPU that still holds the flow writes into another's | being written |
//!
//! Two CPUs that put in the same flow see each other's announcement: the one that is earlier in the set strikes the other's
//! out, and what is live stays. So a flow is live in one slot at most.
//!
//! Of a flow that may be evicted, a CPU makes sure that it is still there once it has read it, before it believes what it has read
//! ([`crate::world::Tables::is_intact`]).

pub mod prints;
mod shelf;
mod spread;
pub mod table;
mod tag;
#[cfg(test)]
mod tests;

pub use shelf::{New, Shelf};
pub use spread::{KEYS, PLACES, Room, Spot, Spread, Spreading, starts};
use tag::{FREE, LIVE, live, state};

use crate::{
    abi::flow::{Flow, Record, Word, pack, unpack},
    expiry::Place,
    flow::FlowKey,
};

/// Slots of a set.
pub const WAYS: u32 = 8;

/// A place for one flow: 64 octets for IPv4, a cache line; 88 for IPv6.
#[repr(C)]
pub struct Slot<W, K: FlowKey> {
    tag: W,
    key: K::Words<W>,
    flow: Flow<W>,
}

/// The slots among which a flow is looked for.
#[repr(C)]
pub struct Set<W, K: FlowKey>([Slot<W, K>; WAYS as usize]);

/// Which slot a live flow lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The table.
    pub place: Place,
    /// Index of the set, among those of all tables.
    pub set: u32,
    /// The slot.
    pub nth: u32,
    /// How often it had been taken, modulo 2^24.
    pub times_taken: u32,
}

impl Position {
    /// As a number other than 0: what a BPF function can return.
    #[must_use]
    #[inline(always)]
    pub const fn to_bits(self) -> u64 {
        let place = (self.place as u32).wrapping_add(1) << 3;
        pack(self.times_taken << 8 | place | self.nth, self.set)
    }

    /// The inverse of [`Position::to_bits`].
    #[must_use]
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        let (low, set) = unpack(bits);
        let place = match low >> 3 & 3 {
            2 => Place::HalfOpen,
            3 => Place::History,
            _ => Place::Translated,
        };
        Self {
            place,
            set,
            nth: low & 7,
            times_taken: low >> 8,
        }
    }

    /// The tag of the slot while the flow is in it.
    #[must_use]
    #[inline(always)]
    pub const fn tag(self) -> u64 {
        live(self.times_taken)
    }
}

/// What became of a flow that was to be put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is announced in this slot, under this tag; [`Shelf::confirm`] makes it live.
    Announced(Announcement),
    /// It is there already.
    Exists,
    /// The set is full.
    Full,
}

/// A flow that is in its slot and not yet found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    nth: u32,
    /// Of which the upper half is 0.
    tag: u32,
}

impl Put {
    const ANNOUNCED: u32 = 0;
    const EXISTS: u32 = 1;
    const FULL: u32 = 2;

    /// As a number: what a BPF function can return.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        match self {
            Self::Announced(Announcement { nth, tag }) => pack(nth << 8 | Self::ANNOUNCED, tag),
            Self::Exists => pack(Self::EXISTS, 0),
            Self::Full => pack(Self::FULL, 0),
        }
    }

    /// The inverse of [`Put::to_bits`].
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        let (low, tag) = unpack(bits);
        match low & 0xff {
            Self::ANNOUNCED => Self::Announced(Announcement { nth: low >> 8, tag }),
            Self::EXISTS => Self::Exists,
            _ => Self::Full,
        }
    }
}

impl<W: Word, K: FlowKey> Slot<W, K> {
    /// Octets before the flow.
    pub const BEFORE_FLOW: usize = size_of::<W>() + size_of::<K::Words<W>>();

    /// The flow in it.
    #[must_use]
    #[inline(always)]
    pub const fn flow(&self) -> &Flow<W> {
        &self.flow
    }

    #[inline(always)]
    fn holds(&self, key: &K) -> bool {
        let mut same = true;
        for (there, wanted) in self.key.as_ref().iter().zip(key.words().as_ref()) {
            same = same && there.load() == *wanted;
        }
        same
    }

    /// Whether another slot has the same key.
    #[inline(always)]
    fn is_alike(&self, other: &Self) -> bool {
        let mut same = true;
        for (there, wanted) in self.key.as_ref().iter().zip(other.key.as_ref()) {
            same = same && there.load() == wanted.load();
        }
        same
    }

    /// The flow in it with its key, if there is one: what user space reads, while the data plane goes on.
    #[must_use]
    pub fn read(&self) -> Option<(K, Record)> {
        let tag = self.tag.load_first();
        if state(tag) != LIVE {
            return None;
        }
        let read = (
            K::from_words(|nth| self.key.as_ref()[nth].load()),
            self.flow.record(),
        );
        (self.tag.load() == tag).then_some(read)
    }
}

impl<W: Word, K: FlowKey> Set<W, K> {
    /// A slot by its number.
    #[must_use]
    #[inline(always)]
    pub fn slot(&self, nth: u32) -> &Slot<W, K> {
        &self.0[(W::opaque(nth) % WAYS) as usize]
    }

    /// Makes all slots as new. Nobody else may be using the set.
    #[cfg(any(test, feature = "host"))]
    pub fn clear(&self) {
        for slot in &self.0 {
            slot.tag.store(FREE.into());
        }
    }

    /// All slots, in order.
    #[must_use]
    pub const fn slots(&self) -> &[Slot<W, K>] {
        &self.0
    }

    /// A flow that is live, without a look at the prints: the second slot of the search is the first one's neighbour in a pair of cache
    /// lines, which processors like to fetch together.
    #[must_use]
    #[inline(always)]
    pub fn find(&self, first: u32, key: &K) -> Option<&Flow<W>> {
        for step in 0..WAYS {
            let slot = self.slot(first ^ step);
            let tag = slot.tag.load_first();
            if state(tag) == LIVE && slot.holds(key) {
                return Some(&slot.flow);
            }
            if tag == FREE.into() {
                break;
            }
        }
        None
    }
}
