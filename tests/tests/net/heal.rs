//! `run` notices what happens to its interfaces and programs, puts back what is lost, and keeps the flows (S16, S19).

mod interfaces;
mod programs;

use std::{fs::File, io::Read as _, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    process::{self, Process},
    scenario::{Connection, host_end, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
    wait,
};
use serde_json::Value;
use tempfile::TempDir;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const KIB: u64 = 1 << 10;
const PATIENCE: Duration = Duration::from_mins(1);

/// A `run` whose log is kept.
struct Run {
    process: Process,
    log: PathBuf,
    _dir: TempDir,
}

impl Run {
    /// Starts it; it is ready when this returns.
    fn start(isnguard: &mut Isnguard, setup: &Setup) -> Result<Self> {
        isnguard.attach(setup)?;
        let dir = TempDir::new()?;
        let log = dir.path().join("log");
        let mut command = isnguard.command("run", &[])?;
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&log)?);
        let mut run = Self {
            process: Process::spawn(command)?,
            log,
            _dir: dir,
        };
        run.says("ready:")?;
        Ok(run)
    }

    fn log(&self) -> Result<String> {
        let mut said = String::new();
        File::open(&self.log)?.read_to_string(&mut said)?;
        Ok(said)
    }

    /// Waits until its log says this.
    fn says(&mut self, what: &str) -> Result<()> {
        let said = wait::until(PATIENCE, &format!("`run` to say {what:?}"), || {
            if let Some(status) = self.process.ended()? {
                bail!("`run` ended ({status})");
            }
            Ok(self.log()?.contains(what).then_some(()))
        });
        said.with_context(|| format!("its log: {}", self.log().unwrap_or_default()))
    }

    /// How many lines of its log say this.
    fn times(&self, what: &str) -> Result<usize> {
        Ok(self
            .log()?
            .lines()
            .filter(|line| line.contains(what))
            .count())
    }
}

/// A laboratory with one translated connection.
struct Bench {
    lab: Lab,
    server: Server,
}

impl Bench {
    fn new() -> Result<Self> {
        let lab = Lab::new(LabOptions::default())?;
        let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
        Ok(Self { lab, server })
    }

    fn translated(&self, port: u16) -> Result<Connection> {
        one_life(&self.lab, &self.server, port, FIRST_ISN)?;
        Connection::open(&self.lab, &self.server, port, LOWER_ISN)
    }

    fn offset(&self, isnguard: &Isnguard) -> Result<u32> {
        Ok(isnguard.flow(host_end(&self.server, PORT))?.offset)
    }
}

/// Waits until the instance is whole; its one interface, as `status` shows it.
fn whole(isnguard: &Isnguard) -> Result<Value> {
    let mut last = Value::Null;
    let whole = wait::until(PATIENCE, "the instance to be whole", || {
        last = isnguard.status()?;
        let attached = last["attached"].as_array().map_or(0, Vec::len);
        Ok((last["healthy"] == true && attached == 1).then(|| last["attached"][0].clone()))
    });
    whole.with_context(|| last.to_string())
}

fn exit_code(isnguard: &Isnguard) -> Result<Option<i32>> {
    Ok(process::run_to_end(isnguard.command("status", &[])?)?
        .status
        .code())
}

fn inside(hook: Hook) -> Setup {
    Setup::new(Placement::Inside, hook)
}
