//! The clock that the programs read, and when it is about to move on.

use isn_common::tick::Tick;
use nix::time::{ClockId, clock_gettime};

const NANOSECONDS: u64 = 1 << Tick::SHIFT;
/// Far longer than a few test runs take, far shorter than a tick.
const MARGIN: u64 = NANOSECONDS / 8;

fn nanoseconds() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).expect("every Linux has this clock");
    u64::try_from(std::time::Duration::from(time).as_nanos()).expect("584 years are enough")
}

/// The tick that a program would read now.
#[must_use]
pub fn now() -> Tick {
    Tick::from_nanoseconds(nanoseconds())
}

/// Waits until the current tick will last for a while, and gives it.
#[must_use]
pub fn settled() -> Tick {
    loop {
        let reading = nanoseconds();
        if NANOSECONDS - reading % NANOSECONDS > MARGIN {
            return Tick::from_nanoseconds(reading);
        }
        std::thread::yield_now();
    }
}
