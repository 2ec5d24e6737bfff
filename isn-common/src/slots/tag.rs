//! The tag of a slot: what is in it, how often it was taken, and since when it has been free again.

use crate::{
    abi::flow::{pack, unpack},
    tick::Tick,
};

/// Ticks for which the slot of a translated flow is not used again, a second: far longer than a program runs.
pub const GRACE: u32 = Tick::in_seconds(1);

/// Nothing has ever been there.
pub const FREE: u32 = 0;
pub const BEING_WRITTEN: u32 = 1;
pub const ANNOUNCED: u32 = 2;
pub const LIVE: u32 = 3;
pub const GONE: u32 = 4;
pub const ENDING: u32 = 5;
/// Bits of a tag's lower half that say which of these it is; above them it counts how often the slot was taken, and the upper half
/// is the tick since which it has been gone.
const STATE: u32 = 0xff;
const TAKEN: u32 = STATE + 1;

#[inline(always)]
pub const fn state(tag: u64) -> u32 {
    unpack(tag).0 & STATE
}

/// Whether a slot can be had, and nobody holds what was in it.
#[inline(always)]
pub const fn is_free(tag: u64, now: Tick) -> bool {
    match state(tag) {
        FREE => true,
        GONE => now.since(Tick(unpack(tag).1)) >= GRACE,
        _ => false,
    }
}

/// Whether a slot can be had where others look again before they trust what they have found.
#[inline(always)]
pub const fn is_vacant(tag: u64) -> bool {
    matches!(state(tag), FREE | GONE)
}

/// How often a live slot has been taken: as long as that is the same, so is its flow.
#[inline(always)]
pub const fn times_taken(tag: u64) -> u32 {
    unpack(tag).0 / TAKEN
}

/// The tag of a live slot that has been taken so often.
#[inline(always)]
pub const fn live(times_taken: u32) -> u64 {
    pack(times_taken.wrapping_mul(TAKEN) | LIVE, 0)
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
