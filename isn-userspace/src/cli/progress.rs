//! What a verb is doing while that takes seconds.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// Time between two lines.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// One line on a terminal that is written over and over; elsewhere nothing, since what takes seconds needs no more than its
/// result.
#[derive(Default)]
pub struct Progress {
    told: Option<Instant>,
}

impl Progress {
    /// Tells what is being done, unless it has just told something.
    pub fn tell(&mut self, doing: &str) {
        let due = self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        if due && io::stderr().is_terminal() {
            eprint!("\r\x1b[K{doing}");
            // Nothing is lost if the terminal is gone.
            let _ = io::stderr().flush();
            self.told = Some(Instant::now());
        }
    }

    /// Takes the line away.
    pub fn end(&self) {
        if self.told.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
