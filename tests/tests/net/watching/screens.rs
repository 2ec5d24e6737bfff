//! `top` and `monitor` in a terminal, and `top` where there is none.

use anyhow::{Result, ensure};
use isn_generators::Kind;
use isn_tests::{
    chosen_isn::connect,
    device::Device,
    family::Family,
    gateway::Isnguard,
    process,
    pseudo_terminal::PseudoTerminal,
    resident::Resident,
    scenario::{host_end, one_life},
    schema::ensure_shape,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
    wait,
};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::PATIENCE;

const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;

fn setup() -> Setup {
    Setup::new(Placement::Inside, Hook::Xdp)
}

fn top(isnguard: &Isnguard) -> Result<PseudoTerminal> {
    let terminal = PseudoTerminal::start(isnguard.command("top", &["--interval", "0.2"])?, 80, 24)?;
    terminal.until(PATIENCE, "Overview")?;
    Ok(terminal)
}

fn ensure_restored(terminal: &mut PseudoTerminal) -> Result<()> {
    let status = terminal.process.wait(PATIENCE)?;
    ensure!(status.success(), "{status}: {}", terminal.shown());
    wait::until(PATIENCE, "the screen of before", || {
        Ok((!terminal.is_whole_screen()).then_some(()))
    })?;
    ensure!(terminal.is_as_before()?, "the terminal is not as it was");
    Ok(())
}

#[test]
fn top_shows_its_views_follows_the_size_and_leaves_the_terminal_as_it_was() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _device = Device::start(&lab, Kind::I800.make(1))?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (_run, _) = Resident::start(&mut isnguard, &setup())?;
    let mut terminal = top(&isnguard)?;
    ensure!(
        terminal.is_whole_screen() && !terminal.is_as_before()?,
        "keys would be shown"
    );
    one_life(&lab, &server, PORT, 2_000_000_000)?;
    one_life(&lab, &server, PORT, 1_000_000_000)?;
    terminal.until(PATIENCE, "healthy")?;
    terminal.until(PATIENCE, "syn_rewritten")?;
    terminal.press("\t")?;
    terminal.until(PATIENCE, &host_end(&server, PORT).to_string())?;
    terminal.until(PATIENCE, "regressed")?;
    terminal.press("/plc")?;
    terminal.until(PATIENCE, "0 of 1 flows")?;
    terminal.press("\x7f\x7f\x7f192.0.2\r")?;
    terminal.resize(40, 12)?;
    wait::until(PATIENCE, "fewer columns", || {
        let shown = terminal.shown();
        let fits = shown.lines().count() <= 12 && shown.contains("PEER");
        Ok((fits && !shown.contains("STATE")).then_some(()))
    })?;
    terminal.resize(200, 50)?;
    terminal.until(PATIENCE, "OFFSET")?;
    terminal.press("3")?;
    terminal.until(PATIENCE, "CLASS")?;
    terminal.press("?")?;
    terminal.until(PATIENCE, "another view")?;
    terminal.press("xp")?;
    terminal.until(PATIENCE, "PAUSED")?;
    terminal.press("q")?;
    ensure_restored(&mut terminal)
}

#[test]
fn top_leaves_the_terminal_as_it_was_when_it_is_asked_to_end() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&setup())?;
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let mut terminal = top(&isnguard)?;
        terminal.process.signal(signal)?;
        ensure_restored(&mut terminal)?;
    }
    let mut terminal = top(&isnguard)?;
    terminal.press("3")?;
    terminal.until(PATIENCE, "nobody keeps")?;
    isnguard.detach_by_force()?;
    terminal.until(PATIENCE, "not attached")?;
    terminal.press("\x03")?;
    ensure_restored(&mut terminal)
}

#[test]
fn top_prints_lines_where_there_is_no_terminal() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&setup())?;
    let brief = ["--interval", "0.2", "--limit", "2"];
    let text = isnguard.verb("top", &brief)?;
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    ensure!(
        lines.len() == 3 && lines.iter().all(|line| line.len() == lines[0].len()),
        "{text}"
    );
    ensure!(
        lines[0][..2] == ["time", "packets_translated_out"],
        "{text}"
    );
    let told = isnguard.verb("top", &[&brief[..], &["--json"]].concat())?;
    ensure!(told.lines().count() == 2, "{told}");
    for line in told.lines() {
        let look: Value = serde_json::from_str(line)?;
        ensure_shape("top", &look)?;
        ensure!(look["instance"] == isnguard.instance());
        ensure!(
            look["rates"]["syn_seen"].is_number() && look["tables"][0]["entries"] == 0,
            "{look}"
        );
    }
    isnguard.detach_by_force()?;
    let ended = process::run_to_end(isnguard.command("top", &brief)?)?;
    ensure!(ended.status.code() == Some(4), "{ended:?}");
    Ok(())
}

#[test]
fn monitor_in_a_terminal_writes_lines_that_fit() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _device = Device::start(&lab, Kind::I800.make(1))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (_run, _) = Resident::start(&mut isnguard, &setup())?;
    let mut terminal = PseudoTerminal::start(isnguard.command("monitor", &[])?, 80, 24)?;
    // Nothing is drawn before something is decided: ask until it is.
    let server = Server::listen(&lab.peer, Family::V6.peer(PEER_PORT))?;
    let mut port = PORT;
    wait::until(PATIENCE, "a line", || {
        port += 1;
        let host = host_end(&server, port);
        connect(&lab.host, host, server.address(), None, PATIENCE)?;
        Ok((!terminal.drawn().is_empty()).then_some(()))
    })?;
    let to = (Device::ADDRESS, Device::OPEN_PORT).into();
    // The device resets it.
    let _ = connect(&lab.peer, Family::V4.peer(20_000), to, None, PATIENCE);
    terminal.until(PATIENCE, "192.0.2.10:80 < 198.51.100.2:20000")?;
    let drawn = terminal.drawn();
    let mut decisions = drawn.lines().filter(|line| !line.starts_with("note:"));
    ensure!(decisions.all(|line| line.chars().count() <= 80), "{drawn}");
    terminal.press("\x03")?;
    let status = terminal.process.wait(PATIENCE)?;
    ensure!(status.success(), "{status}");
    Ok(())
}
