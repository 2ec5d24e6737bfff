//! The filter of guarded hosts as it lies in its maps ([`isn_common::filter`]).

use std::borrow::BorrowMut;

use aya::maps::{Array, MapData, MapError};
use isn_common::filter::Bits;

/// Sets bits of a filter. Nobody else does at the same time: verbs that change an instance hold its lock.
pub fn set_bits<T: BorrowMut<MapData>>(
    map: &mut Array<T, u64>,
    bits: impl Iterator<Item = Bits>,
) -> Result<(), MapError> {
    for Bits { word, bits } in bits {
        let before = map.get(&word, 0)?;
        if before & bits != bits {
            map.set(word, before | bits, 0)?;
        }
    }
    Ok(())
}
