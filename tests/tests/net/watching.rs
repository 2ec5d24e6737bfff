//! `isnguard explain`, `monitor` and `top`: real connections, each decision told with its reason and its numbers.

mod decisions;
mod monitors;
mod screens;

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{gateway::Isnguard, process, process::Process, schema::ensure_shape, wait};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running `isnguard monitor --json`.
struct Monitor {
    process: Process,
    told: PathBuf,
    _dir: TempDir,
}

impl Monitor {
    /// Starts it, and waits until it watches.
    fn start(isnguard: &Isnguard, arguments: &[&str]) -> Result<Self> {
        let dir = TempDir::new()?;
        let told = dir.path().join("told");
        let mut command = isnguard.command("monitor", &[&["--json"], arguments].concat())?;
        command
            .stdin(Stdio::null())
            .stdout(fs::File::create(&told)?)
            .stderr(Stdio::null());
        let monitor = Self {
            process: Process::spawn(command)?,
            told,
            _dir: dir,
        };
        monitor.until("a monitor to watch", |line| line["event"] == "watching")?;
        Ok(monitor)
    }

    /// All that it told so far.
    fn lines(&self) -> Result<Vec<Value>> {
        let told = fs::read_to_string(&self.told)?;
        let whole = told.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
            .collect()
    }

    /// Decisions alone.
    fn decisions(&self) -> Result<Vec<Value>> {
        let mut lines = self.lines()?;
        lines.retain(|line| line["event"] == "decision");
        Ok(lines)
    }

    /// The first line of which this holds, once it is there; of the documented shape.
    fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        let found = wait::until(PATIENCE, what, || {
            Ok(self.lines()?.into_iter().find(|line| holds(line)))
        })
        .with_context(|| format!("{:?}", self.lines()))?;
        ensure_shape("monitor", &found)?;
        Ok(found)
    }

    /// The decision for this reason on a host's end.
    fn decision(&self, host: SocketAddr, reason: &str) -> Result<Value> {
        self.until(&format!("{host} to be {reason}"), |line| {
            line["host_port"] == host.port()
                && line["host"] == host.ip().to_string()
                && line["reason"] == reason
        })
    }

    /// Sends a signal, and waits for its end.
    fn end(mut self, signal: Signal) -> Result<ExitStatus> {
        self.process.signal(signal)?;
        self.process.wait(PATIENCE)
    }
}

/// `explain --json` of two ends.
fn explain(isnguard: &Isnguard, one: SocketAddr, other: SocketAddr) -> Result<Value> {
    let [one, other] = [one, other].map(|end| end.to_string());
    let told = process::run(isnguard.command("explain", &[&one, &other, "--json"])?)?;
    ensure!(told.ends_with("}\n") && told.lines().count() == 1, "{told}");
    let told = serde_json::from_str(&told)?;
    ensure_shape("explain", &told)?;
    Ok(told)
}

/// The one flow of two ends, asked for in both orders.
fn explained(isnguard: &Isnguard, host: SocketAddr, peer: SocketAddr) -> Result<Value> {
    let [one, turned] = [
        explain(isnguard, host, peer)?,
        explain(isnguard, peer, host)?,
    ];
    let flows = one["flows"].as_array().context("no list of flows")?;
    ensure!(
        flows.len() == 1 && turned["flows"][0]["host_port"] == host.port(),
        "{one} and {turned}"
    );
    ensure!(
        flows[0]["host"] == host.ip().to_string() && flows[0]["peer_port"] == peer.port(),
        "{one}"
    );
    Ok(flows[0].clone())
}

/// That monitor and explain say the same of a decision.
fn ensure_agree(told: &Value, flow: &Value) -> Result<()> {
    for key in [
        "host",
        "host_port",
        "peer",
        "peer_port",
        "reason",
        "rule",
        "offset",
        "host_isn",
        "wire_isn",
    ] {
        ensure!(told[key] == flow[key], "{key}: {told} but {flow}");
    }
    Ok(())
}
