//! What a SYN of a guarded host means for its flow: a pure decision (S1, S2, S4 to S8; for
//! timestamps RFC 7323 section 5).

use crate::{
    abi::{
        flow::{Control, Phase, Reason, Record, pack, unpack},
        policy::Mode,
        settings::Settings,
    },
    counter::Counter,
    isn::Occupied,
    segment::Segment,
    tcp::{
        options::SynOptions,
        seq::{Offset, Seq},
    },
    tick::Tick,
    translate::Translation,
};

/// A SYN or SYN-ACK of the host, and how its flow is treated. `repr(C)` and without padding, so that a BPF function can be
/// given one by reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct Syn {
    /// The sequence number that the host chose.
    pub isn: Seq,
    /// Sequence numbers that the segment occupies: 1, and data of TCP Fast Open (RFC 7413).
    pub length: u32,
    /// What its options settle.
    pub options: SynOptions,
    /// The flow's offset by itself (S3): of a keyed one F, of any other 0.
    pub offset: Offset,
    /// Whether it answers a SYN of the peer.
    pub passive: bool,
    /// [`Mode`] as a number, 0 if the policy does not guard the host.
    pub mode: u8,
    /// What [`crate::sample`] has found: flags of [`Flags`](crate::abi::sample::Flags), 0 if it is to be no sample.
    pub sample: u8,
    /// False.
    pub padding: bool,
    /// End of the incarnation before in the host's numbers, where the flags say that it is known.
    pub host_mark: Seq,
    /// The same in the peer's numbers.
    pub wire_mark: Seq,
}

const _: () = assert!(size_of::<Syn>() == 32);

impl Syn {
    /// The SYN in `segment`, whose options are `options`, of a host that is not guarded.
    #[must_use]
    pub const fn read(segment: &Segment, options: SynOptions) -> Self {
        Self {
            isn: segment.sequence,
            length: segment.sequence_length(),
            options,
            offset: Offset(0),
            passive: segment.flags.ack(),
            mode: 0,
            sample: 0,
            padding: false,
            host_mark: Seq(0),
            wire_mark: Seq(0),
        }
    }

    /// Notes how its flow is treated.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "modes are few")]
    pub const fn treat(&mut self, mode: Option<Mode>, offset: Offset) {
        self.mode = match mode {
            Some(mode) => mode.to_number() as u8,
            None => 0,
        };
        self.offset = offset;
    }

    /// What the policy says about the host; `None` if it is not guarded.
    #[must_use]
    pub const fn mode(&self) -> Option<Mode> {
        Mode::from_number(self.mode as u16)
    }
}

/// What surrounds a decision.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// What the policy says about the host; `None` if it is not guarded.
    pub mode: Option<Mode>,
    /// The flow's offset by itself (S3): of a keyed one F, of any other 0.
    pub offset: Offset,
    /// When a flow is forgotten (S8), and whether no new offset may be made (S20).
    pub settings: &'a Settings,
    /// Now.
    pub now: Tick,
}

/// What to do with a SYN on a flow that has an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The SYN belongs to the incarnation there is: it keeps its offset.
    Continue(Counter),
    /// A new incarnation, or a new host ISN for a half-open one.
    Open(Opening),
}

/// How an incarnation opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// What is done to its segments.
    pub translation: Translation,
    /// Why its sequence numbers have the offset that they have.
    pub reason: Reason,
    /// Whether a peer in TIME-WAIT would have refused its timestamp (RFC 7323 section 5.3, R1).
    pub stamp: Stamp,
}

/// What became of a SYN's timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// It does not regress, or there is none.
    Safe,
    /// It regresses, and leaves as it came.
    Regressed,
    /// It would have regressed, and was moved ahead.
    Repaired,
}

