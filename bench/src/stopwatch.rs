//! Time that this thread was at work: on a machine that others use too, the clock on the wall tells little.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::time::{ClockId, clock_gettime};

/// What something took.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    /// This thread at work, in the kernel too.
    pub work: Duration,
    /// On the wall.
    pub wall: Duration,
}

fn work() -> Result<Duration> {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .context("cannot read how long this thread was at work")?;
    Ok(now.into())
}

/// What `task` gives, and what it took.
pub fn timed<T>(task: impl FnOnce() -> Result<T>) -> Result<(T, Took)> {
    let (started, before) = (Instant::now(), work()?);
    let given = task()?;
    let took = Took {
        work: work()?.saturating_sub(before),
        wall: started.elapsed(),
    };
    Ok((given, took))
}

/// Least and median of measurements.
pub fn least_and_median<T: Copy + PartialOrd>(measured: &[T]) -> Result<(T, T)> {
    let mut sorted = measured.to_vec();
    sorted.sort_by(|one, other| one.partial_cmp(other).expect("no measurement is NaN"));
    let least = sorted.first().context("nothing was measured")?;
    Ok((*least, sorted[sorted.len() / 2]))
}
