//! Ctrl-C as a value: the demo unwinds at the next look, so that every guard removes what it made.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

/// Whether somebody wants the demo to end.
#[derive(Debug)]
pub struct Interrupt(Arc<AtomicBool>);

/// The error that ends the demo then.
#[derive(Debug)]
pub struct Interrupted;

impl Interrupt {
    /// Takes over SIGINT, SIGTERM and SIGHUP.
    pub fn listen() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            flag::register(signal, Arc::clone(&asked))
                .context("cannot take over the signals that end the demo")?;
        }
        Ok(Self(asked))
    }

    /// Fails with [`Interrupted`] once a signal has come.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            Err(Interrupted.into())
        } else {
            Ok(())
        }
    }

    /// What a step ended with, unless it ended because of a signal: children get a Ctrl-C too, and fail first.
    pub fn or<T>(&self, outcome: Result<T>) -> Result<T> {
        self.check()?;
        outcome
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}
