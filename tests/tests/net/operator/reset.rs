//! `detach --force --reset`: both ends of every live translated connection learn that it is over, and no packet of it follows (S20).

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    thread,
};

use anyhow::{Context, Result, anyhow, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    process,
    scenario::{Connection, Watch, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};
use tempfile::TempDir;

use super::{
    FIRST_ISN, KIB, LOWER_ISN, NOT_RUNNING, PATIENCE, PEER_PORT, PORT, code, object, translated,
};

const IDLE: u16 = 4;
const BUSY: u16 = 4;

/// Sends for as long as it goes.
fn send(mut to: &TcpStream) -> io::Error {
    let piece = [7; 16 << 10];
    loop {
        if let Err(error) = to.write_all(&piece) {
            return error;
        }
    }
}

/// Receives for as long as something comes.
fn receive(mut from: &TcpStream) -> io::Error {
    let mut room = [0; 16 << 10];
    loop {
        match from.read(&mut room) {
            Ok(0) => return io::Error::other("the connection was closed, not reset"),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

fn ensure_reset(end: &str, error: &io::Error) -> Result<()> {
    ensure!(error.kind() == ErrorKind::ConnectionReset, "{end}: {error}");
    Ok(())
}

fn reset_both_ends(placement: Placement, hook: Hook, family: Family) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, hook))?;
    let untouched = Connection::open(&lab, &server, PORT, FIRST_ISN)?;
    let open = |from: u16, number: u16| -> Result<Vec<Connection>> {
        (from..from + number)
            .map(|port| translated(&lab, &server, port))
            .collect()
    };
    let (idle, busy) = (open(PORT + 100, IDLE)?, open(PORT + 200, BUSY)?);
    for connection in idle.iter().chain(&busy) {
        connection.exchange(16 * KIB, 1)?;
        for end in [&connection.client, &connection.server] {
            end.set_read_timeout(Some(PATIENCE))?;
            end.set_write_timeout(Some(PATIENCE))?;
        }
    }
    let report = thread::scope(|scope| {
        let mut ends = Vec::new();
        for (nth, connection) in busy.iter().enumerate() {
            // Half of them upwards, half of them downwards.
            let (from, to) = if nth % 2 == 0 {
                (&connection.client, &connection.server)
            } else {
                (&connection.server, &connection.client)
            };
            ends.push(scope.spawn(move || send(from)));
            ends.push(scope.spawn(move || receive(to)));
        }
        let report = object(&isnguard, "detach", &["--force", "--reset"]);
        for end in ends {
            let error = end.join().map_err(|_| anyhow!("an end panicked"))?;
            ensure_reset("an end of a running transfer", &error)?;
        }
        report
    })?;
    let all = u64::from(IDLE + BUSY);
    ensure!(
        report["detached"] == true && report["live"] == all && report["reset"] == all,
        "{report}"
    );
    ensure!(report["not_reset"] == 0, "{report}");
    ensure!(code(&isnguard, "status", &[])? == Some(NOT_RUNNING));

    let dir = TempDir::new()?;
    let watch = Watch::start(&lab, dir.path(), "after")?;
    for connection in &idle {
        ensure_reset("the host's end", &receive(&connection.client))?;
        ensure_reset("the peer's end", &receive(&connection.server))?;
    }
    let seen = watch.stop()?;
    for recording in [&seen.near, &seen.far] {
        let segments = recording.segments()?;
        ensure!(segments.is_empty(), "somebody goes on: {segments:?}");
    }
    // What had no offset lives.
    untouched.exchange(16 * KIB, 2)?;
    untouched.close()
}

#[test]
fn both_ends_are_reset_inside() -> Result<()> {
    reset_both_ends(Placement::Inside, Hook::Xdp, Family::V4)?;
    reset_both_ends(Placement::Inside, Hook::Tc, Family::V6)
}

#[test]
fn both_ends_are_reset_outside() -> Result<()> {
    reset_both_ends(Placement::Outside, Hook::Tc, Family::V4)?;
    reset_both_ends(Placement::Outside, Hook::Xdp, Family::V6)
}

#[test]
fn a_host_that_waits_for_an_answer_is_told_too() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    one_life(&lab, &server, PORT, FIRST_ISN)?;
    let local = Family::V4.host(PORT);
    let refused = lab.unanswered(Family::V4, || {
        let mut attempt = isn_tests::chosen_isn::Attempt::start(
            &lab.host,
            local,
            server.address(),
            Some(LOWER_ISN),
        )?;
        isn_tests::wait::until(PATIENCE, "the SYN to be translated", || {
            Ok((isnguard.flow(local)?.state == "half-open").then_some(()))
        })?;
        isnguard.verb("detach", &["--force", "--reset"])?;
        Ok(attempt.wait(PATIENCE).err())
    })?;
    let refused = refused.context("the attempt did not fail")?;
    ensure!(refused.kind() == ErrorKind::ConnectionRefused, "{refused}");
    Ok(())
}

#[test]
fn a_forced_detach_without_resets_tells_of_them_and_needs_no_flows_for_them() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    let connection = translated(&lab, &server, PORT)?;
    let refused = process::run_to_end(isnguard.command("detach", &[])?)?;
    ensure!(
        refused.stderr.contains("--force, with --reset"),
        "{refused:?}"
    );
    let forced = process::run_to_end(isnguard.command("detach", &["--force"])?)?;
    ensure!(
        forced.status.success()
            && forced
                .stderr
                .contains("with --reset they would have been told"),
        "{forced:?}"
    );
    drop(connection);
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    let report = object(&isnguard, "detach", &["--force", "--reset"])?;
    ensure!(report["live"] == 0 && report["reset"] == 0, "{report}");
    ensure!(
        code(&isnguard, "detach", &["--reset"])? == Some(2),
        "without --force"
    );
    Ok(())
}

#[test]
fn without_a_way_to_the_ends_it_says_so_and_detaches() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    let _connection = translated(&lab, &server, PORT)?;
    for prefix in [Family::V4.protected(), Family::V4.outside()] {
        lab.gateway.run(
            "ip",
            &["route", "replace", "unreachable", prefix, "table", "7"],
        )?;
    }
    lab.gateway
        .run("ip", &["rule", "add", "pref", "1", "table", "7"])?;
    let ended = process::run_to_end(isnguard.command("detach", &["--force", "--reset"])?)?;
    ensure!(
        ended.status.success() && ended.stdout.contains("no way to its ends"),
        "{ended:?}"
    );
    ensure!(
        ended
            .stderr
            .contains("resetting: 0 translated connections closed, 1 left"),
        "{ended:?}"
    );
    ensure!(code(&isnguard, "status", &[])? == Some(NOT_RUNNING));
    Ok(())
}
