//! The `isnguard` binary in the gateway's namespace, driven by its command line as an operator would.

use std::{
    env,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    namespace::{
        Namespace,
        leftovers::{self, INSTANCE},
    },
    process,
    process::Process,
    setup::Setup,
    wait,
};

static SERIAL: AtomicU32 = AtomicU32::new(0);
/// Exit code where there is no such instance, as after a `detach` of the test's own.
const NOT_RUNNING: i32 = 4;
const START_LIMIT: Duration = Duration::from_secs(20);

/// One flow of `flows --json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownFlow {
    /// Wire minus host, modulo 2^32.
    pub offset: u32,
    /// The number that the host chose.
    pub host_isn: u32,
    /// The number that the peer sees.
    pub wire_isn: u32,
    /// Where the connection stands.
    pub state: String,
    /// Why it has the offset that it has.
    pub reason: String,
}

impl ShownFlow {
    fn read(flow: &Value) -> Result<Self> {
        let number = |key: &str| -> Result<u32> {
            let value = flow[key]
                .as_i64()
                .with_context(|| format!("no number {key} in {flow}"))?;
            u32::try_from(value.rem_euclid(1 << 32)).with_context(|| format!("{key} in {flow}"))
        };
        let word = |key: &str| -> Result<String> {
            let value = flow[key]
                .as_str()
                .with_context(|| format!("no word {key} in {flow}"))?;
            Ok(value.to_owned())
        };
        Ok(Self {
            offset: number("offset")?,
            host_isn: number("host_isn")?,
            wire_isn: number("wire_isn")?,
            state: word("state")?,
            reason: word("reason")?,
        })
    }
}

/// One instance of isnguard, detached by force when dropped.
#[derive(Debug)]
pub struct Isnguard<'a> {
    gateway: &'a Namespace,
    binary: PathBuf,
    instance: String,
    touched: bool,
}

impl<'a> Isnguard<'a> {
    /// Finds the binary and takes an instance name of its own. Nothing is attached yet.
    pub fn new(gateway: &'a Namespace) -> Result<Self> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let instance = format!("{INSTANCE}{}-{serial}", std::process::id());
        Ok(Self {
            gateway,
            binary: binary()?,
            instance,
            touched: false,
        })
    }

    /// The instance's name.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The binary that is driven.
    #[must_use]
    pub fn binary(&self) -> &std::path::Path {
        &self.binary
    }

    /// From now on it is detached by force when dropped: somebody drives it by [`Isnguard::command`].
    pub fn touch(&mut self) {
        self.touched = true;
    }

    /// `isnguard attach`: returns what it printed.
    pub fn attach(&mut self, setup: &Setup) -> Result<String> {
        self.touched = true;
        self.verb("attach", &setup.arguments())
    }

    /// `isnguard run`: returns once `status` sees both of its hooks attached.
    pub fn run(&mut self, setup: &Setup) -> Result<Process> {
        self.touched = true;
        let mut command = self.command("run", &setup.arguments())?;
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = Process::spawn(command)?;
        wait::until(START_LIMIT, "`isnguard run` to attach", || {
            if let Some(status) = process.ended()? {
                bail!("`isnguard run` ended at once ({status}); its message is above");
            }
            Ok(self.is_attached().then_some(()))
        })?;
        Ok(process)
    }

    /// `isnguard detach`, which refuses while translated flows live.
    pub fn detach(&self) -> Result<String> {
        self.verb("detach", &[])
    }

    /// `isnguard detach --force`.
    pub fn detach_by_force(&mut self) -> Result<()> {
        self.touched = false;
        self.verb("detach", &["--force"]).map(drop)
    }

    /// Leaves it attached when the value is dropped.
    pub fn keep(&mut self) {
        leftovers::keep(&self.instance);
        self.touched = false;
    }

    /// The directory of its pins.
    #[must_use]
    pub fn pins(&self) -> PathBuf {
        leftovers::pins().join(&self.instance)
    }

    /// `isnguard status --json`, also where the exit status says that something is wrong.
    pub fn status(&self) -> Result<Value> {
        let ended = process::run_to_end(self.command("status", &["--json"])?)?;
        serde_json::from_str(&ended.stdout).with_context(|| {
            format!(
                "`isnguard status --json` printed no JSON ({}): {}",
                ended.status,
                ended.complaint()
            )
        })
    }

    /// `isnguard stats --json`.
    pub fn stats(&self) -> Result<Value> {
        self.json("stats")
    }

    /// The flows of `isnguard flows --json`.
    pub fn flows(&self) -> Result<Vec<Value>> {
        let report = self.json("flows")?;
        report["flows"]
            .as_array()
            .cloned()
            .with_context(|| format!("`isnguard flows --json` has no list of flows: {report}"))
    }

    /// The flow of a host's end, as `flows --json` shows it.
    pub fn flow(&self, host: SocketAddr) -> Result<ShownFlow> {
        let flows = self.flows()?;
        let is_it = |flow: &&Value| {
            flow["host_port"] == host.port() && flow["host"] == host.ip().to_string()
        };
        let found = flows.iter().find(is_it);
        ShownFlow::read(found.with_context(|| format!("no flow of {host} among {flows:?}"))?)
    }

    /// One counter of `stats --json`.
    pub fn counter(&self, name: &str) -> Result<u64> {
        let stats = self.stats()?;
        stats["counters"][name]
            .as_u64()
            .with_context(|| format!("`isnguard stats --json` has no counter {name}: {stats}"))
    }

    /// What a verb prints for people.
    pub fn verb(&self, verb: &str, arguments: &[&str]) -> Result<String> {
        process::run(self.command(verb, arguments)?).with_context(|| {
            format!(
                "in network namespace {}, instance {}",
                self.gateway.name(),
                self.instance
            )
        })
    }

    fn is_attached(&self) -> bool {
        self.status().is_ok_and(|status| {
            let attached = status["attached"].as_array().map_or(0, Vec::len);
            attached > 0 && status["healthy"] == true
        })
    }

    fn json(&self, verb: &str) -> Result<Value> {
        let printed = self.verb(verb, &["--json"])?;
        serde_json::from_str(&printed)
            .with_context(|| format!("`isnguard {verb} --json` printed no JSON: {printed}"))
    }

    /// A verb of this instance, to be run in the gateway's namespace.
    pub fn command(&self, verb: &str, arguments: &[&str]) -> Result<Command> {
        let mut command = self.gateway.command(&self.binary)?;
        command
            .arg(verb)
            .args(arguments)
            .args(["--instance", &self.instance]);
        Ok(command)
    }
}

impl Drop for Isnguard<'_> {
    fn drop(&mut self) {
        if !self.touched {
            return;
        }
        let forced = self.command("detach", &["--force"]);
        match forced.and_then(process::run_to_end) {
            Ok(ended) if matches!(ended.status.code(), Some(0 | NOT_RUNNING)) => {}
            other => eprintln!(
                "isnguard instance {} may be left attached: {other:?}",
                self.instance
            ),
        }
    }
}

/// `ISNGUARD_BIN`, else `isnguard` beside the running executable or in a directory above it.
pub fn binary() -> Result<PathBuf> {
    if let Some(given) = env::var_os("ISNGUARD_BIN") {
        return Ok(given.into());
    }
    let running = env::current_exe().context("cannot tell where this program lies")?;
    let found = running
        .ancestors()
        .skip(1)
        .map(|dir| dir.join("isnguard"))
        .find(|candidate| candidate.is_file());
    found.with_context(|| {
        let from = running.display();
        format!("no `isnguard` beside {from} or above it: run `cargo build`, or name the binary in ISNGUARD_BIN")
    })
}
