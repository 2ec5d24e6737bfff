//! Samples of initial sequence numbers: each SYN and SYN-ACK of a host, guarded or not, is told once to whoever grades hosts.
//!
//! A sample says what the host chose, what the peer saw, and where the incarnation before on the same 4-tuple ended. That end
//! is known before a SYN is settled alone, so a sample is made in two steps: [`glimpse`] before, [`take`] after. Between them
//! nothing is held. SYNs that open nothing (repeated ones, and those on live flows) are no samples, nor are dropped ones, which
//! come again. Whether an unguarded host repeats itself cannot be told here: nothing is remembered of it.
//!
//! A host that opens very many connections must not drown those that open few, in the ring or in user space. So each may give
//! [`crate::abi::settings::Limits::sample_share`] of them a second, those of one burst rather than every tenth: a generator
//! shows between neighbours. Hosts are told apart by a hash of their address, guarded ones among themselves: made-up senders
//! from outside the guarded prefixes share no cell with those inside.

use crate::{
    abi::{
        flow::{Control, Phase},
        sample::Flags,
    },
    counter::Counter,
    flow::Address,
    opening::Syn,
    remember::joins_endpoints,
    room::Share,
    tcp::seq::{Offset, Seq},
    world::Tables,
};

/// Looks at the flow of a SYN before anything is decided about it, and notes in the SYN whether it is to become a sample.
#[inline(always)]
pub fn glimpse<A: Address, W: Tables<A>>(world: &W, key: &A::Key, syn: &mut Syn) {
    let sampling = world
        .settings()
        .is_some_and(|settings| settings.limits.sample_share != 0);
    if !sampling || !joins_endpoints::<A>(key) || !meet(world, key, syn) {
        return;
    }
    let share = if syn.mode == 0 {
        Share::SamplesOfOthers
    } else {
        Share::SamplesOfGuarded
    };
    if world.takes_share(key, share) {
        mark(syn, Flags::WANTED);
    } else {
        world.count(Counter::SamplesLimited, 1);
    }
}

/// Notes what is remembered of the flow; whether the SYN opens an incarnation, as [`crate::opening::decide`] will see it.
#[inline(always)]
fn meet<A: Address, W: Tables<A>>(world: &W, key: &A::Key, syn: &mut Syn) -> bool {
    let Some(held) = world.find(key) else {
        return true;
    };
    let record = held.flow.record();
    let control = record.control();
    let idle = world
        .settings()
        .is_none_or(|settings| world.now().since(record.last_seen()) >= settings.history);
    let opens = match control.phase() {
        Phase::Established | Phase::Closing => idle && !record.must_stay(),
        Phase::HalfOpen => idle || syn.isn != record.host_isn(),
        Phase::Opening | Phase::Closed => true,
    };
    if opens && !idle {
        mark(syn, Flags::REMEMBERED);
        if control.phase() == Phase::Closed && control.has(Control::ANSWERED) {
            mark(syn, Flags::MARKED);
            syn.wire_mark = record.high_water();
            syn.host_mark = record.high_water().to_host(record.offset());
        }
    }
    opens
}

/// The flags that a SYN can be marked with lie in its octet.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "asserted below")]
const fn mark(syn: &mut Syn, flag: u32) {
    syn.sample |= flag as u8;
}

const _: () = assert!((Flags::WANTED | Flags::REMEMBERED | Flags::MARKED) <= u8::MAX as u32);

/// Tells the sample of a SYN with the number `isn`, now that it is settled and leaves with this offset. One that does not leave
/// is not marked any more.
#[inline(always)]
pub fn take<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    isn: Seq,
    offset: Offset,
    syn: &Syn,
) {
    if !Flags(syn.sample.into()).has(Flags::WANTED) {
        return;
    }
    let counter = if world.tell(key, isn, isn.to_wire(offset), syn) {
        Counter::SamplesTaken
    } else {
        Counter::SamplesLost
    };
    world.count(counter, 1);
}
