//! The tables over sets, prints and overflow: where a flow is found, put in, and removed.

use super::{
    Announcement, New, Position, Put, Set, Shelf, Spot, Spread, Spreading, tag::times_taken,
};
use crate::{
    abi::flow::{Control, Flow, Record, Word, unpack},
    claim::{PATIENCE, claim, unclaim},
    expiry::Place,
    flow::FlowKey,
    tick::Tick,
    world::Insertion,
};

/// The parts of the tables of one address family. In the kernel these are maps.
pub trait Parts<K: FlowKey> {
    /// A shared word.
    type Word: Word;
    /// A flow that was found.
    type Found;

    /// How flows are spread.
    fn spread(&self) -> &Spread;

    /// The same with what is counted; `None` only if the map is missing.
    fn spreading(&self) -> Option<&Spreading<Self::Word>>;

    /// A set by its index.
    fn set(&self, index: u32) -> Option<&Set<Self::Word, K>>;

    /// The prints of a set by its index.
    fn prints(&self, index: u32) -> Option<&Self::Word>;

    /// A flow in a slot as one that was found, while the slot has this tag; 0 where nobody will ask.
    fn found(flow: &Flow<Self::Word>, tag: u64) -> Self::Found;

    /// How many flows lie in the overflow.
    fn overflowing(spreading: &Spreading<Self::Word>) -> &Self::Word;

    /// A flow in the overflow.
    fn beside(&self, key: &K) -> Option<Self::Found>;

    /// Adds a flow to the overflow unless there is one under `key`.
    fn put_beside(&self, key: &K, record: &Record) -> Insertion;

    /// Removes a flow from the overflow; false if it was not there.
    fn remove_beside(&self, key: &K) -> bool;

    /// [`announce`]. Parts may do this in a function of its own.
    fn announce(&self, place: Place, key: &K, record: &Record, now: Tick) -> Put;

    /// [`confirm`]. Parts may do this in a function of its own.
    fn confirm(
        &self,
        place: Place,
        key: &K,
        announcement: Announcement,
        is_beside: bool,
        now: Tick,
    ) -> bool;

    /// [`strike_out`]. Parts may do this in a function of its own.
    fn strike_out(&self, key: &K) -> bool;
}

/// A flow on which all is settled, translated or of the history: the way of nearly every packet. A hash serves both tables. `beside` finds it in the
/// overflow.
#[inline(always)]
pub fn settled<K: FlowKey, P: Parts<K>>(
    parts: &P,
    key: &K,
    beside: impl FnOnce() -> Option<P::Found>,
) -> Option<P::Found> {
    let spread = parts.spread();
    let hash = spread.hash(key.words().as_ref());
    let home = spread.spot_of(Place::Translated, hash);
    if let Some(flow) = parts.set(home.set)?.find(home.first, key) {
        return Some(P::found(flow, 0));
    }
    if P::overflowing(parts.spreading()?).load() != 0
        && let Some(found) = beside()
    {
        return Some(found);
    }
    let home = spread.spot_of(Place::History, hash);
    let shelf = shelf(parts, home)?;
    let (nth, tag) = shelf.seek(home, key)?;
    Some(P::found(shelf.set.slot(nth).flow(), tag))
}

/// A flow of the translated ones that lies in the overflow, if anything does.
#[inline(always)]
pub fn beside<K: FlowKey, P: Parts<K>>(parts: &P, key: &K) -> Option<P::Found> {
    if P::overflowing(parts.spreading()?).load() == 0 {
        return None;
    }
    parts.beside(key)
}

/// In which slot of a table a flow lies, as a number; 0 if in none.
#[inline(always)]
pub fn locate<K: FlowKey, P: Parts<K>>(parts: &P, place: Place, key: &K) -> u64 {
    let spread = parts.spread();
    locate_hashed(parts, spread, place, key, spread.hash(key.words().as_ref()))
}

