//! What a crowd's transfers came to, in numbers.

use std::{fmt, time::Duration};

/// Rounds, each a chunk from the host and the peer's answer, and how long they took.
#[derive(Debug, Default)]
pub struct Figures {
    took: Vec<Duration>,
    /// Rounds that did not begin when it was their time, since the one before was under way still.
    pub skipped: u64,
    /// Connections that broke, and how.
    pub broken: Vec<String>,
    /// Connections whose last round had not ended when patience did.
    pub stalled: usize,
}

impl Figures {
    pub(super) fn note(&mut self, took: Duration) {
        self.took.push(took);
    }

    pub(super) fn sorted(mut self) -> Self {
        self.took.sort_unstable();
        self
    }

    /// How many rounds ended.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.took.len()
    }

    /// The longest time without progress on any connection that had something to send.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.took.last().copied().unwrap_or_default()
    }

    /// What this many in a thousand rounds took at most.
    #[must_use]
    pub fn quantile(&self, in_a_thousand: usize) -> Duration {
        let at = self.took.len() * in_a_thousand / 1000;
        let last = self.took.len().saturating_sub(1);
        self.took.get(at.min(last)).copied().unwrap_or_default()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rounds; half of them within {:.2?}, 999 of 1000 within {:.2?}, the longest {:.2?}; {} late, {} stalled, {} broken",
            self.rounds(),
            self.quantile(500),
            self.quantile(999),
            self.longest(),
            self.skipped,
            self.stalled,
            self.broken.len()
        )
    }
}
