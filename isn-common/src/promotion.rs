//! Out of the half-open flows: when a handshake is complete, the entry goes where it has a right to stay (S16, S17).
//!
//! With a translation of its own it goes among the translated flows, which nothing evicts; otherwise, into the history. What floods
//! make never gets here: it takes an acknowledgment of the host's number by the peer, and in a connection that the host
//! opens the host's own answer to that.

use crate::{
    abi::{
        flow::{Control, Flow, Record, Word, pack, unpack},
        settings::Settings,
    },
    claim::{claim, unclaim},
    connection,
    counter::Counter,
    flow::{Address, Direction},
    room::{Admission, Share},
    segment::Segment,
    world::{Insertion, Tables},
};

/// Whether a segment that the entry has just been told of completes the handshake.
#[must_use]
#[inline(always)]
pub fn is_due(control: Control, direction: Direction, segment: &Segment) -> bool {
    let complete = control.has(Control::HOST_SYN | Control::ANSWERED)
        && control.0 & (Control::STAYS | Control::MOVED | Control::CLAIMED) == 0;
    let confirms = match direction {
        Direction::Outbound => segment.flags.ack(),
        Direction::Inbound => control.has(Control::PASSIVE),
    };
    complete && confirms && !segment.flags.rst() && !segment.flags.syn()
}

/// Moves a flow whose handshake is complete out of the half-open ones. If it cannot be moved it stays there, and is followed
/// for as long as it is not evicted.
#[inline(always)]
pub fn promote<A: Address, W: Tables<A>>(world: &W, key: &A::Key) {
    let Some(flow) = world.half_open(key) else {
        return;
    };
    let Some(life) = claim(&*flow, 1) else {
        return;
    };
    if !world.is_intact(&flow) {
        unclaim(&*flow);
        return;
    }
    let record = Record {
        life,
        ..flow.record()
    };
    let left = if record.control().has(Control::MOVED) {
        0
    } else if belongs_among_translated(world, key, record.control()) {
        among_translated(world, key, &record)
    } else {
        into_history(world, key, &record)
    };
    if left == Control::MOVED {
        world.count(Counter::Promoted, 1);
        hand_over(world, key, &*flow, life);
    } else {
        let (bits, seen) = unpack(life);
        flow.life.store(pack(bits | left, seen));
    }
}

/// Whether nothing may evict the entry: its translation is its own, or while there is room, it is not what a segment without an
/// entry would have now.
#[inline(always)]
fn belongs_among_translated<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    control: Control,
) -> bool {
    if control.has(Control::OWN) {
        return true;
    }
    let differs = |settings: &Settings| {
        let keyed = &settings.keyed;
        keyed.is_adopting(world.now()) || !control.is_of_generation(keyed.generation)
    };
    control.has(Control::KEYED)
        && world.settings().is_some_and(differs)
        && world.admission(key) == Admission::Admitted
}

/// The bit with which the old entry is left.
#[inline(always)]
fn into_history<A: Address, W: Tables<A>>(world: &W, key: &A::Key, record: &Record) -> u32 {
    if !world.takes_share(key, Share::History) {
        world.count(Counter::MemoryShareExceeded, 1);
        return Control::STAYS;
    }
    match world.insert_history(key, record) {
        Insertion::Done => world.count(Counter::HistoryInserted, 1),
        // A leftover of the incarnation before.
        Insertion::Exists if world.replace_history(key, record) => {}
        Insertion::Exists | Insertion::Full => return Control::STAYS,
    }
    Control::MOVED
}

/// The same for a flow with a translation of its own. There is room, since each offset was admitted and no more are under way than the
/// table has places beyond its limit; if there is none after all, the next segment tries again.
#[inline(always)]
fn among_translated<A: Address, W: Tables<A>>(world: &W, key: &A::Key, record: &Record) -> u32 {
    match world.insert_translated(key, record) {
        Insertion::Done => {
            world.account(key, true);
            Control::MOVED
        }
        Insertion::Exists => Control::MOVED,
        Insertion::Full => 0,
    }
}

/// Attempts to leave the old entry against other CPUs.
const ATTEMPTS: u32 = 4;

/// Leaves the old entry behind. What another CPU has noted in it meanwhile, a FIN for example, is noted in the new one.
#[inline(always)]
pub fn hand_over<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    old: &Flow<W::Word>,
    life: u64,
) {
    let mut known = life | u64::from(Control::CLAIMED);
    for _ in 0..ATTEMPTS {
        let left = (known & !u64::from(Control::CLAIMED)) | u64::from(Control::MOVED);
        if old.life.compare_exchange(known, left) {
            return;
        }
        known = old.life.load();
        let (bits, seen) = unpack(known);
        let new = world.translated(key).or_else(|| world.history(key));
        if let Some(new) = new {
            let set = bits & !(Control::CLAIMED | unpack(life).0);
            connection::take_over(&*new, set, seen);
        }
    }
    old.life.store(life | u64::from(Control::MOVED));
}
