//! Keyed mode in a snapshot: which key it was, never the key. A part of [`super::contents`], and as much of the format.

use std::time::Duration;

use isn_common::{abi::settings::Keyed, tick::Tick};
use serde::{Deserialize, Serialize};

use super::age::ticks;
use crate::{
    dataplane::{Adopting, KeyedBefore},
    key::Fingerprint,
};

/// Keyed mode that was in use.
#[derive(Clone, Copy, Deserialize, Serialize)]
pub struct SavedKeyed {
    generation: u32,
    fingerprint: u64,
    /// Ticks for which connections of before were still being adopted.
    adopting: u32,
    /// Whether they had the key before, which is not saved.
    after_key: bool,
}

impl SavedKeyed {
    /// As it is now; `None` if it is not in use.
    pub fn of(keyed: &Keyed, now: Tick) -> Option<Self> {
        let fingerprint = Fingerprint::of(keyed.key()).filter(|_| keyed.is_in_use())?;
        let adopting = Adopting::of(keyed, now);
        Some(Self {
            generation: keyed.generation,
            fingerprint: fingerprint.0,
            adopting: adopting.map_or(0, |it| it.left),
            after_key: adopting.is_some_and(|it| it.after_key),
        })
    }

    /// As it was, when it was saved `elapsed` ago.
    pub fn keyed_before(self, elapsed: Duration) -> KeyedBefore {
        KeyedBefore {
            generation: self.generation,
            fingerprint: Fingerprint(self.fingerprint),
            adopting: self.adopting.saturating_sub(ticks(elapsed)),
            after_key: self.after_key,
        }
    }
}
