//! A set with its prints: how flows are found in it by their prints, put in, and removed.

use super::{
    Announcement, Put, Set, Slot, Spot, WAYS,
    prints::{self, Prints},
    tag::{ANNOUNCED, ENDING, FREE, LIVE, gone, in_state, is_free, is_vacant, state, taken},
};
use crate::{
    abi::flow::{Record, Word, unpack},
    claim::{claim, unclaim},
    expiry::Place,
    flow::FlowKey,
    tick::Tick,
};

/// A set and the word beside it.
pub struct Shelf<'a, W, K: FlowKey> {
    /// The slots.
    pub set: &'a Set<W, K>,
    /// Their prints.
    pub prints: &'a W,
}

/// Octets of a cache line.
const LINE: usize = 64;

/// A flow that is to be put in.
pub struct New<'a, K> {
    /// Its key.
    pub key: &'a K,
    /// Where the key belongs in the table.
    pub home: Spot,
    /// The flow.
    pub record: &'a Record,
}

/// How many slots are compared where one must make room. Of half-open flows the one goes that came first; of the history, one that is
/// in use must not go before one that is not.
const fn compared(place: Place) -> u32 {
    match place {
        Place::Translated => 0,
        Place::HalfOpen => 1,
        Place::History => WAYS,
    }
}

