//! State of an incarnation in a flow's record: what was seen of it, where it stands, and why it has the offset that it has.

use crate::{counter::Counter, tcp::options::SynOptions};

/// State of an incarnation, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Control(pub u32);

impl Control {
    /// A SYN of the host was seen: the identity is known.
    pub const HOST_SYN: u32 = 1;
    /// The peer acknowledged the host's SYN.
    pub const ANSWERED: u32 = 1 << 1;
    /// A FIN of the host was seen.
    pub const HOST_FIN: u32 = 1 << 2;
    /// A FIN of the peer was seen.
    pub const PEER_FIN: u32 = 1 << 3;
    /// The host reset the connection.
    pub const HOST_RST: u32 = 1 << 4;
    /// The peer reset the connection.
    pub const PEER_RST: u32 = 1 << 5;
    /// A packet of the peer was seen in this incarnation.
    pub const PEER_SEEN: u32 = 1 << 6;
    /// The host was opened to: its SYN was a SYN-ACK.
    pub const PASSIVE: u32 = 1 << 7;
    /// The host's SYN carried a window scale option.
    pub const HOST_SCALES: u32 = 1 << 8;
    /// The peer's SYN carried a window scale option.
    pub const PEER_SCALES: u32 = 1 << 9;
    const SHIFT_AT: u32 = 10;
    /// The peer's window scale shift.
    pub const SHIFT: u32 = 0xf << Self::SHIFT_AT;
    const REASON_AT: u32 = 14;
    const REASON: u32 = 0xf << Self::REASON_AT;
    /// The peer's SYN is authenticated by TCP-MD5 or TCP-AO.
    pub const PEER_AUTH: u32 = 1 << 18;
    /// The incarnation before had another offset, which its late segments still need (S14).
    pub const PREVIOUS: u32 = 1 << 19;
    /// The latest TSval is known.
    pub const STAMPED: u32 = 1 << 20;
    /// Its host has its share of the history: the entry stays among the half-open ones.
    pub const STAYS: u32 = 1 << 21;
    /// The flow was keyed when the incarnation opened or was learnt (S3), by the key of [`Control::generation`].
    pub const KEYED: u32 = 1 << 22;
    /// The incarnation's translation is its own: it is not what the packet, the policy and the key alone would give, so nothing
    /// else than this entry knows it.
    pub const OWN: u32 = 1 << 23;
    const GENERATION_AT: u32 = 24;
    /// The lower bits of the number of the key.
    const GENERATION: u32 = 0x3f << Self::GENERATION_AT;
    /// The flow's entry is in another table by now; this one is a leftover. In the history it still tells of the incarnation
    /// before.
    pub const MOVED: u32 = 1 << 30;
    /// A CPU is deciding on a SYN of this flow.
    pub const CLAIMED: u32 = 1 << 31;

    /// Whether all of `bits` are set.
    #[must_use]
    pub const fn has(self, bits: u32) -> bool {
        self.0 & bits == bits
    }

    /// The same with `bits` set.
    #[must_use]
    pub const fn with(self, bits: u32) -> Self {
        Self(self.0 | bits)
    }

    /// The same with `bits` cleared.
    #[must_use]
    pub const fn without(self, bits: u32) -> Self {
        Self(self.0 & !bits)
    }

    /// The same with what the peer's SYN says about its window.
    #[must_use]
    pub const fn with_peer_scale(self, options: &SynOptions) -> Self {
        let scales = if options.scales { Self::PEER_SCALES } else { 0 };
        let shift = (options.shift as u32) << Self::SHIFT_AT & Self::SHIFT;
        self.without(Self::PEER_SCALES | Self::SHIFT)
            .with(scales | shift)
    }

    /// Bits by which the peer's window field is shifted: 0 unless both sides offered to scale
    /// (RFC 7323 section 2.2).
    #[must_use]
    pub const fn peer_shift(self) -> u32 {
        if self.has(Self::HOST_SCALES | Self::PEER_SCALES) {
            (self.0 & Self::SHIFT) >> Self::SHIFT_AT
        } else {
            0
        }
    }

    /// The same as keyed by the key of this generation, of which the lower six bits are kept.
    #[must_use]
    pub const fn with_generation(self, generation: u32) -> Self {
        let bits = generation << Self::GENERATION_AT & Self::GENERATION;
        Self(self.0 & !Self::GENERATION | bits | Self::KEYED)
    }

    /// Whether it is keyed by the key of this generation.
    #[must_use]
    pub const fn is_of_generation(self, generation: u32) -> bool {
        self.has(Self::KEYED) && self.with_generation(generation).0 == self.0
    }