/// The same for a flow with this hash.
#[inline(always)]
fn locate_hashed<K: FlowKey, P: Parts<K>>(
    parts: &P,
    spread: &Spread,
    place: Place,
    key: &K,
    hash: u64,
) -> u64 {
    let home = spread.spot_of(place, hash);
    let found = shelf(parts, home).and_then(|shelf| shelf.seek(home, key));
    found.map_or(0, |(nth, tag)| {
        let position = Position {
            place,
            set: home.set,
            nth,
            times_taken: times_taken(tag),
        };
        position.to_bits()
    })
}

/// Begins to fetch what the SYN of a flow needs that nobody knows yet: what is in its set of each table, and the slot that it will
/// take. Nothing waits for what is read here, so that the processor goes on while memory answers, and asks for all of it at once.
#[inline(always)]
pub fn expect<K: FlowKey, P: Parts<K>>(parts: &P, key: &K) {
    let spread = parts.spread();
    let hash = spread.hash(key.words().as_ref());
    let half_open = spread.spot_of(Place::HalfOpen, hash);
    if let Some(shelf) = shelf(parts, half_open) {
        shelf.touch(half_open);
    }
    for place in [Place::Translated, Place::History] {
        if let Some(prints) = parts.prints(spread.spot_of(place, hash).set) {
            let _ = prints.load();
        }
    }
}

/// In which slot the entry of a flow lies that counts, as [`locate`] says it: what [`crate::world::Tables::find`] finds, but for the
/// overflow.
#[inline(always)]
pub fn locate_what_counts<K: FlowKey, P: Parts<K>>(parts: &P, key: &K) -> u64 {
    let spread = parts.spread();
    let hash = spread.hash(key.words().as_ref());
    let translated = locate_hashed(parts, spread, Place::Translated, key, hash);
    if translated != 0 {
        return translated;
    }
    let history = locate_hashed(parts, spread, Place::History, key, hash);
    if history != 0 && !is_left(parts, history) {
        return history;
    }
    let half_open = locate_hashed(parts, spread, Place::HalfOpen, key, hash);
    if half_open == 0 {
        return history;
    }
    if !is_left(parts, half_open) {
        return half_open;
    }
    // It has moved, maybe while it was looked for: it was put in there before it was marked here.
    let translated = locate_hashed(parts, spread, Place::Translated, key, hash);
    if translated != 0 {
        return translated;
    }
    locate_hashed(parts, spread, Place::History, key, hash)
}

/// Whether what lies in a slot was left behind.
#[inline(always)]
fn is_left<K: FlowKey, P: Parts<K>>(parts: &P, located: u64) -> bool {
    let at = Position::from_bits(located);
    parts.set(at.set).is_some_and(|set| {
        let life = set.slot(at.nth).flow().life.load();
        Control(unpack(life).0).has(Control::MOVED)
    })
}

/// The flow that was located there, with its table.
#[inline(always)]
pub fn at<K: FlowKey, P: Parts<K>>(parts: &P, located: u64) -> Option<(Place, P::Found)> {
    if located == 0 {
        return None;
    }
    let at = Position::from_bits(located);
    let flow = parts.set(at.set)?.slot(at.nth).flow();
    Some((at.place, P::found(flow, at.tag())))
}

/// Adds a flow to a table unless there is one under `key`.
#[inline(always)]
pub fn insert<K: FlowKey, P: Parts<K>>(
    parts: &P,
    place: Place,
    key: &K,
    record: &Record,
    now: Tick,
) -> Insertion {
    let Some(spreading) = parts.spreading() else {
        return Insertion::Full;
    };
    match parts.announce(place, key, record, now) {
        Put::Exists => Insertion::Exists,
        Put::Announced(announcement) => {
            let is_beside = matches!(place, Place::Translated)
                && P::overflowing(spreading).load() != 0
                && parts.beside(key).is_some();
            if parts.confirm(place, key, announcement, is_beside, now) {
                Insertion::Done
            } else {
                Insertion::Exists
            }
        }
        Put::Full if matches!(place, Place::Translated) => {
            insert_beside(parts, key, record, P::overflowing(spreading))
        }
        Put::Full => Insertion::Full,
    }
}

