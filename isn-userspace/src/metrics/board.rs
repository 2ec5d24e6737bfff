//! What the rest of `isnguard run` tells about itself, kept for whoever scrapes: the kernel's maps do not have it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use crate::{
    dataplane::{Bounds, Census},
    hosts::Rewrites,
};

/// Shared by the threads of the process.
#[derive(Debug, Default)]
pub struct Board {
    /// SYNs of configured hosts that left with another number.
    pub rewrites: Arc<Rewrites>,
    sweeps: Mutex<Sweeps>,
}

/// What became of the sweeps so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sweeps {
    /// Sweeps that went through all tables.
    pub done: u64,
    /// Sweeps that failed.
    pub failed: u64,
    /// Between two of them.
    pub interval: Duration,
    /// What the latest one found; `None` until one is done.
    pub latest: Option<Latest>,
    evictions: [Evicted; 2],
}

/// What a sweep found.
#[derive(Clone, Copy, Debug)]
pub struct Latest {
    /// The flows.
    pub census: Census,
    /// When it was done.
    pub at: SystemTime,
    /// How long it took.
    pub took: Duration,
}

/// Entries that made room for others while this process watches: never less than was said before.
#[derive(Clone, Copy, Debug, Default)]
struct Evicted {
    before: Option<u64>,
    count: u64,
}

impl Evicted {
    fn note(&mut self, bounds: Bounds) {
        let before = *self.before.get_or_insert(bounds.most);
        self.count = self.count.max(bounds.least.saturating_sub(before));
    }
}

impl Sweeps {
    /// Half-open entries that made room for others since the first sweep of this process.
    #[must_use]
    pub const fn half_open_evicted(&self) -> u64 {
        self.evictions[0].count
    }

    /// The same of the history.
    #[must_use]
    pub const fn history_evicted(&self) -> u64 {
        self.evictions[1].count
    }
}

impl Board {
    /// A sweep was done, and took so long.
    pub fn swept(&self, census: Census, took: Duration, interval: Duration) {
        let mut sweeps = self.lock();
        sweeps.done += 1;
        sweeps.interval = interval;
        sweeps.evictions[0].note(census.half_open_evicted);
        sweeps.evictions[1].note(census.history_evicted);
        sweeps.latest = Some(Latest {
            census,
            at: SystemTime::now(),
            took,
        });
    }

    /// A sweep failed.
    pub fn sweep_failed(&self) {
        self.lock().failed += 1;
    }

    /// What became of the sweeps so far.
    #[must_use]
    pub fn sweeps(&self) -> Sweeps {
        *self.lock()
    }

    /// Nothing that holds the lock can leave it half written.
    fn lock(&self) -> MutexGuard<'_, Sweeps> {
        self.sweeps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evicted(counts: &[(u64, u64)]) -> Vec<u64> {
        let board = Board::default();
        let note = |(least, most): &(u64, u64)| {
            let census = Census {
                history_evicted: Bounds {
                    least: *least,
                    most: *most,
                },
                ..Census::default()
            };
            board.swept(census, Duration::ZERO, Duration::from_secs(30));
            board.sweeps().history_evicted()
        };
        counts.iter().map(note).collect()
    }

    #[test]
    fn evictions_begin_at_nothing_and_never_go_back() {
        let counts = [(90, 100), (95, 105), (150, 160), (140, 170), (151, 151)];
        assert_eq!(evicted(&counts), [0, 0, 50, 50, 51]);
    }
}
