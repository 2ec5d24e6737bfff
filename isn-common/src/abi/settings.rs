//! The settings of an instance, one value in an array map.

use super::ABI_VERSION;
use crate::siphash::Key;

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
}

const _: () = assert!(size_of::<Settings>() == 40 && align_of::<Settings>() == 8);

/// What becomes of a connection that needs an offset when no room is left for it (S18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// It passes untranslated.
    Pass,
    /// Its SYN is dropped.
    Drop,
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
