//! Settling on the offset of a SYN: finding or making its flow's entry, and deciding as one CPU
//! among several (S1, S5, S16, S18).
//!
//! Two CPUs with two copies of a SYN come to the same offset: one inserts or claims, the other finds
//! what that one has settled.

use crate::{
    abi::{
        flow::{Control, Flow, Phase, Previous, Reason, Record, Word, pack},
        settings::{OnFull, Settings},
    },
    connection,
    counter::Counter,
    flow::{Address, FlowKey},
    opening::{self, Circumstances, Decision, Syn},
    tcp::{
        options::SynOptions,
        seq::{Offset, Seq},
    },
    tick::Tick,
    verdict::{DropReason, PassReason},
    world::{Insertion, Tables},
};

/// What became of a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It leaves with this offset, which is 0 or was decided before.
    Offset(Offset),
    /// It leaves with this offset, decided now.
    Rewritten(Offset),
    /// It is not of a flow that is followed.
    Pass(PassReason),
    /// It must not leave.
    Drop(DropReason),
}

/// Finds or makes the flow's entry, and settles on its offset. Two CPUs with two copies of a SYN
/// come to the same offset: one inserts or claims, the other finds what that one has settled.
impl Settled {
    const DROP_TABLE_FULL: u64 = 1 << 32;
    const DROP_CONTENDED: u64 = 2 << 32;
    const PASS_NOT_GUARDED: u64 = 3 << 32;
    const PASS_ODD_ADDRESS: u64 = 4 << 32;
    const REWRITTEN: u64 = 5 << 32;

    /// As one number, and back: what a BPF function can return.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        match self {
            Self::Offset(offset) => offset.0 as u64,
            Self::Rewritten(offset) => Self::REWRITTEN | offset.0 as u64,
            Self::Drop(DropReason::TableFull) => Self::DROP_TABLE_FULL,
            Self::Drop(DropReason::Contended | DropReason::Untranslatable) => Self::DROP_CONTENDED,
            Self::Pass(PassReason::OddAddress) => Self::PASS_ODD_ADDRESS,
            Self::Pass(_) => Self::PASS_NOT_GUARDED,
        }
    }

    /// The inverse of [`Settled::to_bits`], for what [`settle`] gives.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the lower half is the offset"
    )]
    pub const fn from_bits(bits: u64) -> Self {
        match bits {
            Self::DROP_TABLE_FULL => Self::Drop(DropReason::TableFull),
            Self::DROP_CONTENDED => Self::Drop(DropReason::Contended),
            Self::PASS_NOT_GUARDED => Self::Pass(PassReason::NotGuarded),
            Self::PASS_ODD_ADDRESS => Self::Pass(PassReason::OddAddress),
            _ if bits >= Self::REWRITTEN => Self::Rewritten(Offset(bits as u32)),
            _ => Self::Offset(Offset(bits as u32)),
        }
    }
}