impl<W: Word, K: FlowKey> Shelf<'_, W, K> {
    /// Number and tag of the slot in which a flow is live.
    #[must_use]
    #[inline(always)]
    pub fn seek(&self, home: Spot, key: &K) -> Option<(u32, u64)> {
        let prints = Prints::of(self.prints);
        for nth in 0..WAYS {
            if !prints.may_hold(nth, home.print) {
                continue;
            }
            let slot = self.set.slot(nth);
            let tag = slot.tag.load_first();
            if state(tag) == LIVE && slot.holds(key) {
                return Some((W::unknown(nth), tag));
            }
        }
        None
    }

    /// Reads a word of the slot that a new flow would take, for the sake of the processor's caches.
    #[inline(always)]
    pub fn touch(&self, home: Spot) {
        let prints = Prints::of(self.prints);
        let nth = if prints.are_all() {
            prints.hand()
        } else {
            home.first
        };
        let slot = self.set.slot(nth);
        let _ = slot.tag.load();
        if size_of::<Slot<W, K>>() > LINE {
            let _ = slot.flow.life.load();
        }
    }

    /// Puts a flow into the first slot that can be had, where it is not found yet.
    #[must_use]
    #[inline(always)]
    pub fn announce(&self, place: Place, new: &New<'_, K>, now: Tick) -> Put {
        if self.seek(new.home, new.key).is_some() {
            return Put::Exists;
        }
        let prints = Prints::of(self.prints);
        for step in 0..WAYS {
            let nth = (new.home.first ^ step) % WAYS;
            if !prints.is_empty(nth) {
                continue;
            }
            let slot = self.set.slot(nth);
            let before = slot.tag.load();
            let is_free = match place {
                Place::Translated => is_free(before, now),
                Place::HalfOpen | Place::History => is_vacant(before),
            };
            if is_free && slot.tag.compare_exchange(before, taken(before)) {
                let noted = prints::put(self.prints, nth, new.home.print);
                return self.fill(W::unknown(nth), taken(before), noted, new, now);
            }
        }
        let Some((nth, writing)) = self.make_room(place, now) else {
            return Put::Full;
        };
        let noted = prints::put_and_turn(self.prints, nth, new.home.print);
        self.fill(nth, writing, noted, new, now)
    }

    /// Fills a slot that this CPU has taken, if its print was `noted`.
    #[inline(always)]
    fn fill(&self, nth: u32, writing: u64, noted: bool, new: &New<'_, K>, now: Tick) -> Put {
        let slot = self.set.slot(nth);
        if !noted {
            let _ = slot.tag.compare_exchange(writing, gone(writing, now));
            return Put::Full;
        }
        for (there, word) in slot.key.as_ref().iter().zip(new.key.words().as_ref()) {
            there.store(*word);
        }
        slot.flow.write(new.record);
        // Nobody else moves this tag; the exchange orders it behind what was written.
        let announced = in_state(writing, ANNOUNCED);
        let _ = slot.tag.compare_exchange(writing, announced);
        let tag = unpack(announced).0;
        Put::Announced(Announcement { nth, tag })
    }

    /// Takes a slot from the flow in it: of so many from the hand on, the one that has been silent for longest, unless somebody is
    /// deciding on that flow. Whoever evicts it has claimed it, so that nobody decides on what is not there any more.
    #[inline(always)]
    fn evict(&self, compared: u32, now: Tick) -> Option<(u32, u64)> {
        let hand = Prints::of(self.prints).hand();
        let (mut victim, mut longest, mut before) = (0, 0, FREE.into());
        for step in 0..WAYS {
            if step >= compared {
                break;
            }
            let nth = hand.wrapping_add(step) % WAYS;
            let slot = self.set.slot(nth);
            let tag = slot.tag.load_first();
            let (_, seen) = unpack(slot.flow.life.load());
            let silence = now.since(Tick(seen));
            if state(tag) == LIVE && (state(before) != LIVE || silence > longest) {
                (victim, longest, before) = (nth, silence, tag);
            }
        }
        // Where another CPU has made room meanwhile, what was looked at may be its new flow.
        if state(before) != LIVE || Prints::of(self.prints).hand() != hand {
            return None;
        }
        let slot = self.set.slot(victim);
        claim(&slot.flow, 1)?;
        if slot.tag.compare_exchange(before, taken(before)) {
            return Some((victim, taken(before)));
        }
        unclaim(&slot.flow);
        None
    }

    /// The same once more, where another CPU was faster.
    #[inline(always)]
    fn make_room(&self, place: Place, now: Tick) -> Option<(u32, u64)> {
        let compared = compared(place);
        self.evict(compared, now)
            .or_else(|| self.evict(compared, now))
    }

    /// Settles with others that have put in the same flow, and makes it live; false if another one is the flow's. Where the flow
    /// `is_beside`, it is taken back.
    #[must_use]
    #[inline(always)]
    pub fn confirm(
        &self,
        home: Spot,
        announcement: Announcement,
        is_beside: bool,
        now: Tick,
    ) -> bool {
        let (own, tag) = (announcement.nth, announcement.tag.into());
        let slot = self.set.slot(own);
        let prints = Prints::of(self.prints);
        let yields = |nth| !prints.may_hold(nth, home.print) || self.yields(nth, own);
        // Written out: a loop takes more stack than there is.
        let wins = !is_beside
            && (yields(0) && yields(1) && yields(2) && yields(3))
            && (yields(4) && yields(5) && yields(6) && yields(7));
        if wins && slot.tag.compare_exchange(tag, in_state(tag, LIVE)) {
            return true;
        }
        // If this fails, another one has struck it out.
        let _ = slot.tag.compare_exchange(tag, in_state(tag, ENDING));
        self.end(own, tag, now);
        false
    }

    /// Whether a slot leaves the flow that is announced in slot `own` to the CPU that has announced it.
    #[inline(always)]
    fn yields(&self, nth: u32, own: u32) -> bool {
        let other = self.set.slot(nth);
        nth == own || !other.is_alike(self.set.slot(own)) || gives_way(other, nth < own)
    }

    /// Wipes out the print of a slot that is ending, and gives the slot up.
    #[inline(always)]
    fn end(&self, nth: u32, tag: u64, now: Tick) {
        let _ = prints::put(self.prints, nth, 0);
        let ending = in_state(tag, ENDING);
        let _ = self
            .set
            .slot(nth)
            .tag
            .compare_exchange(ending, gone(tag, now));
    }

    /// Strikes out what others have announced of a flow that now lies in the overflow; false if one of them is live.
    #[inline(always)]
    pub fn strike_out(&self, home: Spot, key: &K) -> bool {
        let prints = Prints::of(self.prints);
        let mut wins = true;
        for nth in 0..WAYS {
            if !prints.may_hold(nth, home.print) {
                continue;
            }
            let other = self.set.slot(nth);
            if other.holds(key) {
                wins = wins && gives_way(other, false);
            }
        }
        wins
    }

    /// Removes a flow; false if it was not there.
    #[inline(always)]
    pub fn remove(&self, home: Spot, key: &K, now: Tick) -> bool {
        let Some((nth, tag)) = self.seek(home, key) else {
            return false;
        };
        let slot = self.set.slot(nth);
        let removed = slot.tag.compare_exchange(tag, in_state(tag, ENDING));
        if removed {
            self.end(nth, tag, now);
        }
        removed
    }
}

/// Whether a slot of the same key leaves the flow to another CPU: it has only been announced, later in the set, and could be struck out.
/// What is being written will see the other's announcement.
#[inline(always)]
fn gives_way<W: Word, K: FlowKey>(slot: &Slot<W, K>, is_before: bool) -> bool {
    let tag = slot.tag.load();
    match state(tag) {
        LIVE => false,
        ANNOUNCED if is_before => false,
        ANNOUNCED => {
            slot.tag.compare_exchange(tag, in_state(tag, ENDING)) || state(slot.tag.load()) != LIVE
        }
        _ => true,
    }
}
