//! The filter of guarded hosts as it lies in its maps ([`isn_common::filter`]).

use std::sync::atomic::{AtomicU64, Ordering};

use aya::maps::{MapData, MapError};
use isn_common::filter::Bits;

use super::mapped::Mapped;

/// The filter of one address family.
pub struct Filter(Mapped<AtomicU64>);

impl Filter {
    /// Maps a filter's words.
    pub fn of(map: &MapData) -> Result<Self, MapError> {
        Mapped::of(map).map(Self)
    }

    /// Sets bits, whatever others are setting at the same time.
    pub fn set(&self, bits: impl Iterator<Item = Bits>) {
        for Bits { word, bits } in bits {
            if let Some(word) = self.0.values().get(word as usize) {
                word.fetch_or(bits, Ordering::SeqCst);
            }
        }
    }
}