impl Circumstances<'_> {
    /// Whether the flow is keyed.
    #[must_use]
    pub const fn is_keyed(&self) -> bool {
        matches!(self.mode, Some(Mode::Keyed))
    }

    /// Whether a flow was silent for the history horizon (S8).
    const fn is_idle(&self, record: &Record) -> bool {
        self.now.since(record.last_seen()) >= self.settings.history
    }

    /// Whether nothing counts of what is known of a flow that does not live: it is idle, or only the peer's SYN was seen.
    #[must_use]
    #[inline(always)]
    pub const fn is_forgotten(&self, record: &Record) -> bool {
        self.is_idle(record) || matches!(record.control().phase(), Phase::Opening)
    }

    /// The translation that the flow has by itself.
    const fn by_itself(&self) -> Translation {
        Translation {
            sequence: self.offset,
            timestamp: Offset(0),
        }
    }

    /// Whether a translation is an incarnation's own: nothing but its entry knows it. Segments of a signed one all tell that
    /// they are left alone.
    #[must_use]
    #[inline(always)]
    pub fn is_own(&self, opening: &Opening) -> bool {
        opening.reason != Reason::TcpAuth && opening.translation != self.by_itself()
    }

    /// What an incarnation has of [`Control::KEYED`], its generation, and [`Control::OWN`] where its translation is its `own`.
    #[must_use]
    #[inline(always)]
    pub const fn marks(&self, own: bool) -> u32 {
        let keyed = if self.is_keyed() {
            Control(0).with_generation(self.settings.keyed.generation).0
        } else {
            0
        };
        keyed | (own as u32).wrapping_mul(Control::OWN)
    }

    /// The opening of `syn` on a flow of which nothing is remembered.
    #[must_use]
    pub const fn first(&self, syn: &Syn) -> Opening {
        if syn.options.authenticated {
            Opening::untouched(Reason::TcpAuth)
        } else {
            self.plain(Reason::New)
        }
    }

    /// An opening with nothing but what the flow has by itself: `reason` where that is nothing.
    const fn plain(&self, reason: Reason) -> Opening {
        if !self.is_keyed() {
            return Opening::untouched(reason);
        }
        if self.settings.draining() {
            return Opening::untouched(Reason::Draining);
        }
        Opening::new(self.offset, Reason::Keyed)
    }

    /// `opening` where the table of translated flows has no room for what is its own (S18).
    #[must_use]
    pub fn without_room(&self, opening: &Opening) -> Opening {
        let mut without = Opening::new(self.offset, Reason::TableFull);
        if opening.stamp != Stamp::Safe {
            without.stamp = Stamp::Regressed;
        }
        without
    }
}

impl Opening {
    const fn new(sequence: Offset, reason: Reason) -> Self {
        Self {
            translation: Translation {
                sequence,
                timestamp: Offset(0),
            },
            reason,
            stamp: Stamp::Safe,
        }
    }

    const fn untouched(reason: Reason) -> Self {
        Self::new(Offset(0), reason)
    }
}

/// Decides on `syn` for the flow in `record`. `random` gives 64 bits that nobody can predict; it
/// must give the same bits for the same flow and SYN.
#[inline(always)]
pub fn decide(
    record: &Record,
    syn: &Syn,
    around: &Circumstances<'_>,
    random: impl Fn() -> u64,
) -> Decision {
    let control = record.control();
    let phase = control.phase();
    let idle = around.is_idle(record);
    let lives = matches!(phase, Phase::Established | Phase::Closing);
    if lives && (!idle || record.must_stay()) {
        return Decision::Continue(Counter::SynOnLiveFlow);
    }
    let same_isn = syn.isn == record.host_isn();
    if phase == Phase::HalfOpen && !idle && same_isn {
        return Decision::Continue(Counter::SynRetransmit);
    }
    let Some(mode) = around.mode else {
        return Decision::Open(Opening::untouched(Reason::NotGuarded));
    };
    if syn.options.authenticated || syn.passive && control.has(Control::PEER_AUTH) {
        return Decision::Open(Opening::untouched(Reason::TcpAuth));
    }
    if around.is_forgotten(record) {
        return Decision::Open(around.plain(Reason::New));
    }
    let opening = if phase == Phase::HalfOpen {
        resent(record, syn, mode, around)
    } else {
        succeeding(record, syn, mode, around, &random)
    };
    Decision::Open(stamped(opening, record, syn, mode, around, &random))
}

/// A half-open flow's SYN with another ISN. To the peer, in SYN-SENT or SYN-RECEIVED, this must be a
/// retransmission (S5). An offset that is already there stays, whatever the mode is by now.
#[inline(always)]
fn resent(record: &Record, syn: &Syn, mode: Mode, around: &Circumstances<'_>) -> Opening {
    let wire = record.wire_isn();
    let mut opening = if record.offset() == Offset(0) {
        moved(wire, Reason::Resent, syn, mode, around)
    } else {
        rewritten(wire, Reason::Resent, syn)
    };
    opening.translation.timestamp = record.timestamp_offset();
    opening
}

/// The SYN of an incarnation that succeeds a closed one (S2).
#[inline(always)]
fn succeeding(
    record: &Record,
    syn: &Syn,
    mode: Mode,
    around: &Circumstances<'_>,
    random: impl Fn() -> u64,
) -> Opening {
    let before = Occupied {
        high_water: record.high_water(),
        right_edge: record.right_edge(),
    };
    if before.allows(syn.isn.to_wire(around.offset)) {
        return around.plain(Reason::Safe);
    }
    if !record.control().has(Control::PEER_SEEN) && mode != Mode::Observe {
        return Opening::untouched(Reason::OneWay);
    }
    let (for_sequence, _) = unpack(random());
    let wire = before.safe_number(for_sequence);
    moved(wire, Reason::Regressed, syn, mode, around)
}

