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
    flow::{Address, FlowKey as _},
    remember::joins_endpoints,
    room::Share,
    settle::Settled,
    tcp::seq::Seq,
    world::Tables,
};

/// What a SYN met before it was settled. `repr(C)` and without padding, so that a BPF function can be given one by reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Before {
    /// What the sample's flags will be; without [`Flags::WANTED`] there will be none.
    pub flags: Flags,
    /// End of the incarnation before, in the host's numbers; meaningful with [`Flags::MARKED`].
    pub host_mark: Seq,
    /// The same in the peer's numbers.
    pub wire_mark: Seq,
}

const _: () = assert!(size_of::<Before>() == 12);

impl Before {
    /// Of a SYN that is to be no sample.
    pub const UNWANTED: Self = Self {
        flags: Flags(0),
        host_mark: Seq(0),
        wire_mark: Seq(0),
    };
}

/// Looks at the flow of a SYN with the number `isn`, a SYN-ACK if it is `passive`, before anything is decided about it.
#[inline(always)]
pub fn glimpse<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    isn: Seq,
    passive: bool,
) -> Before {
    let sampling = world
        .settings()
        .is_some_and(|settings| settings.limits.sample_share != 0);
    if !sampling || !joins_endpoints::<A>(key) {
        return Before::UNWANTED;
    }
    let service = if passive { key.host() } else { key.peer() };
    let mode = world.mode(key, u16::from_be_bytes(service.port));
    let mut flags = Flags::of_mode(mode);
    if passive {
        flags = flags.with(Flags::PASSIVE);
    }
    let share = if mode.is_some() {
        Share::SamplesOfGuarded
    } else {
        Share::SamplesOfOthers
    };
    let before = met(world, key, isn, flags);
    if before.flags.has(Flags::WANTED) && !world.takes_share(key, share) {
        world.count(Counter::SamplesLimited, 1);
        return Before::UNWANTED;
    }
    before
}

/// What is remembered of the flow, and whether the SYN opens an incarnation, as [`crate::opening::decide`] will see it.
#[inline(always)]
fn met<A: Address, W: Tables<A>>(world: &W, key: &A::Key, isn: Seq, flags: Flags) -> Before {
    let unmarked = |flags: Flags| Before {
        flags: flags.with(Flags::WANTED),
        ..Before::UNWANTED
    };
    let Some(held) = world.find(key) else {
        return unmarked(flags);
    };
    let record = held.flow.record();
    let control = record.control();
    let idle = world
        .settings()
        .is_none_or(|settings| world.now().since(record.last_seen()) >= settings.history);
    let opens = match control.phase() {
        Phase::Established | Phase::Closing => idle && record.translation().is_none(),
        Phase::HalfOpen => idle || isn != record.host_isn(),
        Phase::Opening | Phase::Closed => true,
    };
    if !opens {
        return Before::UNWANTED;
    }
    if idle {
        return unmarked(flags);
    }
    let flags = flags.with(Flags::REMEMBERED);
    if control.phase() != Phase::Closed || !control.has(Control::ANSWERED) {
        return unmarked(flags);
    }
    Before {
        flags: flags.with(Flags::WANTED | Flags::MARKED),
        host_mark: record.high_water().to_host(record.offset()),
        wire_mark: record.high_water(),
    }
}

/// Tells the sample of a SYN with the number `isn`, now that it is settled.
#[inline(always)]
pub fn take<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    isn: Seq,
    settled: Settled,
    before: &Before,
) {
    if !before.flags.has(Flags::WANTED) || matches!(settled, Settled::Drop(_)) {
        return;
    }
    let wire = isn.to_wire(settled.translation().sequence);
    let counter = if world.tell(key, isn, wire, before) {
        Counter::SamplesTaken
    } else {
        Counter::SamplesLost
    };
    world.count(counter, 1);
}
