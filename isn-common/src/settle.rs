//! Settling on the offset of a SYN: finding or making its flow's entry, and deciding as one CPU
//! among several (S1, S5, S16, S18).
//!
//! Two CPUs with two copies of a SYN come to the same offset: one inserts or claims, the other finds
//! what that one has settled.

use crate::{
    abi::{
        flow::{Control, Flow, Phase, Previous, Reason, Record, Word, pack, unpack},
        settings::OnFull,
    },
    claim::{PATIENCE, claim, is_still, unclaim},
    connection,
    counter::Counter,
    expiry::Place,
    flow::{Address, FlowKey},
    opening::{self, Circumstances, Decision, Opening, Stamp, Syn},
    room::Admission,
    sample,
    tick::Tick,
    translate::Translation,
    verdict::{DropReason, PassReason},
    world::{Held, Insertion, Tables},
};

/// What became of a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It leaves translated like this, which is not at all or was decided before.
    Known(Translation),
    /// It leaves translated like this, decided now.
    Rewritten(Translation),
    /// It is not of a flow that is followed.
    Pass(PassReason),
    /// It must not leave.
    Drop(DropReason),
}

impl Settled {
    const KNOWN: u32 = 0;
    const REWRITTEN: u32 = 1;
    const DROP_TABLE_FULL: u32 = 2;
    const DROP_CONTENDED: u32 = 3;
    const PASS_NOT_GUARDED: u32 = 4;
    const PASS_ODD_ADDRESS: u32 = 5;

    /// As a number, beside the translation: what a BPF function can return.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Known(_) => Self::KNOWN,
            Self::Rewritten(_) => Self::REWRITTEN,
            Self::Drop(DropReason::TableFull) => Self::DROP_TABLE_FULL,
            Self::Drop(
                DropReason::Contended | DropReason::Untranslatable | DropReason::AckStorm,
            ) => Self::DROP_CONTENDED,
            Self::Pass(PassReason::OddAddress) => Self::PASS_ODD_ADDRESS,
            Self::Pass(_) => Self::PASS_NOT_GUARDED,
        }
    }

    /// The translation with which it leaves, if it does.
    #[must_use]
    pub const fn translation(self) -> Translation {
        match self {
            Self::Known(by) | Self::Rewritten(by) => by,
            Self::Pass(_) | Self::Drop(_) => Translation::NONE,
        }
    }

    /// The inverse of [`Settled::code`], for what [`settle`] gives.
    #[must_use]
    pub const fn from_code(code: u32, translation: Translation) -> Self {
        match code {
            Self::DROP_TABLE_FULL => Self::Drop(DropReason::TableFull),
            Self::DROP_CONTENDED => Self::Drop(DropReason::Contended),
            Self::PASS_NOT_GUARDED => Self::Pass(PassReason::NotGuarded),
            Self::PASS_ODD_ADDRESS => Self::Pass(PassReason::OddAddress),
            Self::REWRITTEN => Self::Rewritten(translation),
            _ => Self::Known(translation),
        }
    }
}

/// Settles on the translation of a SYN of the host: finds or makes the flow's entry and decides. Two CPUs
/// with two copies of a SYN come to the same: one inserts or claims, the other finds what that one
/// has settled. The SYN's numbers may be anything afterwards: the BPF program's stack has no room for a copy.
#[inline(always)]
pub fn settle<A: Address, W: Tables<A>>(world: &W, key: &A::Key, syn: &mut Syn) -> Settled {
    // Once more after another CPU has come in between.
    for _ in 0..2 {
        syn.sample = 0;
        if let Some(settled) = world.newcomer(key, syn) {
            return settled;
        }
        world.glimpse(key, syn);
        if let Some(settled) = world.attempt(key, syn) {
            if let Settled::Drop(reason) = settled {
                sample::refuse(syn, reason);
            }
            return settled;
        }
    }
    syn.sample = 0;
    Settled::Drop(DropReason::Contended)
}

