//! What is remembered of a flow: 40 octets, with an IPv4 key less than a cache line.
//!
//! Five words of 64 bits, each read and written as one, so that the two numbers in a word always
//! belong together whatever other CPUs do:
//!
//! | word | low half | high half | written by |
//! |---|---|---|---|
//! | identity | offset | host ISN | an opening, while it holds the claim |
//! | sent | high-water mark | tick of opening | outbound segments, and an opening |
//! | received | right edge | peer's next sequence number | inbound segments, and an opening |
//! | stamps | timestamp offset | latest TSval | an opening; the latest also segments from the host's FIN on |
//! | life | [`Control`] | tick of the last packet | anyone, by compare-and-exchange |

use crate::{
    counter::Counter,
    tcp::{
        options::SynOptions,
        seq::{Offset, Seq},
    },
    tick::Tick,
    translate::Translation,
};

/// A 64-bit word that several CPUs share. In the kernel it is a piece of a map's value.
pub trait Word {
    /// The value now, read in one access.
    fn load(&self) -> u64;
    /// Replaces the value in one access.
    fn store(&self, value: u64);
    /// Replaces `current` by `new`; false, and nothing is written, if the value is another by now.
    fn compare_exchange(&self, current: u64, new: u64) -> bool;
}

/// A flow as it lies in a map, shared between CPUs.
#[repr(C)]
pub struct Flow<W> {
    /// Offset and host ISN.
    pub identity: W,
    /// High-water mark and tick of opening.
    pub sent: W,
    /// Right edge and the peer's next sequence number.
    pub received: W,
    /// Timestamp offset and latest TSval.
    pub stamps: W,
    /// Control bits and tick of the last packet.
    pub life: W,
}

/// A flow as plain data: what user space reads, and what is inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Record {
    /// Offset and host ISN.
    pub identity: u64,
    /// High-water mark and tick of opening.
    pub sent: u64,
    /// Right edge and the peer's next sequence number.
    pub received: u64,
    /// Timestamp offset and latest TSval.
    pub stamps: u64,
    /// Control bits and tick of the last packet.
    pub life: u64,
}

const _: () = assert!(size_of::<Record>() == 40 && align_of::<Record>() == 8);

/// Two 32-bit numbers as one word.
#[must_use]
pub const fn pack(low: u32, high: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

/// The two numbers of a word, low half first.
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "the two halves")]
pub const fn unpack(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

impl<W: Word> Flow<W> {
    /// A copy of the flow, word by word.
    pub fn record(&self) -> Record {
        Record {
            identity: self.identity.load(),
            sent: self.sent.load(),
            received: self.received.load(),
            stamps: self.stamps.load(),
            life: self.life.load(),
        }
    }

    /// What is done to the flow's segments now.
    #[inline(always)]
    pub fn translation(&self) -> Translation {
        Translation {
            sequence: Offset(unpack(self.identity.load()).0),
            timestamp: Offset(unpack(self.stamps.load()).0),
        }
    }
}

impl Record {
    /// Of a flow of which nothing is known.
    pub const EMPTY: Self = Self {
        identity: 0,
        sent: 0,
        received: 0,
        stamps: 0,
        life: 0,
    };

    /// Wire minus host.
    #[must_use]
    pub const fn offset(&self) -> Offset {
        Offset(unpack(self.identity).0)
    }

    /// The sequence number that the host chose.
    #[must_use]
    pub const fn host_isn(&self) -> Seq {
        Seq(unpack(self.identity).1)
    }

    /// The sequence number that the peer sees.
    #[must_use]
    pub const fn wire_isn(&self) -> Seq {
        self.host_isn().to_wire(self.offset())
    }

    /// The highest wire sequence number from the host: the one behind its last octet.
    #[must_use]
    pub const fn high_water(&self) -> Seq {
        Seq(unpack(self.sent).0)
    }

    /// When this incarnation opened.
    #[must_use]
    pub const fn opened(&self) -> Tick {
        Tick(unpack(self.sent).1)
    }

    /// The highest acknowledgment of the peer plus its window: what it would accept next.
    #[must_use]
    pub const fn right_edge(&self) -> Seq {
        Seq(unpack(self.received).0)
    }

    /// The sequence number behind the peer's last octet; meaningful with [`Control::PEER_SEEN`].
    #[must_use]
    pub const fn peer_next(&self) -> Seq {
        Seq(unpack(self.received).1)
    }

    /// Wire minus host, of timestamps.
    #[must_use]
    pub const fn timestamp_offset(&self) -> Offset {
        Offset(unpack(self.stamps).0)
    }

    /// The latest TSval that the peer was sent, as far as the next opening needs it; meaningful with
    /// [`Control::STAMPED`].
    #[must_use]
    pub const fn latest_stamp(&self) -> Seq {
        Seq(unpack(self.stamps).1)
    }

    /// What is done to the flow's segments.
    #[must_use]
    pub const fn translation(&self) -> Translation {
        Translation {
            sequence: self.offset(),
            timestamp: self.timestamp_offset(),
        }
    }

    /// State of the incarnation.
    #[must_use]
    pub const fn control(&self) -> Control {
        Control(unpack(self.life).0)
    }

    /// When the last packet was seen, either way.
    #[must_use]
    pub const fn last_seen(&self) -> Tick {
        Tick(unpack(self.life).1)
    }
}

/// The incarnation before the one in a flow's record, as far as its late segments need it (S14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Previous {
    /// Its sequence offset.
    pub offset: u32,
    /// Its high-water mark, a wire number.
    pub high_water: u32,
    /// When it was succeeded.
    pub ended: u32,
    /// Its timestamp offset.
    pub timestamp_offset: u32,
}

impl Previous {
    /// As two words, and back: what a BPF function can be given.
    #[must_use]
    pub const fn to_words(self) -> [u64; 2] {
        [
            pack(self.offset, self.high_water),
            pack(self.ended, self.timestamp_offset),
        ]
    }

    /// The inverse of [`Previous::to_words`].
    #[must_use]
    pub const fn from_words(words: [u64; 2]) -> Self {
        let (offset, high_water) = unpack(words[0]);
        let (ended, timestamp_offset) = unpack(words[1]);
        Self {
            offset,
            high_water,
            ended,
            timestamp_offset,
        }
    }

    /// What was done to its segments.
    #[must_use]
    pub const fn translation(&self) -> Translation {
        Translation {
            sequence: Offset(self.offset),
            timestamp: Offset(self.timestamp_offset),
        }
    }
}

const _: () = assert!(size_of::<Previous>() == 16);

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
    /// The flow lives in the table of translated flows by now; this entry is a leftover.
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

    /// The same with the reason of the last decision.
    #[must_use]
    pub const fn with_reason(self, reason: Reason) -> Self {
        Self(self.0 & !Self::REASON | (reason as u32) << Self::REASON_AT)
    }

    /// The reason of the last decision.
    #[must_use]
    pub fn reason(self) -> Option<Reason> {
        let number = (self.0 & Self::REASON) >> Self::REASON_AT;
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
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 10] = [
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
        }
    }
}
