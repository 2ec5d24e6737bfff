//! The table of translated flows: sets of eight slots, each with one flow and its key, so that a packet finds its flow with one look into
//! memory where a hash table of the kernel needs three that wait for each other.
//!
//! A flow's set, and the slot in it where the search begins, follow from a hash of its key ([`Spread`]). It takes the first slot from there
//! on that is free, or free again; where a set is full, the flow lies in a hash table beside (the overflow), which is looked into
//! only while something lies there.
//!
//! A slot is one CPU's at a time by its tag, which moves by compare-and-exchange alone:
//!
//! | tag | meaning | becomes |
//! |---|---|---|
//! | free | never used: a search ends here | being written |
//! | being written | by the CPU that took it | announced |
//! | announced | complete, and not yet found: others may announce the same flow | live, or gone if another one comes first |
//! | live | found | gone |
//! | gone | free again after a second, so that no CPU that still holds the flow writes into another's | being written |
//!
//! Two CPUs that put in the same flow see each other's announcement: the one that is earlier in the order of search strikes the other's
//! out, and what is live stays. So a flow is live in one slot at most.

mod spread;
pub mod table;
mod tag;
#[cfg(test)]
mod tests;

pub use spread::{KEYS, Room, Spot, Spread};
use tag::{ANNOUNCED, FREE, LIVE, gone, in_state, is_free, state, taken};

use crate::{
    abi::flow::{Flow, Record, Word, pack, unpack},
    flow::FlowKey,
    tick::Tick,
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

/// What became of a flow that was to be put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is announced in this slot of the search, under this tag; [`Set::confirm`] makes it live.
    Announced(Announcement),
    /// It is there already.
    Exists,
    /// The set is full.
    Full,
}

/// A flow that is in its slot and not yet found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    step: u32,
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
            Self::Announced(Announcement { step, tag }) => pack(step << 8 | Self::ANNOUNCED, tag),
            Self::Exists => pack(Self::EXISTS, 0),
            Self::Full => pack(Self::FULL, 0),
        }
    }

    /// The inverse of [`Put::to_bits`].
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        let (low, tag) = unpack(bits);
        match low & 0xff {
            Self::ANNOUNCED => Self::Announced(Announcement {
                step: low >> 8,
                tag,
            }),
            Self::EXISTS => Self::Exists,
            _ => Self::Full,
        }
    }
}

impl<W: Word, K: FlowKey> Slot<W, K> {
    #[inline(always)]
    fn holds(&self, key: &K) -> bool {
        let mut same = true;
        for (there, wanted) in self.key.as_ref().iter().zip(key.words().as_ref()) {
            same = same && there.load() == *wanted;
        }
        same
    }

    /// Whether this slot of the same key leaves the flow to another CPU: it has only been announced, later in the search, and could
    /// be struck out.
    #[inline(always)]
    fn gives_way(&self, is_before: bool, now: Tick) -> bool {
        let tag = self.tag.load();
        match state(tag) {
            LIVE => false,
            ANNOUNCED if is_before => false,
            ANNOUNCED => {
                self.tag.compare_exchange(tag, gone(tag, now)) || state(self.tag.load()) != LIVE
            }
            _ => true,
        }
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
    /// The slot that comes after so many others of a search. The second is the first one's neighbour in a pair of cache lines, which
    /// processors like to fetch together.
    #[inline(always)]
    fn slot(&self, first: u32, step: u32) -> &Slot<W, K> {
        &self.0[(W::opaque(first ^ step) % WAYS) as usize]
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

    /// A flow that is live.
    #[must_use]
    #[inline(always)]
    pub fn find(&self, first: u32, key: &K) -> Option<&Flow<W>> {
        self.live(first, key).map(|(slot, _)| &slot.flow)
    }

    /// Its slot and tag.
    #[inline(always)]
    fn live(&self, first: u32, key: &K) -> Option<(&Slot<W, K>, u64)> {
        for step in 0..WAYS {
            let slot = self.slot(first, step);
            let tag = slot.tag.load_first();
            if state(tag) == LIVE && slot.holds(key) {
                return Some((slot, tag));
            }
            if tag == FREE.into() {
                break;
            }
        }
        None
    }

    /// Puts a flow into the first slot that can be had, where it is not found yet.
    #[inline(always)]
    pub fn announce(&self, first: u32, key: &K, record: &Record, now: Tick) -> Put {
        if self.live(first, key).is_some() {
            return Put::Exists;
        }
        for step in 0..WAYS {
            let slot = self.slot(first, step);
            let before = slot.tag.load();
            if !is_free(before, now) {
                continue;
            }
            let writing = taken(before);
            if !slot.tag.compare_exchange(before, writing) {
                continue;
            }
            for (there, word) in slot.key.as_ref().iter().zip(key.words().as_ref()) {
                there.store(*word);
            }
            slot.flow.write(record);
            // Nobody else moves this tag; the exchange orders it behind what was written.
            let announced = in_state(writing, ANNOUNCED);
            let _ = slot.tag.compare_exchange(writing, announced);
            let tag = unpack(announced).0;
            return Put::Announced(Announcement { step, tag });
        }
        Put::Full
    }

    /// Settles with others that have put in the same flow, and makes it live; false if another one is the flow's. Where the flow
    /// `is_beside`, it is taken back.
    #[inline(always)]
    pub fn confirm(
        &self,
        first: u32,
        announcement: Announcement,
        is_beside: bool,
        now: Tick,
    ) -> bool {
        let (own, tag) = (announcement.step, announcement.tag.into());
        let slot = self.slot(first, own);
        let yields = |step| self.yields(first, step, own, now);
        // Written out: a loop takes more stack than there is.
        let wins = !is_beside
            && (yields(0) && yields(1) && yields(2) && yields(3))
            && (yields(4) && yields(5) && yields(6) && yields(7));
        let outcome = if wins {
            in_state(tag, LIVE)
        } else {
            gone(tag, now)
        };
        // If this fails, another one has struck it out.
        slot.tag.compare_exchange(tag, outcome) && wins
    }

    /// Whether a slot leaves the flow that is announced in slot `own` of the search to the CPU that has announced it.
    #[inline(always)]
    fn yields(&self, first: u32, step: u32, own: u32, now: Tick) -> bool {
        let other = self.slot(first, step);
        step == own || !other.is_alike(self.slot(first, own)) || other.gives_way(step < own, now)
    }

    /// Strikes out what others have announced of a flow that now lies in the overflow; false if one of them is live.
    #[inline(always)]
    pub fn strike_out(&self, first: u32, key: &K, now: Tick) -> bool {
        let mut wins = true;
        for step in 0..WAYS {
            let other = self.slot(first, step);
            if other.holds(key) {
                wins = wins && other.gives_way(false, now);
            }
        }
        wins
    }

    /// Removes a flow; false if it was not there.
    #[inline(always)]
    pub fn remove(&self, first: u32, key: &K, now: Tick) -> bool {
        self.live(first, key)
            .is_some_and(|(slot, tag)| slot.tag.compare_exchange(tag, gone(tag, now)))
    }
}
