//! What a person sees while it runs: one line that renews itself, or now and then another where that is no terminal.

use std::{
    io::{IsTerminal as _, stderr},
    time::{Duration, Instant},
};

use isn_tests::{
    expected_counters::spelled,
    fuzz::campaign::{Campaign, Progress},
};

/// Tells how far it is.
pub struct Narrator {
    is_terminal: bool,
    next: Instant,
}

/// Between two lines that stay.
const PERIOD: Duration = Duration::from_secs(10);

impl Narrator {
    /// Says what begins.
    pub fn begin(campaign: &Campaign) -> Self {
        eprintln!(
            "seed {}, {} threads; Ctrl-C ends it",
            campaign.seed, campaign.threads
        );
        Self {
            is_terminal: stderr().is_terminal(),
            next: Instant::now() + PERIOD,
        }
    }

    /// Says how far it is, if it is time to.
    pub fn tell(&mut self, progress: &Progress) {
        if self.is_terminal {
            eprint!("\r{progress}");
        } else if Instant::now() >= self.next {
            eprintln!("{progress}");
            self.next += PERIOD;
        }
    }

    /// Says what it came to.
    pub fn conclude(&self, progress: &Progress) {
        let begin = if self.is_terminal { "\r" } else { "" };
        eprintln!("{begin}{progress}\n{}", spelled(&progress.counted));
    }
}
