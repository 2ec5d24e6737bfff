//! The time of a packet: the kernel's coarse monotonic clock, which is asked once a jiffy and not by every packet.
//!
//! The coarse clock moves on with the jiffies, which the kernel writes into a program as one load. So what the clock said is kept with
//! the jiffy of which it was said, both in one word that no CPU can read half.

use aya_ebpf::helpers::{bpf_jiffies64, bpf_ktime_get_coarse_ns};
use isn_common::{
    abi::flow::{Word as _, pack, unpack},
    tick::Tick,
};

use crate::{hide::hide, words::KernelWord};

/// The tick that was read in a jiffy, and the lower half of that jiffy; tick 0 is none.
static LATEST: KernelWord = KernelWord::new(0);

/// The clock is a jiffy behind where it is asked between the steps in which the kernel moves both. Before the end of a tick, within
/// more nanoseconds than a jiffy ever has, nothing is kept: what is kept is what the clock says throughout the jiffy.
const END: u64 = 1 << 24;

/// The tick that the coarse clock shows.
#[inline(always)]
pub fn now() -> Tick {
    // SAFETY: the helper has no preconditions.
    let jiffy = unsafe { bpf_jiffies64() } as u32;
    // Of the same jiffy, the tick is left: what is hidden, the compiler would compare in parts.
    let (tick, other) = unpack(hide((LATEST.load() ^ pack(0, jiffy)) as usize) as u64);
    if other == 0 && tick != 0 {
        Tick(tick)
    } else {
        ask(jiffy)
    }
}

#[inline(always)]
fn ask(jiffy: u32) -> Tick {
    // SAFETY: the helper has no preconditions.
    let nanoseconds = unsafe { bpf_ktime_get_coarse_ns() };
    let tick = Tick::from_nanoseconds(nanoseconds);
    if Tick::from_nanoseconds(nanoseconds.wrapping_add(END)) == tick {
        LATEST.store(pack(tick.0, jiffy));
    }
    tick
}
