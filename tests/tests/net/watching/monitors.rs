//! Those who watch: many at once, slow ones, and whoever tells them going away meanwhile.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use isn_generators::Kind;
use isn_tests::{
    chosen_isn::connect,
    device::Device,
    family::Family,
    flood::{Flood, Scan, ground},
    gateway::Isnguard,
    process::{self, Process},
    resident::Resident,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
    wait,
};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Monitor, PATIENCE};

const NOT_RUNNING: i32 = 4;
const FIRST_PORT: u16 = 20_000;
/// As many as are served.
const MOST: usize = 16;

fn setup() -> Setup {
    Setup::new(Placement::Inside, Hook::Xdp)
}

/// Opens a connection from the peer to the device, which resets it.
fn probe(lab: &Lab, port: u16) -> Result<()> {
    let to = (Device::ADDRESS, Device::OPEN_PORT).into();
    let from = Family::V4.peer(FIRST_PORT + port);
    match connect(&lab.peer, from, to, None, Duration::from_secs(5)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(()),
        Err(error) => Err(error).context("the device does not answer"),
    }
}

fn of_port(port: u16) -> impl Fn(&Value) -> bool {
    move |line: &Value| line["peer_port"] == FIRST_PORT + port
}

#[test]
fn all_who_watch_hear_the_same_and_one_too_many_is_told() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _device = Device::start(&lab, Kind::I800.make(1))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (run, _) = Resident::start(&mut isnguard, &setup())?;
    let monitors: Vec<Monitor> = (0..MOST)
        .map(|_| Monitor::start(&isnguard, &[]))
        .collect::<Result<_>>()?;
    let refused = process::run_to_end(isnguard.command("monitor", &[])?)?;
    ensure!(
        refused.status.code() == Some(1) && refused.stderr.contains("as many do already"),
        "{refused:?}"
    );
    probe(&lab, 0)?;
    for monitor in &monitors {
        let told = monitor.until("the probe", of_port(0))?;
        ensure!(
            told["opened_by"] == "peer" && told["reason"] == "new",
            "{told}"
        );
    }
    for (monitor, signal) in
        monitors
            .into_iter()
            .zip([Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL])
    {
        let status = monitor.end(signal)?;
        ensure!(
            status.success() == (signal != Signal::SIGKILL),
            "{signal}: {status}"
        );
    }
    // Places are given back, whatever way they were left.
    wait::until(PATIENCE, "a place", || {
        Ok(Monitor::start(&isnguard, &["--limit", "1"]).ok())
    })?;
    run.ask_to_go()
}

#[test]
fn whoever_tells_may_go_and_come_again() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _device = Device::start(&lab, Kind::I800.make(1))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (run, _) = Resident::start(&mut isnguard, &setup())?;
    let mut monitor = Monitor::start(&isnguard, &[])?;
    let from = |source: &'static str| {
        move |line: &Value| line["event"] == "watching" && line["source"] == source
    };
    monitor.until("`run` to tell", from("run"))?;
    probe(&lab, 0)?;
    monitor.until("the first probe", of_port(0))?;
    run.kill()?;
    monitor.until("the kernel to tell", from("kernel"))?;
    probe(&lab, 1)?;
    monitor.until("the second probe", of_port(1))?;
    let (_run, _) = Resident::start(&mut isnguard, &setup())?;
    wait::until(PATIENCE, "`run` to tell again", || {
        let lines = monitor.lines()?;
        let sources: Vec<&Value> = lines
            .iter()
            .filter(|line| line["event"] == "watching")
            .map(|line| &line["source"])
            .collect();
        Ok((sources == ["run", "kernel", "run"]).then_some(()))
    })?;
    probe(&lab, 2)?;
    monitor.until("the third probe", of_port(2))?;
    let told: Vec<Value> = monitor.decisions()?;
    ensure!(told.len() == 3, "each once: {told:?}");
    isnguard.detach_by_force()?;
    let status = monitor.process.wait(PATIENCE)?;
    ensure!(status.code() == Some(NOT_RUNNING), "{status}");
    Ok(())
}

