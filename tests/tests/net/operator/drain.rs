//! `detach --drain`: it waits for the last translated connection, or changes nothing (S20).

use std::{io::Read as _, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    process::{self, Process},
    scenario::{ensure_hangs, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
    wait,
};
use nix::sys::signal::Signal;

use super::{FIRST_ISN, KIB, LOWER_ISN, NOT_RUNNING, PATIENCE, PEER_PORT, PORT, code, translated};

const FAILED: i32 = 1;

fn draining(isnguard: &Isnguard, seconds: u32) -> Result<Process> {
    let mut command = isnguard.command("detach", &[&format!("--drain={seconds}")])?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let process = Process::spawn(command)?;
    wait::until(PATIENCE, "the draining to begin", || {
        Ok((isnguard.status()?["draining"] == true).then_some(()))
    })?;
    Ok(process)
}

fn complaint(process: &mut Process) -> Result<String> {
    let mut said = String::new();
    process
        .child()
        .stderr
        .take()
        .context("no pipe")?
        .read_to_string(&mut said)?;
    Ok(said)
}

#[test]
fn a_drain_ends_with_the_last_translated_connection() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    let connection = translated(&lab, &server, PORT)?;
    one_life(&lab, &server, PORT + 1, FIRST_ISN)?;
    let mut detach = draining(&isnguard, 120)?;
    ensure_hangs(
        &lab,
        &server,
        PORT + 1,
        LOWER_ISN,
        Duration::from_millis(500),
    )?;
    ensure!(
        isnguard.counter("syn_would_rewrite")? >= 1,
        "{}",
        isnguard.stats()?
    );
    let refused = process::run_to_end(isnguard.command("attach", &[])?)?;
    let changing = format!("process {} is changing it", detach.id());
    ensure!(refused.stderr.contains(&changing), "{refused:?}");
    connection.exchange(64 * KIB, 1)?;
    ensure!(
        detach.ended()?.is_none(),
        "it did not wait: {}",
        complaint(&mut detach)?
    );
    connection.close()?;
    ensure!(
        detach.wait(PATIENCE)?.success(),
        "{}",
        complaint(&mut detach)?
    );
    ensure!(code(&isnguard, "status", &[])? == Some(NOT_RUNNING) && !isnguard.pins().exists());
    Ok(())
}

#[test]
fn a_drain_that_runs_out_of_time_changes_nothing() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    let connection = translated(&lab, &server, PORT)?;
    let before = isnguard.status()?;
    let mut detach = draining(&isnguard, 2)?;
    ensure!(detach.wait(PATIENCE)?.code() == Some(FAILED));
    let said = complaint(&mut detach)?;
    ensure!(
        said.contains("1 live translated connection left after 2 s"),
        "{said}"
    );
    ensure!(
        said.contains("what to do:") && said.contains("--force"),
        "{said}"
    );
    ensure!(
        isnguard.status()? == before,
        "{before} became {}",
        isnguard.status()?
    );
    connection.exchange(64 * KIB, 1)?;
    translated(&lab, &server, PORT + 1)?.exchange(64 * KIB, 2)?;
    ensure!(isnguard.counter("syn_rewritten")? == 2);
    let mut interrupted = draining(&isnguard, 120)?;
    interrupted.signal(Signal::SIGTERM)?;
    ensure!(interrupted.wait(PATIENCE)?.code() == Some(FAILED));
    ensure!(
        isnguard.status()? == before,
        "{before} became {}",
        isnguard.status()?
    );
    Ok(())
}
