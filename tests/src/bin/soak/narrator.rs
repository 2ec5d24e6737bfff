//! What a person sees while it runs: one line that renews itself, or now and then another where that is no terminal.

use std::{
    io::{IsTerminal as _, stderr},
    time::{Duration, Instant},
};

use isn_tests::soak::{Progress, Soak};

/// Between two lines that stay.
const PERIOD: Duration = Duration::from_secs(10);

/// Tells how far it is.
pub struct Narrator {
    is_terminal: bool,
    next: Instant,
}

impl Narrator {
    /// Says what begins.
    pub fn begin(soak: &Soak) -> Self {
        eprintln!(
            "seed {}, {} s at {}; Ctrl-C ends it early",
            soak.seed,
            soak.time.as_secs(),
            soak.hook.name()
        );
        Self {
            is_terminal: stderr().is_terminal(),
            next: Instant::now() + PERIOD,
        }
    }

    /// Says how far it is, if it is time to.
    pub fn tell(&mut self, progress: &Progress<'_>) {
        if self.is_terminal {
            eprint!("\r\x1b[K{progress}");
        } else if Instant::now() >= self.next {
            eprintln!("{progress}");
            self.next += PERIOD;
        }
    }

    /// What follows begins on a line of its own.
    pub fn end(&self) {
        if self.is_terminal {
            eprintln!();
        }
    }
}
