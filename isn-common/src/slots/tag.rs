//! The tag of a slot: what is in it, how often it was taken, and since when it has been free again.

use crate::{
    abi::flow::{pack, unpack},
    tick::Tick,
};

/// Ticks for which a slot is not used again, a second: far longer than a program runs.
pub const GRACE: u32 = Tick::in_seconds(1);

/// Nothing has ever been there.
pub const FREE: u32 = 0;
pub const BEING_WRITTEN: u32 = 1;
pub const ANNOUNCED: u32 = 2;
pub const LIVE: u32 = 3;
pub const GONE: u32 = 4;
/// Bits of a tag's lower half that say which of these it is; above them it counts how often the slot was taken, and the upper half
/// is the tick since which it has been gone.
const STATE: u32 = 0xff;
const TAKEN: u32 = STATE + 1;

#[inline(always)]
pub const fn state(tag: u64) -> u32 {
    unpack(tag).0 & STATE
}

/// Whether a slot can be had.
#[inline(always)]
pub const fn is_free(tag: u64, now: Tick) -> bool {
    match state(tag) {
        FREE => true,
        GONE => now.since(Tick(unpack(tag).1)) >= GRACE,
        _ => false,
    }
}

/// The tag of a slot that a CPU takes.
#[inline(always)]
pub const fn taken(tag: u64) -> u64 {
    let times = (unpack(tag).0 & !STATE).wrapping_add(TAKEN);
    pack(times | BEING_WRITTEN, 0)
}

#[inline(always)]
pub const fn in_state(tag: u64, state: u32) -> u64 {
    let (low, high) = unpack(tag);
    pack(low & !STATE | state, high)
}

#[inline(always)]
pub const fn gone(tag: u64, now: Tick) -> u64 {
    pack(unpack(tag).0 & !STATE | GONE, now.0)
}