/// Adds a flow to the overflow. Whoever announces it later finds it there; whoever has announced it already is struck out.
#[inline(always)]
fn insert_beside<K: FlowKey, P: Parts<K>>(
    parts: &P,
    key: &K,
    record: &Record,
    overflowing: &P::Word,
) -> Insertion {
    // Counted first, or others would not look for what they must find.
    overflowing.count(true);
    let put = parts.put_beside(key, record);
    if put != Insertion::Done {
        overflowing.count(false);
        return put;
    }
    barrier(overflowing);
    if parts.strike_out(key) {
        return Insertion::Done;
    }
    if parts.remove_beside(key) {
        overflowing.count(false);
    }
    Insertion::Exists
}

/// Replaces what lies under `key` in a table whose flows may be evicted; false if nothing does, or if somebody is deciding on it.
#[inline(always)]
pub fn replace<K: FlowKey, P: Parts<K>>(parts: &P, place: Place, key: &K, record: &Record) -> bool {
    let Some((shelf, home)) = placed(parts, place, key) else {
        return false;
    };
    let Some((nth, tag)) = shelf.seek(home, key) else {
        return false;
    };
    let slot = shelf.set.slot(nth);
    if claim(&slot.flow, PATIENCE).is_none() {
        return false;
    }
    // Whoever would evict it has to claim it.
    if slot.tag.load() != tag {
        unclaim(&slot.flow);
        return false;
    }
    slot.flow.write(record);
    true
}

/// [`Shelf::announce`] in the set that the key belongs to.
#[inline(always)]
pub fn announce<K: FlowKey, P: Parts<K>>(
    parts: &P,
    place: Place,
    key: &K,
    record: &Record,
    now: Tick,
) -> Put {
    match placed(parts, place, key) {
        Some((shelf, home)) => shelf.announce(place, &New { key, home, record }, now),
        None => Put::Full,
    }
}

/// [`Shelf::confirm`], likewise.
#[inline(always)]
pub fn confirm<K: FlowKey, P: Parts<K>>(
    parts: &P,
    place: Place,
    key: &K,
    announcement: Announcement,
    is_beside: bool,
    now: Tick,
) -> bool {
    placed(parts, place, key)
        .is_some_and(|(shelf, home)| shelf.confirm(home, announcement, is_beside, now))
}

/// [`Shelf::strike_out`], likewise.
#[inline(always)]
pub fn strike_out<K: FlowKey, P: Parts<K>>(parts: &P, key: &K) -> bool {
    placed(parts, Place::Translated, key).is_none_or(|(shelf, home)| shelf.strike_out(home, key))
}

/// Where a key belongs in a table; `None` without sets.
#[inline(always)]
fn placed<'a, K: FlowKey, P: Parts<K>>(
    parts: &'a P,
    place: Place,
    key: &K,
) -> Option<(Shelf<'a, P::Word, K>, Spot)> {
    let spread = parts.spread();
    if spread.sets[place as usize] == 0 {
        return None;
    }
    let home = spread.spot(place, key.words().as_ref());
    Some((shelf(parts, home)?, home))
}

#[inline(always)]
fn shelf<K: FlowKey, P: Parts<K>>(parts: &P, home: Spot) -> Option<Shelf<'_, P::Word, K>> {
    Some(Shelf {
        set: parts.set(home.set)?,
        prints: parts.prints(home.set)?,
    })
}

/// Removes a flow from a table; false if it was not there.
#[inline(always)]
pub fn remove<K: FlowKey, P: Parts<K>>(parts: &P, place: Place, key: &K, now: Tick) -> bool {
    let in_slot =
        placed(parts, place, key).is_some_and(|(shelf, home)| shelf.remove(home, key, now));
    if in_slot || !matches!(place, Place::Translated) {
        return in_slot;
    }
    let Some(spreading) = parts.spreading() else {
        return false;
    };
    let beside = P::overflowing(spreading).load() != 0 && parts.remove_beside(key);
    if beside {
        P::overflowing(spreading).count(false);
    }
    beside
}

/// What was written before is there for all CPUs before anything is read afterwards.
#[inline(always)]
fn barrier<W: Word>(word: &W) {
    let same = word.load();
    let _ = word.compare_exchange(same, same);
}
