//! The clock that the data plane stamps flows with.

use isn_common::tick::Tick;
use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of the clock with which the data plane stamps samples.
///
/// # Panics
///
/// If the machine has no monotonic clock.
#[must_use]
pub fn monotonic() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has this clock");
    let time: std::time::Duration = time.into();
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Now, as the data plane would say it.
///
/// # Panics
///
/// If the machine has no monotonic clock.
#[must_use]
pub fn now() -> Tick {
    Tick::from_nanoseconds(monotonic())
}