/// Settles on the offset of a SYN of the host.
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
    let policy = world.policy(key.host().address);
    let around = Circumstances {
        mode: policy.and_then(|policy| policy.mode_for(u16::from_be_bytes(service))),
        history: settings.history,
        draining: settings.draining(),
        now: world.now(),
    };
    // Once more after another CPU has come in between.
    for _ in 0..2 {
        if let Some(settled) = attempt(world, key, syn, &around, settings) {
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
    around: &Circumstances,
    settings: &Settings,
) -> Option<Settled> {
    let translated = world.translated(key);
    let is_translated = translated.is_some();
    let Some(flow) = translated.or_else(|| world.history(key)) else {
        return first(world, key, syn, around);
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
    let random = || jump::<A>(key, &record, syn, settings);
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
    around: &Circumstances,
) -> Option<Settled> {
    if around.mode.is_none() {
        return Some(Settled::Pass(PassReason::NotGuarded));
    }
    if !joins_endpoints::<A>(key) {
        return Some(Settled::Pass(PassReason::OddAddress));
    }
    let (reason, event) = if syn.options.authenticated {
        (Reason::TcpAuth, Counter::BypassTcpAuth)
    } else {
        (Reason::New, Counter::SynSafe)
    };
    let record = opening::opened(syn, Offset(0), reason, &Record::EMPTY, around.now);
    match world.insert_history(key, &record) {
        Insertion::Done => world.count(Counter::HistoryInserted, 1),
        Insertion::Exists => return None,
        Insertion::Full => {}
    }
    world.count(Counter::SynSeen, 1);
    world.count(event, 1);
    Some(Settled::Offset(Offset(0)))
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
    let policy = world.policy(key.host().address);
    let guarded = policy.and_then(|policy| policy.mode_for(service)).is_some();
    if guarded && joins_endpoints::<A>(key) {
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
    around: &Circumstances,
) -> Option<Settled> {
    let (mut offset, mut reason, mut event) = match decision {
        Decision::Continue(event) => {
            count::<A, W>(world, around, event);
            go_on(flow, record, syn, around.now);
            return Some(Settled::Offset(record.offset()));
        }
        Decision::Open {
            offset,
            reason,
            event,
        } => (offset, reason, event),
    };
    let mut opened = opening::opened(syn, offset, reason, record, around.now);
    if let Some(previous) = succeeded(record, offset, reason, around.now) {
        world.set_previous(key, &previous);
        opened.life |= u64::from(Control::PREVIOUS);
    }
    if offset != Offset(0) && !is_translated {
        match world.insert_translated(key, &opened) {
            Insertion::Done => {
                count::<A, W>(world, around, event);
                flow.life.store(record.life | u64::from(Control::MOVED));
                return Some(Settled::Rewritten(offset));
            }
            Insertion::Exists => return None,
            Insertion::Full => {
                event = Counter::TableFull;
                if world
                    .settings()
                    .is_some_and(|s| s.on_full() == OnFull::Drop)
                {
                    count::<A, W>(world, around, event);
                    flow.life.store(record.life);
                    return Some(Settled::Drop(DropReason::TableFull));
                }
                (offset, reason) = (Offset(0), Reason::TableFull);
                opened = opening::opened(syn, offset, reason, record, around.now);
            }
        }
    }
    count::<A, W>(world, around, event);
    publish(flow, &opened);
    Some(if offset == Offset(0) {
        Settled::Offset(offset)
    } else {
        Settled::Rewritten(offset)
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
    }
    flow.life.store(pack(control.0, now.0));
}

/// What late segments of the incarnation in `record` will need, if the next one has another offset.
/// An unanswered SYN has none: to the peer, the next one is the same (S5). Nor has what is forgotten.
#[inline(always)]
fn succeeded(record: &Record, offset: Offset, reason: Reason, now: Tick) -> Option<Previous> {
    let has_late = !matches!(reason, Reason::New | Reason::Resent);
    (has_late && record.offset() != offset).then(|| Previous {
        offset: record.offset().0,
        high_water: record.high_water().0,
        ended: now.0,
        padding: 0,
    })
}

/// Counts a SYN and what became of it, if the policy guards its sender.
#[inline(always)]
fn count<A: Address, W: Tables<A>>(world: &W, around: &Circumstances, event: Counter) {
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
    flow.life.store(record.life);
}

/// 32 bits that only the instance's secret could tell, the same for two copies of one SYN.
#[inline(always)]
fn jump<A: Address>(key: &A::Key, record: &Record, syn: &Syn, settings: &Settings) -> u32 {
    let marks = [record.sent, pack(syn.isn.0, record.right_edge().0)];
    #[allow(clippy::cast_possible_truncation, reason = "any 32 of the 64 bits")]
    {
        key.digest(settings.secret, marks) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settlement_survives_the_way_through_one_number() {
        let offsets = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX].map(Offset);
        let settled = offsets
            .iter()
            .flat_map(|offset| [Settled::Offset(*offset), Settled::Rewritten(*offset)])
            .chain([
                Settled::Pass(PassReason::NotGuarded),
                Settled::Pass(PassReason::OddAddress),
                Settled::Drop(DropReason::TableFull),
                Settled::Drop(DropReason::Contended),
            ]);
        for settled in settled {
            assert_eq!(Settled::from_bits(settled.to_bits()), settled);
        }
    }
}
