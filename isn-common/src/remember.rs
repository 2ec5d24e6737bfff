//! Where a flow of which nothing is known comes to be remembered: among the half-open ones, within the share of its host
//! (S8, S17).

use crate::{
    abi::{
        flow::{Control, Record, Word as _, unpack},
        maps::SHARES_LENGTH,
        settings::{Limits, Settings},
    },
    counter::Counter,
    flow::{Address, FlowKey as _},
    opening,
    room::{self, Share},
    tcp::{options::SynOptions, seq::Seq},
    tick::Tick,
    world::{Insertion, Tables},
};

/// What became of a flow of which nothing was remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It is remembered now.
    Kept,
    /// It is not: its host has used up its share.
    None,
    /// Another CPU was faster.
    Contended,
}

/// Puts the entry of a flow of which nothing is remembered among the half-open ones, if its host has not used up its share.
/// A leftover under the key makes room.
#[inline(always)]
pub fn remember<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    record: &Record,
    settings: &Settings,
    now: Tick,
) -> Memory {
    if !takes_share_at(world, key, Share::HalfOpen, settings, now) {
        world.count(Counter::MemoryShareExceeded, 1);
        return Memory::None;
    }
    match world.insert_half_open(key, record) {
        Insertion::Done => world.count(Counter::HalfOpenInserted, 1),
        Insertion::Exists if give_way(world, key, record) => {}
        Insertion::Exists => return Memory::Contended,
        Insertion::Full => return Memory::None,
    }
    Memory::Kept
}

/// Puts an entry in the place of a leftover; false if what lies there is none.
#[inline(always)]
fn give_way<A: Address, W: Tables<A>>(world: &W, key: &A::Key, record: &Record) -> bool {
    let is_leftover = world
        .half_open(key)
        .is_some_and(|there| Control(unpack(there.life.load()).0).has(Control::MOVED));
    is_leftover && world.replace_half_open(key, record)
}

/// Counts one more of what the flow's host has a share of; false if it has used that up.
#[inline(always)]
pub fn takes_share<A: Address, W: Tables<A>>(world: &W, key: &A::Key, of: Share) -> bool {
    let Some(settings) = world.settings() else {
        return true;
    };
    takes_share_at(world, key, of, settings, world.now())
}

/// The same, where settings and time have been asked for.
#[inline(always)]
pub fn takes_share_at<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    of: Share,
    settings: &Settings,
    now: Tick,
) -> bool {
    let (window, most) = match of {
        Share::HalfOpen => (Limits::HALF_OPEN_WINDOW, settings.limits.half_open_share),
        Share::History => (settings.history, settings.limits.history_share),
        Share::SamplesOfGuarded | Share::SamplesOfOthers => {
            (Limits::SAMPLE_WINDOW, settings.limits.sample_share)
        }
    };
    let index = room::cell(key.fold_host(), of, SHARES_LENGTH);
    world
        .share(index)
        .is_none_or(|cell| room::take(cell, now, window, most))
}

/// Remembers what a SYN of the peer says, to a guarded host, of a flow that is not known.
#[inline(always)]
pub fn await_answer<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    peer_next: Seq,
    options: SynOptions,
) {
    if world.mode(key, true).is_some() && joins_endpoints::<A>(key) {
        let Some(settings) = world.settings() else {
            return;
        };
        let now = world.now();
        let record = opening::awaited(peer_next, &options, now);
        remember(world, key, &record, settings, now);
    }
}

/// Whether both ends of a flow have addresses that TCP endpoints can have, and different ones.
#[must_use]
#[inline(always)]
pub fn joins_endpoints<A: Address>(key: &A::Key) -> bool {
    let (host, peer) = (key.host().address, key.peer().address);
    host.is_endpoint() && peer.is_endpoint() && host != peer
}
