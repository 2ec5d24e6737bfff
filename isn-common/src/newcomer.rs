//! The SYN of a flow of which nothing is known, as nearly all are: from the policy to the sample, with one look at each table
//! (S1, S8, S17).
//!
//! What is known of a flow is for [`crate::settle`]: then nothing has been changed here, and nothing told.

use crate::{
    abi::{
        flow::{Reason, Record},
        policy::Mode,
    },
    flow::Address,
    keyed::Generation,
    opening::{self, Circumstances, Syn},
    remember::{Memory, joins_endpoints, remember},
    sample,
    settle::{Settled, count_opening, settled},
    tcp::seq::Offset,
    verdict::PassReason,
    world::Tables,
};

/// Settles on the translation of the first SYN of a flow, and tells its sample. `None` if something is known of the flow, or another
/// CPU was faster: then the SYN has been treated, and no more.
#[inline(always)]
pub fn settle<A: Address, W: Tables<A>>(world: &W, key: &A::Key, syn: &mut Syn) -> Option<Settled> {
    treat(world, key, syn);
    if world.find(key).is_some() {
        return None;
    }
    let Some(settings) = world.settings() else {
        return Some(Settled::Pass(PassReason::NotGuarded));
    };
    let around = Circumstances {
        mode: syn.mode(),
        offset: syn.offset,
        settings,
        now: world.now(),
    };
    let joins = joins_endpoints::<A>(key);
    let (settled, reason) = match around.mode {
        None => (Settled::Pass(PassReason::NotGuarded), None),
        Some(_) if joins => open(world, key, syn, &around)?,
        Some(_) => (Settled::Pass(PassReason::OddAddress), None),
    };
    if joins {
        let by = settled.translation().sequence;
        sample::of_newcomer(world, key, syn, &around, by, reason);
    }
    Some(settled)
}

/// Tells a SYN how its flow is treated.
#[inline(always)]
fn treat<A: Address, W: Tables<A>>(world: &W, key: &A::Key, syn: &mut Syn) {
    let mode = world.mode(key, syn.passive);
    let offset = match mode {
        Some(Mode::Keyed) => world.keyed_offset(key, Generation::Current),
        _ => Offset(0),
    };
    syn.treat(mode, offset);
}

/// Opens the first incarnation: what its SYN has settled on, and the reason if the flow is remembered now. `None` if another CPU
/// was faster.
#[inline(always)]
fn open<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    syn: &Syn,
    around: &Circumstances<'_>,
) -> Option<(Settled, Option<Reason>)> {
    let mut opening = around.first(syn);
    let own = around.is_own(&opening);
    let marks = around.marks(own);
    let record = opening::opened(syn, &opening, marks, &Record::EMPTY, around.now);
    let mut reason = Some(opening.reason);
    match remember(world, key, &record, around.settings, around.now) {
        Memory::Contended => return None,
        Memory::Kept => {}
        Memory::None => {
            reason = None;
            // What is its own must be remembered, or the flow has only what it has by itself.
            if own {
                opening = around.without_room(&opening);
            }
        }
    }
    count_opening::<A, W>(world, around, &opening);
    Some((settled(opening.translation), reason))
}