#[test]
fn who_is_slow_loses_lines_and_nobody_else_does() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _listeners = ground::prepare(&lab, Family::V4)?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let every = setup().with(&["--samples", "1000000"]);
    let (_run, _) = Resident::start(&mut isnguard, &every)?;
    let (slow, quick) = (
        Monitor::start(&isnguard, &[])?,
        Monitor::start(&isnguard, &[])?,
    );
    slow.process.signal(Signal::SIGSTOP)?;
    let flood = Flood::scan(&lab, Family::V4, Scan::Silence)?;
    let sent = flood.send(20_000, Duration::from_secs(4))?;
    let taken = isnguard.counter("samples_taken")?;
    ensure!(taken > sent.taken / 2, "{taken} of {sent:?}");
    let all = |monitor: &Monitor| -> Result<(u64, u64)> {
        let lines = monitor.lines()?;
        let slow = lines.iter().filter_map(|line| line["slow"].as_u64()).sum();
        let told = lines.iter().filter(|line| line["event"] == "decision");
        Ok((told.count() as u64, slow))
    };
    wait::until(PATIENCE, "the quick one to hear all", || {
        let (told, lost) = all(&quick)?;
        ensure!(lost == 0, "{lost} lost");
        Ok((told == taken).then_some(()))
    })?;
    slow.process.signal(Signal::SIGCONT)?;
    wait::until(PATIENCE, "the slow one to hear of what it lost", || {
        let (told, lost) = all(&slow)?;
        Ok((told + lost == taken && lost > 0).then_some(()))
    })
}

#[test]
fn a_flood_gives_its_share_and_the_rest_is_counted() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _listeners = ground::prepare(&lab, Family::V4)?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (_run, _) = Resident::start(&mut isnguard, &setup())?;
    let monitor = Monitor::start(&isnguard, &[])?;
    let flood = Flood::scan(&lab, Family::V4, Scan::Silence)?;
    flood.send(1_000, Duration::from_millis(500))?;
    let limited = isnguard.counter("samples_limited")?;
    ensure!(limited > 800, "{limited}");
    wait::until(PATIENCE, "what was missed", || {
        let lines = monitor.lines()?;
        let missed: u64 = lines
            .iter()
            .filter_map(|line| line["limited"].as_u64())
            .sum();
        Ok((missed == limited).then_some(()))
    })?;
    monitor.until("what was missed, in its shape", |line| {
        line["event"] == "missed"
    })?;
    ensure!(monitor.decisions()?.len() as u64 == isnguard.counter("samples_taken")?);
    Ok(())
}

#[test]
fn lines_are_chosen_flushed_and_ended() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _device = Device::start(&lab, Kind::I800.make(1))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (_run, _) = Resident::start(&mut isnguard, &setup())?;
    let other = Monitor::start(&isnguard, &["--host", "192.0.2.128/25"])?;
    let wrong = Monitor::start(&isnguard, &["--reason", "regressed", "--reason", "keyed"])?;
    let mut two = Monitor::start(&isnguard, &["--limit", "2"])?;
    let mut columns = isnguard.command("monitor", &["--host", "192.0.2.0/24"])?;
    columns
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut columns = Process::spawn(columns)?;
    let mut piped = BufReader::new(columns.child().stdout.take().context("no pipe")?);
    let mut line = String::new();
    piped.read_line(&mut line)?;
    ensure!(line.starts_with("time\thost\tpeer\tvlan"), "{line}");
    probe(&lab, 0)?;
    line.clear();
    piped.read_line(&mut line)?;
    ensure!(
        line.contains("\t192.0.2.10:80\t198.51.100.2:20000\t") && line.contains("\tnew\tS8\t"),
        "{line}"
    );
    drop(piped);
    probe(&lab, 1)?;
    let status = columns.wait(PATIENCE)?;
    ensure!(status.success(), "a closed pipe is no error: {status}");
    let status = two.process.wait(PATIENCE)?;
    ensure!(status.success() && two.decisions()?.len() == 2, "{status}");
    ensure!(other.decisions()?.is_empty() && wrong.decisions()?.is_empty());
    let asked = ["--reason", "whatever"];
    let refused = process::run_to_end(isnguard.command("monitor", &asked)?)?;
    ensure!(
        refused.status.code() == Some(2) && refused.stderr.contains("regressed"),
        "{refused:?}"
    );
    Ok(())
}
