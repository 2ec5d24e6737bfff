//! The settings of an instance, one value in an array map.

use super::ABI_VERSION;
use crate::{siphash::Key, tick::Tick};

/// What the data plane needs to know besides the policy. Read once a SYN.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Settings {
    /// [`ABI_VERSION`] of everything pinned beside this. First, in every version.
    pub abi_version: u32,
    /// Ticks after the last packet of a flow until it is forgotten (S8).
    pub history: u32,
    /// [`OnFull`] as a number.
    pub on_full: u32,
    /// 1 while no new offset may be made, so that the last one ends some day; else 0.
    pub draining: u32,
    /// Inode number of the network namespace that the interfaces belong to.
    pub network_namespace: u64,
    /// Key of the jumps, drawn once for the life of the instance.
    pub secret: Key,
    /// How much the tables take, and for how long.
    pub limits: Limits,
    /// Keyed mode: its keys, and whether flows of before are still being adopted.
    pub keyed: Keyed,
}

/// What keyed mode needs to know (S3).
///
/// A key is written into the place that is not in use before its generation becomes the current one, so that no packet meets
/// half a key.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Keyed {
    /// The keys of even and of odd generations.
    pub keys: [Key; 2],
    /// Number of the current key; the other one is of the generation before.
    pub generation: u32,
    /// Tick from which on flows of before are adopted.
    pub adopting_since: u32,
    /// For how many ticks; 0 ends it.
    pub adopting_for: u32,
    /// [`Keyed::IN_USE`] and [`Keyed::AFTER_KEY`].
    pub flags: u32,
}

impl Keyed {
    /// A rule of the policy is keyed: segments of unknown flows must look.
    pub const IN_USE: u32 = 1;
    /// Flows of before have the key of the generation before; else they have no offset.
    pub const AFTER_KEY: u32 = 1 << 1;

    /// Not in use.
    pub const UNUSED: Self = Self {
        keys: [Key([0; 2]); 2],
        generation: 0,
        adopting_since: 0,
        adopting_for: 0,
        flags: 0,
    };

    /// Whether a rule of the policy is keyed.
    #[must_use]
    pub const fn is_in_use(&self) -> bool {
        self.flags & Self::IN_USE != 0
    }

    /// Whether a flow without an entry is taken for one of before.
    #[must_use]
    pub const fn is_adopting(&self, now: Tick) -> bool {
        // Not `since`, for which half of all ticks lie in the future: after years, adopting would begin again.
        now.0.wrapping_sub(self.adopting_since) < self.adopting_for
    }

    /// The key of flows that open now.
    #[must_use]
    pub const fn key(&self) -> Key {
        self.keys[(self.generation & 1) as usize]
    }

    /// The key of flows of before; `None` if they have no offset.
    #[must_use]
    pub const fn key_before(&self) -> Option<Key> {
        if self.flags & Self::AFTER_KEY == 0 {
            return None;
        }
        Some(self.keys[(self.generation & 1 ^ 1) as usize])
    }
}

/// How much the tables of flows take, and for how long. Every number counts for each address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Limits {
    /// Flows with an offset whose handshake is complete (S16).
    pub max_flows: u32,
    /// First SYNs that one host may put among the half-open flows in [`Limits::HALF_OPEN_WINDOW`].
    pub half_open_share: u32,
    /// Finished handshakes that one host may put into the history within one history horizon.
    pub history_share: u32,
    /// Ticks of silence after which a translated flow that is open counts as dead.
    pub idle: u32,
    /// Ticks of silence after which a translated flow of which one end is closed counts as dead.
    pub closing: u32,
    /// Samples of its initial sequence numbers that one host may give in [`Limits::SAMPLE_WINDOW`]; 0 to take none.
    pub sample_share: u32,
}

const _: () = assert!(size_of::<Settings>() == 112 && align_of::<Settings>() == 8);

/// What becomes of a connection that needs an offset when no room is left for it (S18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// It passes untranslated.
    Pass,
    /// Its SYN is dropped.
    Drop,
}

impl Limits {
    /// Default silence of an open connection: old applications say nothing for days, and a device that nobody watches may
    /// be left alone over a holiday. Two weeks.
    pub const DEFAULT_IDLE_SECONDS: u32 = 14 * 86_400;
    /// Default silence of a connection of which one end is closed: a day.
    pub const DEFAULT_CLOSING_SECONDS: u32 = 86_400;
    /// Time over which half-open flows of a host are counted: longer than any round trip.
    pub const HALF_OPEN_WINDOW: u32 = Tick::in_seconds(8);

    /// Default of [`Limits::sample_share`] for whoever takes samples: enough to tell a generator within a second.
    pub const DEFAULT_SAMPLE_SHARE: u32 = 32;
    /// Time over which samples of a host are counted.
    pub const SAMPLE_WINDOW: u32 = Tick::in_seconds(1);

    /// The defaults; no host has a share that it could use up, and no samples are taken.
    pub const DEFAULT: Self = Self {
        max_flows: 65_536,
        half_open_share: u32::MAX,
        history_share: u32::MAX,
        idle: Tick::in_seconds(Self::DEFAULT_IDLE_SECONDS),
        closing: Tick::in_seconds(Self::DEFAULT_CLOSING_SECONDS),
        sample_share: 0,
    };
}

impl Settings {
    /// Default history: 240 s, the TIME-WAIT of Windows NT 4.0.
    pub const DEFAULT_HISTORY_SECONDS: u32 = 240;

    /// Settings of this version.
    #[must_use]
    pub const fn new(history: u32, on_full: OnFull, network_namespace: u64, secret: Key) -> Self {
        Self {
            abi_version: ABI_VERSION,
            history,
            on_full: match on_full {
                OnFull::Pass => 0,
                OnFull::Drop => 1,
            },
            draining: 0,
            network_namespace,
            secret,
            limits: Limits::DEFAULT,
            keyed: Keyed::UNUSED,
        }
    }

    /// Whether no new offset may be made.
    #[must_use]
    pub const fn draining(&self) -> bool {
        self.draining != 0
    }

    /// What to do when the table is full; anything unknown counts as the safe default.
    #[must_use]
    pub const fn on_full(&self) -> OnFull {
        if self.on_full == 1 {
            OnFull::Drop
        } else {
            OnFull::Pass
        }
    }
}