fn moved(wire: Seq, reason: Reason, syn: &Syn, mode: Mode, around: &Circumstances<'_>) -> Opening {
    if mode == Mode::Observe {
        return Opening::untouched(Reason::Observed);
    }
    if around.settings.draining() {
        return Opening::untouched(Reason::Draining);
    }
    rewritten(wire, reason, syn)
}

const fn rewritten(wire: Seq, reason: Reason, syn: &Syn) -> Opening {
    Opening::new(wire.offset_from(syn.isn), reason)
}

/// The same opening, its timestamp moved ahead where a peer in TIME-WAIT or SYN-RECEIVED would
/// refuse it as older than the last one (PAWS, RFC 7323 section 5).
#[inline(always)]
fn stamped(
    mut opening: Opening,
    record: &Record,
    syn: &Syn,
    mode: Mode,
    around: &Circumstances<'_>,
    random: impl Fn() -> u64,
) -> Opening {
    let control = record.control();
    let half_open = control.phase() == Phase::HalfOpen;
    let peer_may_hold_one =
        control.has(Control::STAMPED) && (half_open || control.has(Control::HOST_FIN));
    let stamp = syn.options.stamp;
    let ahead = stamp
        .to_wire(opening.translation.timestamp)
        .distance_from(record.latest_stamp());
    if !syn.options.stamped || syn.passive || !peer_may_hold_one || ahead >= 0 {
        return opening;
    }
    let one_way = !half_open && !control.has(Control::PEER_SEEN);
    if mode == Mode::Observe || around.settings.draining() || one_way {
        opening.stamp = Stamp::Regressed;
        return opening;
    }
    // To the peer, the SYN of a half-open flow is a retransmission: the same number again.
    let beyond = if half_open {
        0
    } else {
        let (_, for_timestamp) = unpack(random());
        (for_timestamp >> STAMP_JUMP_SHIFT).wrapping_add(1)
    };
    let wire = record.latest_stamp().advanced(beyond);
    opening.translation.timestamp = wire.offset_from(stamp);
    opening.stamp = Stamp::Repaired;
    opening
}

/// Timestamps are moved ahead by 1 to 2^16: the upper half of 32 random bits, and 1.
const STAMP_JUMP_SHIFT: u32 = 16;

/// What a SYN with another ISN leaves of a half-open incarnation, and a SYN-ACK of what the peer's
/// SYN has said.
const KEPT: u32 = Control::PEER_SEEN | Control::PEER_AUTH | Control::PEER_SCALES | Control::SHIFT;

/// The entry of an incarnation that `syn` opens with this translation, where `before` is the flow's
/// entry so far, [`Record::EMPTY`] if there was none. `marks` are [`Circumstances::marks`].
#[must_use]
#[inline(always)]
pub fn opened(syn: &Syn, opening: &Opening, marks: u32, before: &Record, now: Tick) -> Record {
    let (by, reason) = (opening.translation, opening.reason);
    let resent = reason == Reason::Resent;
    let mut kept = 0;
    if syn.passive || resent {
        kept = before.control().0 & KEPT;
    }
    if resent {
        kept |= before.control().0 & (Control::PREVIOUS | Control::STAMPED);
    }
    let mut control = Control(kept | marks)
        .with(Control::HOST_SYN)
        .with_reason(reason);
    if syn.passive {
        control = control.with(Control::PASSIVE);
    }
    control = with_host_scale(control, syn);
    let mut high_water = syn.isn.to_wire(by.sequence).advanced(syn.length);
    if resent {
        // The peer may hold data of the first SYN.
        high_water = high_water.or_later(before.high_water());
    }
    let latest = latest_stamp(control, before.latest_stamp(), syn, by);
    if syn.options.stamped {
        control = control.with(Control::STAMPED);
    }
    Record {
        identity: pack(by.sequence.0, syn.isn.0),
        sent: pack(high_water.0, now.0),
        received: pack(high_water.0, before.peer_next().0),
        stamps: pack(by.timestamp.0, latest.0),
        life: pack(control.0, now.0),
    }
}

/// The latest TSval after a SYN, where `before` is the one so far if `control` says that it is known.
#[must_use]
#[inline(always)]
pub fn latest_stamp(control: Control, before: Seq, syn: &Syn, by: Translation) -> Seq {
    let stamp = syn.options.stamp.to_wire(by.timestamp);
    match (syn.options.stamped, control.has(Control::STAMPED)) {
        (true, false) => stamp,
        (true, true) => before.or_later(stamp),
        (false, _) => before,
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
        stamps: 0,
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
