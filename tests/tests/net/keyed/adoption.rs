//! Connections of before keyed mode (S15): known or not, talking or silent, they go on as they are.

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    keys::KeyFile,
    process,
    scenario::{Connection, host_end, one_life},
    server::Server,
    setup::Setup,
    topology::{Lab, LabOptions},
    wait,
};
use serde_json::Value;

use super::{
    DEGRADED, ISN, LOWER_ISN, PATIENCE, PEER_PORT, PORT, await_forgotten, ensure_goes_on,
    forgetful, setup, shown,
};

fn await_end_of_adopting(isnguard: &Isnguard) -> Result<()> {
    wait::until(PATIENCE, "adopting to end", || {
        Ok(isnguard.status()?["adopting"].is_null().then_some(()))
    })
}

fn reason(flow: Option<&Value>) -> &str {
    flow.and_then(|flow| flow["reason"].as_str())
        .unwrap_or("none")
}

fn opened_before(family: Family) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let old = Connection::open(&lab, &server, PORT, ISN)?;
    ensure_goes_on(&old)?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let daemon = isnguard.run(&key.keyed(forgetful(), 10)?)?;
    let status = isnguard.status()?;
    ensure!(
        status["adopting"]["of"] == "no-offset" && status["mode"] == "keyed",
        "{status}"
    );

    ensure_goes_on(&old)?;
    let adopted = shown(&isnguard, host_end(&server, PORT))?.context("it was not adopted")?;
    ensure!(
        adopted["offset"] == 0 && adopted["reason"] == "adopted",
        "{adopted}"
    );
    ensure!(
        adopted["host_isn"].is_null() && adopted["wire_isn"].is_null(),
        "{adopted}"
    );
    ensure!(isnguard.counter("flows_adopted")? == 1);

    let new = Connection::open(&lab, &server, PORT + 1, ISN)?;
    ensure_goes_on(&new)?;
    let host = host_end(&server, PORT + 1);
    let opened = shown(&isnguard, host)?.context("it is not known")?;
    ensure!(
        opened["offset"] == key.offset(host, server.address()),
        "{opened}"
    );

    await_end_of_adopting(&isnguard)?;
    ensure_goes_on(&old)?;
    ensure_goes_on(&new)?;
    // What is not known is taken for keyed from now on, and is.
    let late = Connection::open(&lab, &server, PORT + 2, ISN)?;
    ensure_goes_on(&late)?;
    await_forgotten(&isnguard, host_end(&server, PORT + 2))?;
    ensure_goes_on(&late)?;
    let again = shown(&isnguard, host_end(&server, PORT + 2))?;
    ensure!(reason(again.as_ref()) == "recomputed", "{again:?}");
    drop(daemon);
    for connection in [old, new, late] {
        connection.close()?;
    }
    Ok(())
}

#[test]
fn a_connection_that_was_open_before_is_adopted() -> Result<()> {
    opened_before(Family::V4)?;
    opened_before(Family::V6)
}

/// On an instance that lives: translated ones, ones that were safe, and silent ones that nobody knows any more.
#[test]
fn keyed_mode_begins_and_ends_under_live_connections() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let monotonic = forgetful();
    let daemon = isnguard.run(&monotonic)?;
    let silent = Connection::open(&lab, &server, PORT, ISN)?;
    await_forgotten(&isnguard, host_end(&server, PORT))?;
    one_life(&lab, &server, PORT + 1, ISN)?;
    let translated = Connection::open(&lab, &server, PORT + 1, LOWER_ISN)?;
    let safe = Connection::open(&lab, &server, PORT + 2, ISN)?;

    isnguard.attach(&key.keyed(monotonic.clone(), 60)?)?;
    let keyed = Connection::open(&lab, &server, PORT + 3, ISN)?;
    for connection in [&silent, &translated, &safe, &keyed] {
        ensure_goes_on(connection)?;
    }
    // Pinned or adopted: no silence makes them forgotten.
    for (port, expected) in [(PORT, 0), (PORT + 2, 0)] {
        let flow = shown(&isnguard, host_end(&server, port))?.context("it is not known")?;
        ensure!(flow["offset"] == expected, "{flow}");
    }

    let ended = process::run_to_end(isnguard.command(
        "attach",
        &[&monotonic.arguments()[..], &["--mode", "monotonic"]].concat(),
    )?)?;
    ensure!(ended.status.success(), "{}", ended.complaint());
    ensure!(
        ended.stderr.contains("no longer in use"),
        "{}",
        ended.stderr
    );
    ensure!(isnguard.status()?["key"].is_null());
    for connection in [&silent, &translated, &safe, &keyed] {
        ensure_goes_on(connection)?;
    }
    drop(daemon);
    for connection in [silent, translated, safe, keyed] {
        connection.close()?;
    }
    Ok(())
}

fn extended(isnguard: &Isnguard) -> Result<Option<()>> {
    let left = isnguard.status()?["adopting"]["seconds_left"].as_f64();
    Ok((left.context("adopting is over")? > 3_600.0).then_some(()))
}

#[test]
fn without_room_adopting_goes_on_and_status_says_so() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let ports = PORT..PORT + 3;
    let open = |port| Connection::open(&lab, &server, port, ISN);
    let old: Vec<Connection> = ports.map(open).collect::<Result<_>>()?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let small: Setup = forgetful().with(&["--max-flows", "1"]);
    let daemon = isnguard.run(&key.keyed(small, 60)?)?;
    for connection in &old {
        ensure_goes_on(connection)?;
    }
    ensure!(isnguard.counter("flows_adopted")? == 1 && isnguard.counter("adoption_full")? > 0);
    let ended = process::run_to_end(isnguard.command("status", &["--json"])?)?;
    ensure!(ended.status.code() == Some(DEGRADED), "{ended:?}");
    ensure!(
        ended
            .stdout
            .contains("segments of connections that could not be adopted"),
        "{ended:?}"
    );
    wait::until(PATIENCE, "adopting to be extended", || extended(&isnguard))?;
    for connection in &old {
        ensure_goes_on(connection)?;
    }
    drop(daemon);
    Ok(())
}

#[test]
fn what_is_not_room_for_refuses_the_change() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let small = setup().with(&["--max-flows", "1"]);
    isnguard.attach(&small)?;
    let open = |port| Connection::open(&lab, &server, port, ISN);
    let old: Vec<Connection> = (PORT..PORT + 3).map(open).collect::<Result<_>>()?;
    let before = isnguard.status()?;
    let keyed = key.keyed(small, 60)?;
    let refused = process::run_to_end(isnguard.command("attach", &keyed.arguments())?)?;
    let said = super::refusal(&refused)?;
    ensure!(
        said.contains("3 live IPv4 connections must be kept") && said.contains("of 1 places"),
        "{said}"
    );
    ensure!(isnguard.status()? == before, "{}", isnguard.status()?);
    old.iter().try_for_each(ensure_goes_on)
}
