//! `isnguard run` as a child: started, awaited by its own word, killed or asked to go.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use crate::{gateway::Isnguard, process::Process, setup::Setup};

const END_LIMIT: Duration = Duration::from_secs(20);

/// A running `isnguard run`, killed when dropped. What it attached stays.
#[derive(Debug)]
pub struct Resident(Process);

impl Resident {
    /// Starts it, and waits for nothing.
    pub fn begin(isnguard: &mut Isnguard, setup: &Setup) -> Result<Self> {
        isnguard.touch();
        let mut command = isnguard.command("run", &setup.arguments())?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        Ok(Self(Process::spawn(command)?))
    }

    /// Starts it and waits until it says that it is ready; how long that took from its exec.
    pub fn start(isnguard: &mut Isnguard, setup: &Setup) -> Result<(Self, Duration)> {
        let begun = Instant::now();
        let mut run = Self::begin(isnguard, setup)?;
        let mut said = BufReader::new(run.0.child().stderr.take().context("no pipe")?);
        let (mut line, mut all) = (String::new(), String::new());
        while !line.starts_with("ready:") {
            line.clear();
            let length = said.read_line(&mut line)?;
            ensure!(length > 0, "`run` ended before it was ready: {all}");
            all.push_str(&line);
        }
        let took = begun.elapsed();
        // Somebody must read what else it says, or a full pipe would stop it.
        thread::spawn(move || said.read_to_end(&mut Vec::new()));
        Ok((run, took))
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGKILL; it is gone when this returns.
    pub fn kill(mut self) -> Result<()> {
        self.0.signal(Signal::SIGKILL)?;
        self.0.wait(END_LIMIT).map(drop)
    }

    /// SIGTERM: it must go by itself, and say that all is well.
    pub fn ask_to_go(mut self) -> Result<()> {
        self.0.signal(Signal::SIGTERM)?;
        let status = self.0.wait(END_LIMIT)?;
        ensure!(status.success(), "asked to go, `run` ended with {status}");
        Ok(())
    }
}