/// One attempt on a flow of which something is known; `None` if another CPU came in between.
#[inline(always)]
pub fn attempt<A: Address, W: Tables<A>>(world: &W, key: &A::Key, syn: &Syn) -> Option<Settled> {
    let Some(settings) = world.settings() else {
        return Some(Settled::Pass(PassReason::NotGuarded));
    };
    let around = Circumstances {
        mode: syn.mode(),
        offset: syn.offset,
        settings,
        now: world.now(),
    };
    let held = world.find_given(key)?;
    decide(world, key, &held, syn, &around)
}

/// An attempt on a flow that has an entry.
#[inline(always)]
fn decide<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    held: &Held<W::Found>,
    syn: &Syn,
    around: &Circumstances<'_>,
) -> Option<Settled> {
    let Some(life) = claim(&*held.flow, PATIENCE) else {
        return Some(Settled::Drop(DropReason::Contended));
    };
    if !is_still(world, key, held, life) {
        unclaim(&*held.flow);
        return None;
    }
    let mut record = Record {
        life,
        ..held.flow.record()
    };
    // What was left in the history is the incarnation before, and all that is known: the entry of this one was evicted.
    // The same marks and SYN give the same decision again.
    if held.place == Place::History {
        record.life &= !u64::from(Control::MOVED);
    }
    let marks = [record.sent, pack(syn.isn.0, record.right_edge().0)];
    let random = || world.unpredictable(key, marks);
    let decision = opening::decide(&record, syn, around, random);
    let verdict = apply(world, key, held, &record, decision, syn, around);
    if verdict.is_none() {
        held.flow.life.store(life);
    }
    verdict
}

/// What a SYN that opens an incarnation with this translation has settled on.
#[inline(always)]
pub(crate) const fn settled(by: Translation) -> Settled {
    if by.is_none() {
        Settled::Known(by)
    } else {
        Settled::Rewritten(by)
    }
}

/// Carries out a decision on a flow that this CPU has claimed, and ends the claim. `None`, and the
/// claim goes on, if another CPU has put the flow among the translated ones.
///
/// The clock is asked anew: the BPF program's stack has no room to keep what it said.
#[inline(always)]
fn apply<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    held: &Held<W::Found>,
    record: &Record,
    decision: Decision,
    syn: &Syn,
    around: &Circumstances<'_>,
) -> Option<Settled> {
    let flow = &*held.flow;
    let mut opening = match decision {
        Decision::Continue(event) => {
            count::<A, W>(world, around, event);
            go_on(flow, record, syn, world.now());
            return Some(Settled::Known(record.translation()));
        }
        Decision::Open(opening) => opening,
    };
    let mut own = around.is_own(&opening);
    // Who has a place among the translated flows, or was admitted there, needs no more room.
    let needs_room = own
        && held.place != Place::Translated
        && (held.place == Place::History || !record.control().has(Control::OWN));
    if needs_room {
        let admission = world.admission(key);
        if admission != Admission::Admitted {
            opening = around.without_room(&opening);
            own = false;
            if admission == Admission::Share {
                world.count(Counter::ShareExceeded, 1);
            }
            if around.settings.on_full() == OnFull::Drop {
                count_opening::<A, W>(world, around, &opening);
                flow.life.store(record.life);
                return Some(Settled::Drop(DropReason::TableFull));
            }
        }
    }
    let by = opening.translation;
    let marks = around.marks(own);
    let mut opened = opening::opened(syn, &opening, marks, record, world.now());
    if let Some(previous) = succeeded(record, &opening, around, world.now()) {
        world.set_previous(key, &previous);
        opened.life |= u64::from(Control::PREVIOUS);
    }
    if held.place == Place::History && own {
        move_out(world, key, &opened)?;
        // What is left tells of the incarnation before, for as long as this one may need it.
        let (bits, _) = unpack(record.life);
        flow.life.store(pack(bits | Control::MOVED, world.now().0));
    } else {
        publish(flow, &opened);
    }
    count_opening::<A, W>(world, around, &opening);
    Some(settled(by))
}

/// Puts the entry of a flow that was in the history among the half-open ones. `None` if another CPU was faster.
#[inline(always)]
fn move_out<A: Address, W: Tables<A>>(world: &W, key: &A::Key, opened: &Record) -> Option<()> {
    match world.insert_half_open(key, opened) {
        Insertion::Done => world.count(Counter::HalfOpenInserted, 1),
        Insertion::Exists if world.replace_half_open(key, opened) => {}
        Insertion::Exists | Insertion::Full => return None,
    }
    Some(())
}

