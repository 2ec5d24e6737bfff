//! One CPU among several that decides on a flow: it claims the entry, and makes sure that the entry is still the flow's.

use crate::{
    abi::flow::{Control, Flow, Word, unpack},
    expiry::Place,
    flow::Address,
    world::{Held, Tables},
};

/// Attempts to claim a flow: far more than another CPU needs for a decision.
pub const PATIENCE: u32 = 64;

/// Makes this CPU the only one that decides on the flow. Gives its life word from before, which
/// must be stored again, as it is or anew, to end the claim.
#[inline(always)]
pub fn claim<W: Word>(flow: &Flow<W>, attempts: u32) -> Option<u64> {
    for _ in 0..attempts {
        let life = flow.life.load();
        let claimed = life | u64::from(Control::CLAIMED);
        if life != claimed && flow.life.compare_exchange(life, claimed) {
            return Some(life);
        }
    }
    None
}

/// Ends a claim on an entry that has turned out to be another flow's, whatever was written to it meanwhile.
#[inline(always)]
pub fn unclaim<W: Word>(flow: &Flow<W>) {
    for _ in 0..PATIENCE {
        let life = flow.life.load();
        if flow
            .life
            .compare_exchange(life, life & !u64::from(Control::CLAIMED))
        {
            return;
        }
    }
}

/// Whether the entry is the flow's own, and the one that counts, now that it is claimed. Before, it could be removed and its
/// memory given to another flow, or be left behind.
#[inline(always)]
pub fn is_still<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    held: &Held<W::Found>,
    life: u64,
) -> bool {
    let is_left = Control(unpack(life).0).has(Control::MOVED);
    // A leftover in the history counts where the entry that it was left for is lost.
    let is_lost = held.place == Place::History
        && world
            .find_given(key)
            .is_some_and(|now| now.place == Place::History);
    world.is_there(key, held) && (!is_left || is_lost)
}
