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

#[cfg(any(test, feature = "host", feature = "user"))]
use core::sync::atomic::{AtomicU64, Ordering};

pub use super::control::{Control, Phase, Reason};
use crate::{
    tcp::seq::{Offset, Seq},
    tick::Tick,
    translate::Translation,
};

/// A 64-bit word that several CPUs share. In the kernel it is a piece of a map's value.
pub trait Word {
    /// The value now, read in one access.
    fn load(&self) -> u64;
    /// Replaces the value in one access.
    fn store(&self, value: u64);
    /// Replaces `current` by `new`; false, and nothing is written, if the value is another by now. All that this CPU read and wrote
    /// before comes before it for other CPUs, and all after behind it.
    fn compare_exchange(&self, current: u64, new: u64) -> bool;
    /// The value now; whatever is read afterwards is not older than that.
    fn load_first(&self) -> u64 {
        self.load()
    }

    /// The same number. In the kernel the optimizer forgets what it knows of it, or it would leave out a bound that the verifier wants to see.
    #[must_use]
    fn opaque(number: u32) -> u32 {
        number
    }

    /// The same number. In the kernel the verifier forgets what it knows of it, and goes on once where it would go on once for each
    /// number that it could be.
    #[must_use]
    fn unknown(number: u32) -> u32 {
        number
    }

    /// Counts one more, or one less but never below 0.
    #[inline(always)]
    fn count(&self, more: bool) {
        for _ in 0..ATTEMPTS {
            let before = self.load();
            let after = if more {
                before.wrapping_add(1)
            } else {
                before.saturating_sub(1)
            };
            if self.compare_exchange(before, after) {
                return;
            }
        }
    }
}

/// Attempts to count against other CPUs: one of them succeeds in each round.
const ATTEMPTS: u32 = 64;

#[cfg(any(test, feature = "host", feature = "user"))]
impl Word for AtomicU64 {
    fn load(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn store(&self, value: u64) {
        self.store(value, Ordering::Release);
    }

    fn compare_exchange(&self, current: u64, new: u64) -> bool {
        self.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }
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

    /// Makes it this, word by word.
    #[inline(always)]
    pub fn write(&self, record: &Record) {
        self.identity.store(record.identity);
        self.sent.store(record.sent);
        self.received.store(record.received);
        self.stamps.store(record.stamps);
        self.life.store(record.life);
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

    /// The same with this state.
    #[must_use]
    pub const fn with_control(self, control: Control) -> Self {
        Self {
            life: pack(control.0, unpack(self.life).1),
            ..self
        }
    }

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

    /// Whether the entry, once its handshake is complete, must be there for as long as the flow may live: it is translated,
    /// or it is its own that it is not.
    #[must_use]
    pub const fn must_stay(&self) -> bool {
        !self.translation().is_none() || self.control().has(Control::OWN)
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
