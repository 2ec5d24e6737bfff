//! Slots and overflow as one table: where a flow is found, put in, and removed.

use super::{Announcement, Put, Set, Spread};
use crate::{
    abi::flow::{Flow, Record, Word},
    flow::FlowKey,
    tick::Tick,
    world::Insertion,
};

/// The parts of a table of one address family. In the kernel these are maps.
pub trait Parts<K: FlowKey> {
    /// A shared word.
    type Word: Word;
    /// A flow that was found.
    type Found;

    /// How flows are spread; `None` only if the map is missing.
    fn spread(&self) -> Option<&Spread<Self::Word>>;

    /// A set by its index.
    fn set(&self, index: u32) -> Option<&Set<Self::Word, K>>;

    /// A flow in a slot as one that was found.
    fn found(flow: &Flow<Self::Word>) -> Self::Found;

    /// How many flows lie in the overflow.
    fn overflowing(spread: &Spread<Self::Word>) -> &Self::Word;

    /// A flow in the overflow.
    fn beside(&self, key: &K) -> Option<Self::Found>;

    /// Adds a flow to the overflow unless there is one under `key`.
    fn put_beside(&self, key: &K, record: &Record) -> Insertion;

    /// Removes a flow from the overflow; false if it was not there.
    fn remove_beside(&self, key: &K) -> bool;

    /// [`announce`]. Parts may do this in a function of its own.
    fn announce(&self, key: &K, record: &Record, now: Tick) -> Put;

    /// [`confirm`]. Parts may do this in a function of its own.
    fn confirm(&self, key: &K, announcement: Announcement, is_beside: bool, now: Tick) -> bool;

    /// [`strike_out`]. Parts may do this in a function of its own.
    fn strike_out(&self, key: &K, now: Tick) -> bool;
}

/// A flow of the table.
#[inline(always)]
pub fn find<K: FlowKey, P: Parts<K>>(parts: &P, key: &K) -> Option<P::Found> {
    in_slot(parts, key).or_else(|| beside(parts, key))
}

/// A flow that lies in its slot.
#[inline(always)]
pub fn in_slot<K: FlowKey, P: Parts<K>>(parts: &P, key: &K) -> Option<P::Found> {
    let spread = parts.spread()?;
    let spot = spread.spot(key.words().as_ref());
    parts.set(spot.set)?.find(spot.first, key).map(P::found)
}

/// A flow that lies in the overflow, if anything does.
#[inline(always)]
pub fn beside<K: FlowKey, P: Parts<K>>(parts: &P, key: &K) -> Option<P::Found> {
    if P::overflowing(parts.spread()?).load() == 0 {
        return None;
    }
    parts.beside(key)
}

/// Adds a flow unless there is one under `key`.
#[inline(always)]
pub fn insert<K: FlowKey, P: Parts<K>>(
    parts: &P,
    key: &K,
    record: &Record,
    now: Tick,
) -> Insertion {
    let Some(spread) = parts.spread() else {
        return Insertion::Full;
    };
    match parts.announce(key, record, now) {
        Put::Exists => Insertion::Exists,
        Put::Announced(announcement) => {
            let is_beside = P::overflowing(spread).load() != 0 && parts.beside(key).is_some();
            if parts.confirm(key, announcement, is_beside, now) {
                Insertion::Done
            } else {
                Insertion::Exists
            }
        }
        Put::Full => insert_beside(parts, key, record, P::overflowing(spread), now),
    }
}

/// Adds a flow to the overflow. Whoever announces it later finds it there; whoever has announced it already is struck out.
#[inline(always)]
fn insert_beside<K: FlowKey, P: Parts<K>>(
    parts: &P,
    key: &K,
    record: &Record,
    overflowing: &P::Word,
    now: Tick,
) -> Insertion {
    // Counted first, or others would not look for what they must find.
    overflowing.count(true);
    let put = parts.put_beside(key, record);
    if put != Insertion::Done {
        overflowing.count(false);
        return put;
    }
    barrier(overflowing);
    if parts.strike_out(key, now) {
        return Insertion::Done;
    }
    if parts.remove_beside(key) {
        overflowing.count(false);
    }
    Insertion::Exists
}

/// [`Set::announce`] in the set that the key belongs to.
#[inline(always)]
pub fn announce<K: FlowKey, P: Parts<K>>(parts: &P, key: &K, record: &Record, now: Tick) -> Put {
    match placed(parts, key) {
        Some((set, first)) => set.announce(first, key, record, now),
        None => Put::Full,
    }
}

/// [`Set::confirm`], likewise.
#[inline(always)]
pub fn confirm<K: FlowKey, P: Parts<K>>(
    parts: &P,
    key: &K,
    announcement: Announcement,
    is_beside: bool,
    now: Tick,
) -> bool {
    placed(parts, key).is_some_and(|(set, first)| set.confirm(first, announcement, is_beside, now))
}

/// [`Set::strike_out`], likewise.
#[inline(always)]
pub fn strike_out<K: FlowKey, P: Parts<K>>(parts: &P, key: &K, now: Tick) -> bool {
    placed(parts, key).is_none_or(|(set, first)| set.strike_out(first, key, now))
}

/// A key's set, and the slot that comes first in it; `None` without sets.
#[inline(always)]
fn placed<'a, K: FlowKey, P: Parts<K>>(
    parts: &'a P,
    key: &K,
) -> Option<(&'a Set<P::Word, K>, u32)> {
    let spread = parts.spread()?;
    let spot = spread.spot(key.words().as_ref());
    if spread.sets == 0 {
        return None;
    }
    Some((parts.set(spot.set)?, spot.first))
}

/// Removes a flow; false if it was not there.
#[inline(always)]
pub fn remove<K: FlowKey, P: Parts<K>>(parts: &P, key: &K, now: Tick) -> bool {
    let Some(spread) = parts.spread() else {
        return false;
    };
    let in_slot = placed(parts, key).is_some_and(|(set, first)| set.remove(first, key, now));
    if in_slot {
        return true;
    }
    let beside = P::overflowing(spread).load() != 0 && parts.remove_beside(key);
    if beside {
        P::overflowing(spread).count(false);
    }
    beside
}

/// What was written before is there for all CPUs before anything is read afterwards.
#[inline(always)]
fn barrier<W: Word>(word: &W) {
    let same = word.load();
    let _ = word.compare_exchange(same, same);
}
