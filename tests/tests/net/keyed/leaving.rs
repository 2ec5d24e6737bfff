//! Detaching from keyed connections (S20): those that are known count, in whichever table they lie, and of others it is said
//! that they cannot be counted.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    keys::KeyFile,
    process::{self, Process},
    scenario::{Connection, host_end},
    server::Server,
    topology::{Lab, LabOptions},
    wait,
};

use super::{
    ISN, PATIENCE, PEER_PORT, PORT, await_forgotten, ensure_goes_on, forgetful, refusal, setup,
    shown,
};

#[test]
fn known_keyed_connections_are_refused_to_be_broken() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&key.keyed(setup(), 0)?)?;
    let connection = Connection::open(&lab, &server, PORT, ISN)?;
    ensure_goes_on(&connection)?;
    let flows = isnguard.verb("flows", &["--translated", "--json"])?;
    ensure!(flows.contains("\"matching\":1"), "{flows}");
    let refused = process::run_to_end(isnguard.command("detach", &[])?)?;
    let said = refusal(&refused)?;
    ensure!(
        said.contains("1 live translated connection would break"),
        "{said}"
    );
    ensure!(said.contains("cannot be counted"), "{said}");
    ensure_goes_on(&connection)?;
    connection.close()?;
    let detached = process::run_to_end(isnguard.command("detach", &["--force"])?)?;
    ensure!(detached.status.success(), "{detached:?}");
    ensure!(
        detached.stderr.contains("cannot be counted"),
        "{detached:?}"
    );
    Ok(())
}

/// Silence does not hide a connection from a drain, however short the history is.
#[test]
fn a_drain_waits_for_silent_keyed_connections() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let daemon = isnguard.run(&key.keyed(forgetful(), 0)?)?;
    let connection = Connection::open(&lab, &server, PORT, ISN)?;
    let mut command = isnguard.command("detach", &["--drain=120"])?;
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut detach = Process::spawn(command)?;
    let host = host_end(&server, PORT);
    // Its entry stays for much longer than the history.
    wait::until(PATIENCE, "the connection to be silent for long", || {
        let flow = shown(&isnguard, host)?.context("it was forgotten")?;
        Ok((flow["idle_seconds"].as_f64() > Some(6.0)).then_some(()))
    })?;
    ensure!(detach.ended()?.is_none(), "it did not wait");
    ensure_goes_on(&connection)?;
    // What opens now needs no isnguard any more.
    let late = Connection::open(&lab, &server, PORT + 1, ISN)?;
    let flow = shown(&isnguard, host_end(&server, PORT + 1))?.context("it is not known")?;
    ensure!(
        flow["offset"] == 0 && flow["reason"] == "draining",
        "{flow}"
    );
    connection.close()?;
    ensure!(detach.wait(PATIENCE)?.success());
    ensure_goes_on(&late)?;
    drop(daemon);
    late.close()
}

#[test]
fn a_flow_that_was_learnt_again_tells_its_offset_and_no_first_number() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, Family::V6.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let daemon = isnguard.run(&key.keyed(forgetful(), 0)?)?;
    let connection = Connection::open(&lab, &server, PORT, ISN)?;
    let host = host_end(&server, PORT);
    await_forgotten(&isnguard, host)?;
    ensure_goes_on(&connection)?;
    let flow = shown(&isnguard, host)?.context("it is not known")?;
    ensure!(
        flow["reason"] == "recomputed" && flow["host_isn"].is_null(),
        "{flow}"
    );
    ensure!(
        flow["offset"] == key.offset(host, server.address()),
        "{flow}"
    );
    drop(daemon);
    connection.close()
}