/// Takes note of a SYN that belongs to the incarnation there is, and ends the claim. A repeated SYN
/// may carry data that the first did not (RFC 7413), or leave its options away.
#[inline(always)]
fn go_on<W: Word>(flow: &Flow<W>, record: &Record, syn: &Syn, now: Tick) {
    let mut control = record.control();
    if control.phase() == Phase::HalfOpen {
        control = opening::with_host_scale(control, syn);
        let end = record.wire_isn().advanced(syn.length);
        connection::advance(flow, record, end);
        if syn.options.stamped {
            let by = record.translation();
            let latest = opening::latest_stamp(control, record.latest_stamp(), syn, by);
            flow.stamps.store(pack(by.timestamp.0, latest.0));
            control = control.with(Control::STAMPED);
        }
    }
    flow.life.store(pack(control.0, now.0));
}

/// What late segments of the incarnation in `record` will need, if the next one has another translation.
/// An unanswered SYN has none: to the peer, the next one is the same (S5). Nor has what is forgotten.
#[inline(always)]
fn succeeded(
    record: &Record,
    opening: &Opening,
    around: &Circumstances<'_>,
    now: Tick,
) -> Option<Previous> {
    let has_late = match opening.reason {
        Reason::New | Reason::Resent => false,
        // Decided before anybody asks what is forgotten.
        Reason::NotGuarded | Reason::TcpAuth => true,
        _ => !around.is_forgotten(record),
    };
    (has_late && record.translation() != opening.translation).then(|| Previous {
        offset: record.offset().0,
        high_water: record.high_water().0,
        ended: now.0,
        timestamp_offset: record.timestamp_offset().0,
    })
}

/// Counts a SYN that opens an incarnation.
#[inline(always)]
pub(crate) fn count_opening<A: Address, W: Tables<A>>(
    world: &W,
    around: &Circumstances<'_>,
    opening: &Opening,
) {
    count::<A, W>(world, around, opening.reason.counter());
    if opening.stamp != Stamp::Safe {
        world.count(Counter::PawsRisk, 1);
    }
    if opening.stamp == Stamp::Repaired {
        world.count(Counter::PawsRepaired, 1);
    }
}

/// Counts a SYN and what became of it, if the policy guards its sender.
#[inline(always)]
fn count<A: Address, W: Tables<A>>(world: &W, around: &Circumstances<'_>, event: Counter) {
    if around.mode.is_some() {
        world.count(Counter::SynSeen, 1);
        world.count(event, 1);
    }
}

/// Replaces a claimed flow's words. The identity goes first and the claim last, so that whoever
/// claims next sees all of it.
#[inline(always)]
fn publish<W: Word>(flow: &Flow<W>, record: &Record) {
    flow.identity.store(record.identity);
    flow.sent.store(record.sent);
    flow.received.store(record.received);
    flow.stamps.store(record.stamps);
    flow.life.store(record.life);
}

/// 64 bits that only the instance's secret could tell, the same for two copies of one SYN.
#[inline(always)]
pub fn unpredictable<A: Address, W: Tables<A>>(world: &W, key: &A::Key, marks: [u64; 2]) -> u64 {
    let settings = world.settings();
    settings.map_or(0, |settings| key.digest(settings.secret, marks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::seq::Offset;

    #[test]
    fn a_settlement_survives_the_way_through_a_number_and_a_translation() {
        let by = Translation {
            sequence: Offset(u32::MAX),
            timestamp: Offset(1),
        };
        let settled = [Translation::NONE, by]
            .into_iter()
            .flat_map(|by| [Settled::Known(by), Settled::Rewritten(by)])
            .chain([
                Settled::Pass(PassReason::NotGuarded),
                Settled::Pass(PassReason::OddAddress),
                Settled::Drop(DropReason::TableFull),
                Settled::Drop(DropReason::Contended),
            ]);
        for settled in settled {
            assert_eq!(
                Settled::from_code(settled.code(), settled.translation()),
                settled
            );
        }
    }
}
