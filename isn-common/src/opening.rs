//! What a SYN of a guarded host means for its flow: a pure decision (S1, S2, S4 to S8).

use crate::{
    abi::{
        flow::{Control, Phase, Reason, Record, pack},
        policy::Mode,
    },
    counter::Counter,
    isn::Occupied,
    segment::Segment,
    tcp::{
        options::SynOptions,
        seq::{Offset, Seq},
    },
    tick::Tick,
};

/// A SYN or SYN-ACK of the host. `repr(C)` and without padding, so that a BPF function can be given
/// one by reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Syn {
    /// The sequence number that the host chose.
    pub isn: Seq,
    /// Sequence numbers that the segment occupies: 1, and data of TCP Fast Open (RFC 7413).
    pub length: u32,
    /// Whether it answers a SYN of the peer.
    pub passive: bool,
    /// What its options settle.
    pub options: SynOptions,
}

const _: () = assert!(size_of::<Syn>() == 12);

impl Syn {
    /// The SYN in `segment`, whose options are `options`.
    #[must_use]
    pub const fn read(segment: &Segment, options: SynOptions) -> Self {
        Self {
            isn: segment.sequence,
            length: segment.sequence_length(),
            passive: segment.flags.ack(),
            options,
        }
    }
}

/// What surrounds a decision.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// What the policy says about the host; `None` if it is not guarded.
    pub mode: Option<Mode>,
    /// Ticks until a flow is forgotten (S8).
    pub history: u32,
    /// Whether no new offset may be made (S20).
    pub draining: bool,
    /// Now.
    pub now: Tick,
}

/// What to do with a SYN on a flow that has an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The SYN belongs to the incarnation there is: it keeps its offset.
    Continue(Counter),
    /// A new incarnation, or a new host ISN for a half-open one.
    Open {
        /// Wire minus host.
        offset: Offset,
        /// Why.
        reason: Reason,
        /// What to count.
        event: Counter,
    },
}

impl Decision {
    const fn untouched(reason: Reason, event: Counter) -> Self {
        Self::Open {
            offset: Offset(0),
            reason,
            event,
        }
    }
}

/// Decides on `syn` for the flow in `record`. `random` gives 32 bits that nobody can predict; it is
/// asked at most once, and must give the same bits for the same flow and SYN.
#[inline(always)]
pub fn decide(
    record: &Record,
    syn: &Syn,
    around: &Circumstances,
    random: impl FnOnce() -> u32,
) -> Decision {
    let control = record.control();
    let phase = control.phase();
    let idle = around.now.since(record.last_seen()) >= around.history;
    let lives = matches!(phase, Phase::Established | Phase::Closing);
    if lives && !(idle && record.offset() == Offset(0)) {
        return Decision::Continue(Counter::SynOnLiveFlow);
    }
    let same_isn = syn.isn == record.host_isn();
    if phase == Phase::HalfOpen && !idle && same_isn {
        return Decision::Continue(Counter::SynRetransmit);
    }
    let Some(mode) = around.mode else {
        return Decision::untouched(Reason::NotGuarded, Counter::SynSafe);
    };
    if syn.options.authenticated || syn.passive && control.has(Control::PEER_AUTH) {
        return Decision::untouched(Reason::TcpAuth, Counter::BypassTcpAuth);
    }
    if idle || phase == Phase::Opening || control.has(Control::MOVED) {
        return Decision::untouched(Reason::New, Counter::SynSafe);
    }
    if phase == Phase::HalfOpen {
        // To the peer, in SYN-SENT or SYN-RECEIVED, this must be a retransmission (S5). An offset
        // that is already there stays, whatever the mode is by now.
        let wire = record.wire_isn();
        return if record.offset() == Offset(0) {
            moved(wire, Reason::Resent, syn, mode, around)
        } else {
            rewritten(wire, Reason::Resent, syn)
        };
    }
    let before = Occupied {
        high_water: record.high_water(),
        right_edge: record.right_edge(),
    };
    if before.allows(syn.isn) {
        return Decision::untouched(Reason::Safe, Counter::SynSafe);
    }
    if !control.has(Control::PEER_SEEN) && mode != Mode::Observe {
        return Decision::untouched(Reason::OneWay, Counter::BypassOneWay);
    }
    moved(
        before.safe_number(random()),
        Reason::Regressed,
        syn,
        mode,
        around,
    )
}

fn moved(wire: Seq, reason: Reason, syn: &Syn, mode: Mode, around: &Circumstances) -> Decision {
    if mode == Mode::Observe {
        return Decision::untouched(Reason::Observed, Counter::SynWouldRewrite);
    }
    if around.draining {
        return Decision::untouched(Reason::Draining, Counter::SynWouldRewrite);
    }
    rewritten(wire, reason, syn)
}

const fn rewritten(wire: Seq, reason: Reason, syn: &Syn) -> Decision {
    Decision::Open {
        offset: wire.offset_from(syn.isn),
        reason,
        event: Counter::SynRewritten,
    }
}

/// What a SYN with another ISN leaves of a half-open incarnation, and a SYN-ACK of what the peer's
/// SYN has said.
const KEPT: u32 = Control::PEER_SEEN | Control::PEER_AUTH | Control::PEER_SCALES | Control::SHIFT;

/// The entry of an incarnation that `syn` opens with `offset`, where `before` is the flow's entry so
/// far, [`Record::EMPTY`] if there was none.
#[must_use]
#[inline(always)]
pub fn opened(syn: &Syn, offset: Offset, reason: Reason, before: &Record, now: Tick) -> Record {
    let resent = reason == Reason::Resent;
    let mut kept = 0;
    if syn.passive || resent {
        kept = before.control().0 & KEPT;
    }
    if resent {
        kept |= before.control().0 & Control::PREVIOUS;
    }
    let mut control = Control(kept).with(Control::HOST_SYN).with_reason(reason);
    if syn.passive {
        control = control.with(Control::PASSIVE);
    }
    control = with_host_scale(control, syn);
    let mut high_water = syn.isn.to_wire(offset).advanced(syn.length);
    if resent {
        // The peer may hold data of the first SYN.
        high_water = high_water.or_later(before.high_water());
    }
    Record {
        identity: pack(offset.0, syn.isn.0),
        sent: pack(high_water.0, now.0),
        received: pack(high_water.0, before.peer_next().0),
        life: pack(control.0, now.0),
    }
}

/// The control bits after a SYN: whether the host scales windows is settled by its last one, since
/// stacks leave options away when they repeat a SYN that was not answered.
#[must_use]
pub fn with_host_scale(control: Control, syn: &Syn) -> Control {
    if syn.options.scales {
        control.with(Control::HOST_SCALES)
    } else {
        control.without(Control::HOST_SCALES)
    }
}

/// The entry of a flow of which only the peer's SYN was seen.
#[must_use]
pub fn awaited(peer_next: Seq, options: &SynOptions, now: Tick) -> Record {
    let control = with_peer_syn(Control::default(), options);
    Record {
        identity: 0,
        sent: pack(0, now.0),
        received: pack(0, peer_next.0),
        life: pack(control.0, now.0),
    }
}

/// The control bits after a SYN of the peer.
#[must_use]
pub fn with_peer_syn(control: Control, options: &SynOptions) -> Control {
    let control = control.with_peer_scale(options).with(Control::PEER_SEEN);
    if options.authenticated {
        control.with(Control::PEER_AUTH)
    } else {
        control.without(Control::PEER_AUTH)
    }
}
