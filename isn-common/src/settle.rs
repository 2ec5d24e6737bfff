//! Settling on the offset of a SYN: finding or making its flow's entry, and deciding as one CPU
//! among several (S1, S5, S16, S18).
//!
//! Two CPUs with two copies of a SYN come to the same offset: one inserts or claims, the other finds
//! what that one has settled.

use crate::{
    abi::{
        flow::{Control, Flow, Phase, Previous, Reason, Record, Word, pack},
        policy::Mode,
        settings::OnFull,
    },
    connection,
    counter::Counter,
    flow::{Address, FlowKey},
    opening::{self, Circumstances, Decision, Opening, Stamp, Syn},
    tcp::{options::SynOptions, seq::Seq},
    tick::Tick,
    translate::Translation,
    verdict::{DropReason, PassReason},
    world::{Insertion, Tables},
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
            Self::Drop(DropReason::Contended | DropReason::Untranslatable) => Self::DROP_CONTENDED,
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
/// has settled.
#[inline(always)]
pub fn settle<A: Address, W: Tables<A>>(world: &W, key: &A::Key, syn: &Syn) -> Settled {
    let Some(settings) = world.settings() else {
        return Settled::Pass(PassReason::NotGuarded);
    };
    // The service port: the one that the connection is opened to.
    let service = if syn.passive {
        key.host().port
    } else {
        key.peer().port
    };
    let around = Circumstances {
        mode: world.mode(key, u16::from_be_bytes(service)),
        settings,
        now: world.now(),
    };
    // Once more after another CPU has come in between.
    for _ in 0..2 {
        if let Some(settled) = attempt(world, key, syn, &around) {
            return settled;
        }
    }
    Settled::Drop(DropReason::Contended)
}

/// One attempt; `None` if another CPU came in between.
#[inline(always)]
fn attempt<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    syn: &Syn,
    around: &Circumstances<'_>,
) -> Option<Settled> {
    let translated = world.translated(key);
    let is_translated = translated.is_some();
    let Some(flow) = translated.or_else(|| world.history(key)) else {
        return first(world, key, syn, around.mode);
    };
    let Some(life) = claim(&*flow) else {
        return Some(Settled::Drop(DropReason::Contended));
    };
    let record = Record {
        life,
        ..flow.record()
    };
    if record.control().has(Control::MOVED) && !is_translated && world.translated(key).is_some() {
        flow.life.store(life);
        return None;
    }
    let marks = [record.sent, pack(syn.isn.0, record.right_edge().0)];
    let random = || world.unpredictable(key, marks);
    let decision = opening::decide(&record, syn, around, random);
    let Some(verdict) = apply(
        world,
        key,
        &flow,
        &record,
        decision,
        is_translated,
        syn,
        around,
    ) else {
        flow.life.store(life);
        return None;
    };
    Some(verdict)
}

/// The first SYN of a flow of which nothing is remembered. `None` if another CPU was faster.
#[inline(always)]
fn first<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    syn: &Syn,
    mode: Option<Mode>,
) -> Option<Settled> {
    if mode.is_none() {
        return Some(Settled::Pass(PassReason::NotGuarded));
    }
    if !joins_endpoints::<A>(key) {
        return Some(Settled::Pass(PassReason::OddAddress));
    }
    let reason = if syn.options.authenticated {
        Reason::TcpAuth
    } else {
        Reason::New
    };
    let record = opening::opened(syn, Translation::NONE, reason, &Record::EMPTY, world.now());
    match world.insert_history(key, &record) {
        Insertion::Done => world.count(Counter::HistoryInserted, 1),
        Insertion::Exists => return None,
        Insertion::Full => {}
    }
    world.count(Counter::SynSeen, 1);
    world.count(reason.counter(), 1);
    Some(Settled::Known(Translation::NONE))
}

/// Remembers what a SYN of the peer says, to a guarded host, of a flow that is not known.
#[inline(always)]
pub fn await_answer<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    peer_next: Seq,
    options: SynOptions,
) {
    let service = u16::from_be_bytes(key.host().port);
    if world.mode(key, service).is_some() && joins_endpoints::<A>(key) {
        let record = opening::awaited(peer_next, &options, world.now());
        if world.insert_history(key, &record) == Insertion::Done {
            world.count(Counter::HistoryInserted, 1);
        }
    }
}

fn joins_endpoints<A: Address>(key: &A::Key) -> bool {
    let (host, peer) = (key.host().address, key.peer().address);
    host.is_endpoint() && peer.is_endpoint() && host != peer
}

/// Attempts to claim a flow: far more than another CPU needs for a decision.
const CLAIM_ATTEMPTS: u32 = 64;

/// Makes this CPU the only one that decides on the flow. Gives its life word from before, which
/// must be stored again, as it is or anew, to end the claim.
#[inline(always)]
fn claim<W: Word>(flow: &Flow<W>) -> Option<u64> {
    for _ in 0..CLAIM_ATTEMPTS {
        let life = flow.life.load();
        let claimed = life | u64::from(Control::CLAIMED);
        if life != claimed && flow.life.compare_exchange(life, claimed) {
            return Some(life);
        }
    }
    None
}

/// Carries out a decision on a flow that this CPU has claimed, and ends the claim. `None`, and the
/// claim goes on, if another CPU has put the flow among the translated ones.
///
/// The clock is asked anew: the BPF program's stack has no room to keep what it said.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "the parts of one decision")]
fn apply<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    flow: &Flow<W::Word>,
    record: &Record,
    decision: Decision,
    is_translated: bool,
    syn: &Syn,
    around: &Circumstances<'_>,
) -> Option<Settled> {
    let mut opening = match decision {
        Decision::Continue(event) => {
            count::<A, W>(world, around, event);
            go_on(flow, record, syn, world.now());
            return Some(Settled::Known(record.translation()));
        }
        Decision::Open(opening) => opening,
    };
    let mut opened = opening::opened(
        syn,
        opening.translation,
        opening.reason,
        record,
        world.now(),
    );
    if let Some(previous) = succeeded(record, &opening, world.now()) {
        world.set_previous(key, &previous);
        opened.life |= u64::from(Control::PREVIOUS);
    }
    if !opening.translation.is_none() && !is_translated {
        match world.insert_translated(key, &opened) {
            Insertion::Done => {
                count_opening::<A, W>(world, around, &opening);
                flow.life.store(record.life | u64::from(Control::MOVED));
                return Some(Settled::Rewritten(opening.translation));
            }
            Insertion::Exists => return None,
            Insertion::Full => {
                opening = opening.without_room();
                if around.settings.on_full() == OnFull::Drop {
                    count_opening::<A, W>(world, around, &opening);
                    flow.life.store(record.life);
                    return Some(Settled::Drop(DropReason::TableFull));
                }
                let by = opening.translation;
                opened = opening::opened(syn, by, opening.reason, record, world.now());
            }
        }
    }
    count_opening::<A, W>(world, around, &opening);
    publish(flow, &opened);
    Some(if opening.translation.is_none() {
        Settled::Known(opening.translation)
    } else {
        Settled::Rewritten(opening.translation)
    })
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
fn succeeded(record: &Record, opening: &Opening, now: Tick) -> Option<Previous> {
    let has_late = !matches!(opening.reason, Reason::New | Reason::Resent);
    (has_late && record.translation() != opening.translation).then(|| Previous {
        offset: record.offset().0,
        high_water: record.high_water().0,
        ended: now.0,
        timestamp_offset: record.timestamp_offset().0,
    })
}

/// Counts a SYN that opens an incarnation.
#[inline(always)]
fn count_opening<A: Address, W: Tables<A>>(
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
