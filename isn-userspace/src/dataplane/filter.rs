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

    /// Sets bits, whatever others are setting at the same time. A filter without a place for one of them is refused: the host would
    /// pass by the tables.
    pub fn set(&self, bits: impl Iterator<Item = Bits>) -> Result<(), MapError> {
        let words = self.0.values();
        for Bits { word: index, bits } in bits {
            let Some(word) = words.get(index as usize) else {
                let max_entries = u32::try_from(words.len()).unwrap_or(u32::MAX);
                return Err(MapError::OutOfBounds { index, max_entries });
            };
            word.fetch_or(bits, Ordering::SeqCst);
        }
        Ok(())
    }
}
