//! A child process as a guard value: it never outlives the value, and only its own pid is ever signalled.

use std::{
    io::Read,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::wait;

const RUN_LIMIT: Duration = Duration::from_mins(2);

/// A running child, killed and awaited when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    what: String,
}

impl Process {
    /// Starts `command`; its standard streams are whatever the command says.
    pub fn spawn(mut command: Command) -> Result<Self> {
        let what = described(&command);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start `{what}`"))?;
        Ok(Self { child, what })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child itself, to take its pipes from.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?);
        kill(pid, signal)
            .with_context(|| format!("cannot send {signal} to `{}` (pid {pid})", self.what))
    }

    /// The exit status, if the process has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until the process has ended by itself.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let Self { child, what } = self;
        wait::until(limit, &format!("`{what}` to end"), || Ok(child.try_wait()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the process is already gone and reaped, which is the aim.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `command` to its end and returns what it printed; a failure carries its standard error.
pub fn run(command: Command) -> Result<String> {
    let what = described(&command);
    let ended = run_to_end(command)?;
    ensure!(
        ended.status.success(),
        "`{what}` failed ({}): {}",
        ended.status,
        ended.complaint()
    );
    Ok(ended.stdout)
}

/// Runs `command` to its end, whatever its exit status; one that does not end within two minutes is killed.
pub fn run_to_end(mut command: Command) -> Result<Ended> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = Process::spawn(command)?;
    let (stdout, stderr) = (process.child.stdout.take(), process.child.stderr.take());
    // Both at once, so that a full pipe does not stop the program.
    let reader = thread::spawn(move || text_of(stdout));
    let complaint = thread::spawn(move || text_of(stderr));
    let status = process.wait(RUN_LIMIT)?;
    Ok(Ended {
        status,
        stdout: reader.join().unwrap_or_default(),
        stderr: complaint.join().unwrap_or_default(),
    })
}

/// A program that ran to its end.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Ended {
    /// Its standard error, or what it printed where it said nothing there.
    #[must_use]
    pub fn complaint(&self) -> &str {
        let said = if self.stderr.trim().is_empty() {
            &self.stdout
        } else {
            &self.stderr
        };
        said.trim()
    }
}

fn text_of(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    // What was read before an error is still worth showing.
    let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The command line as a person would type it.
#[must_use]
pub fn described(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