    /// The same with the reason of the last decision.
    #[must_use]
    pub const fn with_reason(self, reason: Reason) -> Self {
        Self(self.0 & !Self::REASON | (reason as u32) << Self::REASON_AT)
    }

    /// The reason of the last decision, as a number.
    #[must_use]
    pub const fn reason_number(self) -> u32 {
        (self.0 & Self::REASON) >> Self::REASON_AT
    }

    /// The reason of the last decision.
    #[must_use]
    pub fn reason(self) -> Option<Reason> {
        let number = self.reason_number();
        Reason::ALL
            .iter()
            .copied()
            .find(|reason| *reason as u32 == number)
    }

    /// Where the incarnation stands.
    #[must_use]
    pub const fn phase(self) -> Phase {
        let both_fins = Self::HOST_FIN | Self::PEER_FIN;
        if !self.has(Self::HOST_SYN) {
            Phase::Opening
        } else if self.0 & (Self::HOST_RST | Self::PEER_RST) != 0 || self.has(both_fins) {
            Phase::Closed
        } else if self.has(Self::HOST_FIN | Self::ANSWERED) && !self.has(Self::PEER_SEEN) {
            // Seen in one direction only: the peer's FIN will not be.
            Phase::Closed
        } else if !self.has(Self::ANSWERED) {
            Phase::HalfOpen
        } else if self.0 & both_fins != 0 {
            Phase::Closing
        } else {
            Phase::Established
        }
    }
}

/// Where an incarnation stands, as far as a gateway can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The peer's SYN was seen; the host has not answered.
    Opening,
    /// The host's SYN was seen; the peer has not acknowledged it.
    HalfOpen,
    /// Both ends are open.
    Established,
    /// One end is closed.
    Closing,
    /// Both ends are closed, or one reset the connection.
    Closed,
}

impl Phase {
    /// Name in JSON and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::HalfOpen => "half-open",
            Self::Established => "established",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

/// Why the incarnation has the offset that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Reason {
    /// Nothing was remembered of the flow.
    New = 0,
    /// The ISN lay beyond everything that the previous incarnation could have sent.
    Safe = 1,
    /// The ISN did not: it was moved ahead.
    Regressed = 2,
    /// A SYN that was never answered came again with another ISN: the peer sees the first one.
    Resent = 3,
    /// Unsafe, but the mode is observe.
    Observed = 4,
    /// Unsafe, but the table of translated flows was full.
    TableFull = 5,
    /// TCP-MD5 or TCP-AO signs the segments.
    TcpAuth = 6,
    /// Unsafe, but the previous incarnation was seen in one direction only.
    OneWay = 7,
    /// The policy no longer guards the host.
    NotGuarded = 8,
    /// Unsafe, but the instance is draining.
    Draining = 9,
    /// Keyed: offset by the function of the 4-tuple, and safe so (S3).
    Keyed = 10,
    /// Open before keyed mode or its key was in use: what it had was learnt from one of its segments.
    Adopted = 11,
    /// Keyed, and its entry was lost: the offset was computed again.
    Recomputed = 12,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 13] = [
        Self::New,
        Self::Safe,
        Self::Regressed,
        Self::Resent,
        Self::Observed,
        Self::TableFull,
        Self::TcpAuth,
        Self::OneWay,
        Self::NotGuarded,
        Self::Draining,
        Self::Keyed,
        Self::Adopted,
        Self::Recomputed,
    ];

    /// What is counted when an incarnation opens for this reason.
    #[must_use]
    pub const fn counter(self) -> Counter {
        match self {
            Self::New | Self::Safe | Self::NotGuarded => Counter::SynSafe,
            Self::Regressed | Self::Resent => Counter::SynRewritten,
            Self::Observed | Self::Draining => Counter::SynWouldRewrite,
            Self::TableFull => Counter::TableFull,
            Self::TcpAuth => Counter::BypassTcpAuth,
            Self::OneWay => Counter::BypassOneWay,
            Self::Keyed => Counter::SynKeyed,
            Self::Adopted => Counter::FlowsAdopted,
            Self::Recomputed => Counter::KeyedRemembered,
        }
    }

    /// Name in JSON and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Safe => "safe",
            Self::Regressed => "regressed",
            Self::Resent => "resent",
            Self::Observed => "observed",
            Self::TableFull => "table-full",
            Self::TcpAuth => "tcp-auth",
            Self::OneWay => "one-way",
            Self::NotGuarded => "not-guarded",
            Self::Draining => "draining",
            Self::Keyed => "keyed",
            Self::Adopted => "adopted",
            Self::Recomputed => "recomputed",
        }
    }
}
