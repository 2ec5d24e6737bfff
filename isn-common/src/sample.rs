//! Samples of initial sequence numbers: each SYN and SYN-ACK of a host, guarded or not, is told once to whoever grades hosts.
//!
//! A sample says what the host chose, what the peer saw, and where the incarnation before on the same 4-tuple ended. That end
//! is known before a SYN is settled alone, so a sample is made in two steps: [`glimpse`] before, [`take`] after. Between them
//! nothing is held. Where nothing is known of the flow, one step does ([`of_newcomer`]). SYNs that open nothing (repeated ones, and those on live flows) are no samples, nor are dropped ones, which
//! come again. Two decisions that are no samples are told the same way, for whoever watches: SYNs that are dropped for want of
//! room, and flows that are [`learnt`] in mid-flow. Whether an unguarded host repeats itself cannot be told here: nothing is remembered of it.
//!
//! A host that opens very many connections must not drown those that open few, in the ring or in user space. So each may give
//! [`crate::abi::settings::Limits::sample_share`] of them a second, those of one burst rather than every tenth: a generator
//! shows between neighbours. Hosts are told apart by a hash of their address, guarded ones among themselves: made-up senders
//! from outside the guarded prefixes share no cell with those inside.

use crate::{
    abi::{
        flow::{Control, Phase, Reason},
        policy::Mode,
        sample::{Flags, Told},
    },
    counter::Counter,
    flow::Address,
    opening::{Circumstances, Syn},
    remember::{joins_endpoints, takes_share_at},
    room::Share,
    tcp::seq::{Offset, Seq},
    verdict::DropReason,
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
    if world.takes_share(key, share_of(syn)) {
        mark(syn, Flags::WANTED);
    } else {
        world.count(Counter::SamplesLimited, 1);
    }
}

/// Notes what is remembered of the flow; whether the SYN opens an incarnation, as [`crate::opening::decide`] will see it.
#[inline(always)]
fn meet<A: Address, W: Tables<A>>(world: &W, key: &A::Key, syn: &mut Syn) -> bool {
    let Some((_, record)) = world.known(key) else {
        return true;
    };
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

const _: () =
    assert!((Flags::WANTED | Flags::REMEMBERED | Flags::MARKED | Flags::REFUSED) <= u8::MAX as u32);

/// What is told of a SYN that is dropped: where it found no room, that; where two CPUs met, nothing, since it comes again.
#[inline(always)]
pub const fn refuse(syn: &mut Syn, reason: DropReason) {
    if matches!(reason, DropReason::TableFull) {
        mark(syn, Flags::REFUSED);
    } else {
        syn.sample = 0;
    }
}

/// Whether a SYN is to become a sample and has not been told yet.
#[inline(always)]
#[must_use]
pub const fn is_due(syn: &Syn) -> bool {
    syn.sample as u32 & Flags::WANTED != 0
}

/// Tells the sample of a SYN with the number `isn`, now that it is settled and leaves with this offset, or of one that found no
/// room. Another one that does not leave is not marked any more.
#[inline(always)]
pub fn take<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    isn: Seq,
    offset: Offset,
    syn: &Syn,
) {
    if !is_due(syn) {
        return;
    }
    let (flags, timestamp_offset) = decided(world, key, isn, offset, Flags::of_syn(syn));
    let told = Told {
        host_isn: isn,
        wire_isn: isn.to_wire(offset),
        host_mark: syn.host_mark,
        wire_mark: syn.wire_mark,
        flags,
        timestamp_offset,
    };
    tell(world, key, &told);
}

/// Tells the sample of a SYN of whose flow nothing was known, within its host's share, now that it leaves with this offset: the
/// reason is that of an incarnation that is remembered.
#[inline(always)]
pub fn of_newcomer<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    syn: &Syn,
    around: &Circumstances<'_>,
    offset: Offset,
    reason: Option<Reason>,
) {
    if around.settings.limits.sample_share == 0 {
        return;
    }
    let share = share_of(syn);
    if !takes_share_at(world, key, share, around.settings, around.now) {
        world.count(Counter::SamplesLimited, 1);
        return;
    }
    let mut flags = Flags::of_syn(syn).with(Flags::WANTED);
    if let Some(reason) = reason {
        flags = flags.with_reason(reason as u32).with(Flags::KEPT);
    } else if around.mode.is_none() {
        flags = flags.with_reason(Reason::NotGuarded as u32);
    }
    let told = Told {
        host_isn: syn.isn,
        wire_isn: syn.isn.to_wire(offset),
        host_mark: Seq(0),
        wire_mark: Seq(0),
        flags,
        timestamp_offset: Offset(0),
    };
    tell(world, key, &told);
}

/// Guarded hosts have shares of their own.
#[inline(always)]
const fn share_of(syn: &Syn) -> Share {
    if syn.mode == 0 {
        Share::SamplesOfOthers
    } else {
        Share::SamplesOfGuarded
    }
}

/// What was decided on a SYN is read where it was written: the way through the settling has no room for it on the BPF
/// program's stack. Where nothing was written, only that is known.
#[inline(always)]
fn decided<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    isn: Seq,
    offset: Offset,
    flags: Flags,
) -> (Flags, Offset) {
    if flags.has(Flags::REFUSED) {
        return (flags.with_reason(Reason::TableFull as u32), Offset(0));
    }
    if let Some((_, record)) = world.known(key) {
        let control = record.control();
        let is_this = record.host_isn() == isn && record.offset() == offset;
        if is_this && control.has(Control::HOST_SYN) && !control.has(Control::MOVED) {
            let flags = flags.with_reason(control.reason_number());
            return (flags.with(Flags::KEPT), record.timestamp_offset());
        }
    }
    if flags.mode().is_none() {
        return (flags.with_reason(Reason::NotGuarded as u32), Offset(0));
    }
    (flags, Offset(0))
}

/// Tells of a flow that was learnt from a segment in mid-flow, within its host's share.
#[inline(always)]
pub fn learnt<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    sequence: Seq,
    offset: Offset,
    reason: u32,
) {
    let sampling = world
        .settings()
        .is_some_and(|settings| settings.limits.sample_share != 0);
    if !sampling {
        return;
    }
    if !world.takes_share(key, Share::SamplesOfGuarded) {
        world.count(Counter::SamplesLimited, 1);
        return;
    }
    let flags = Flags::of_mode(Some(Mode::Keyed))
        .with(Flags::WANTED | Flags::LEARNT | Flags::KEPT)
        .with_reason(reason);
    let told = Told {
        host_isn: sequence,
        wire_isn: sequence.to_wire(offset),
        host_mark: Seq(0),
        wire_mark: Seq(0),
        flags,
        timestamp_offset: Offset(0),
    };
    tell(world, key, &told);
}

#[inline(always)]
fn tell<A: Address, W: Tables<A>>(world: &W, key: &A::Key, told: &Told) {
    let counter = if world.tell(key, told) {
        Counter::SamplesTaken
    } else {
        Counter::SamplesLost
    };
    world.count(counter, 1);
}
