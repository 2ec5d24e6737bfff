//! Rotations break no connection: not one that talks, not one that is silent, not one that nobody knows any more.

use std::{
    net::IpAddr,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    crowd::{Crowd, add_hosts, ends, ensure_unbroken, peer},
    family::Family,
    gateway::Isnguard,
    keys::KeyFile,
    scenario::{Connection, host_end, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};

use super::{
    ISN, LOWER_ISN, PEER_PORT, PORT, await_forgotten, ensure_goes_on, forgetful, key_status,
    key_verb, refusal, rotate, setup, shown,
};

const CROWD_PEER: &str = env!("CARGO_BIN_EXE_crowd-peer");
const CROWD_PORT: u16 = 7100;
const PACE: Duration = Duration::from_millis(500);
const NUMBERS: (u32, u32) = (3_000_000_000, 205_032_704);

/// A connection of each kind through one rotation, and the key that each has then.
fn each_kind(family: Family, hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let end = |port| host_end(&server, port);
    let keyed = key.keyed(
        Setup::new(Placement::Inside, hook).with(&["--history", "1"]),
        0,
    )?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let daemon = isnguard.run(&keyed)?;
    let old = key.now()?;
    let forgotten = Connection::open(&lab, &server, PORT, ISN)?;
    one_life(&lab, &server, PORT + 1, ISN)?;
    let moved = Connection::open(&lab, &server, PORT + 1, LOWER_ISN)?;
    await_forgotten(&isnguard, end(PORT))?;
    let known = Connection::open(&lab, &server, PORT + 2, ISN)?;

    let rotated = rotate(&isnguard, &key, &[])?;
    ensure!(
        rotated["switched"] == true && rotated["without_room"] == 0,
        "{rotated}"
    );
    ensure!(rotated["adopting"]["of"] == "older-key", "{rotated}");
    ensure!(key.now()? != old);
    let status = key_status(&isnguard, &key)?;
    ensure!(
        status["agree"] == true && status["running"]["generation"] == 1,
        "{status}"
    );

    let opened = Connection::open(&lab, &server, PORT + 3, ISN)?;
    for connection in [&forgotten, &moved, &known, &opened] {
        ensure_goes_on(connection)?;
    }
    let offset = |port| -> Result<u64> {
        let flow = shown(&isnguard, end(port))?.context("it is not known")?;
        flow["offset"].as_u64().context("no offset")
    };
    for (port, of) in [(PORT, old), (PORT + 2, old), (PORT + 3, key.now()?)] {
        let expected = of.offset(end(port), server.address());
        ensure!(
            offset(port)? == u64::from(expected),
            "{port}: {} is not {expected}",
            offset(port)?
        );
    }
    drop(daemon);
    for connection in [forgotten, moved, known, opened] {
        connection.close()?;
    }
    Ok(())
}

#[test]
fn each_kind_of_connection_goes_on_at_xdp() -> Result<()> {
    each_kind(Family::V4, Hook::Xdp)
}

#[test]
fn each_kind_of_connection_goes_on_at_tc() -> Result<()> {
    each_kind(Family::V6, Hook::Tc)
}

/// Rotations while a crowd talks; before each, some more connections are opened, which are silent until the end.
fn crowd_and_idle(rotations: u16, talking: usize, silent: u16) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let family = Family::V4;
    let hosts: Vec<IpAddr> = (10..14).map(|node| family.address(1, node)).collect();
    add_hosts(&lab, &hosts)?;
    let address = family.peer(CROWD_PORT);
    let _peer = peer::start(&lab.peer, Path::new(CROWD_PEER), address)?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&key.keyed(setup(), 0)?)?;
    let ends: Vec<_> = ends(&hosts).take(talking).collect();
    let mut crowd = Crowd::open(&lab, &ends, address, NUMBERS)?;
    let done = AtomicBool::new(false);
    let mut idle = Vec::new();
    let figures = thread::scope(|scope| -> Result<_> {
        let rotating = scope.spawn(|| {
            let outcome = (0..rotations).try_for_each(|nth| -> Result<()> {
                for more in 0..silent {
                    let port = PORT + nth * silent + more;
                    idle.push(Connection::open_within(
                        super::PATIENCE,
                        &lab,
                        &server,
                        port,
                        ISN,
                    )?);
                }
                // The crowd's and the silent ones' entries are there, so nothing that could break is left to adopt.
                let rotated = rotate(&isnguard, &key, &["--force"])?;
                ensure!(rotated["without_room"] == 0, "{rotated}");
                Ok(())
            });
            done.store(true, Ordering::Release);
            outcome
        });
        let figures = crowd.carry_on(PACE, || !done.load(Ordering::Acquire))?;
        rotating.join().expect("it does not panic")?;
        Ok(figures)
    })?;
    println!("{figures}");
    ensure_unbroken(&figures)?;
    crowd.ensure_established()?;
    ensure!(figures.rounds() > talking, "{figures}");
    let status = key_status(&isnguard, &key)?;
    ensure!(
        status["running"]["generation"] == rotations && status["agree"] == true,
        "{status}"
    );
    idle.iter().try_for_each(ensure_goes_on)?;
    println!(
        "{rotations} rotations, {talking} connections that talked, {} silent ones: none broke",
        idle.len()
    );
    Ok(())
}

#[test]
fn a_hundred_rotations_under_a_thousand_connections_of_which_half_are_silent() -> Result<()> {
    crowd_and_idle(100, 500, 5)
}

#[test]
fn a_rotation_that_would_break_something_is_refused() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&key.keyed(setup().with(&["--max-flows", "1"]), 0)?)?;
    let first = key.now()?;
    let open = |port| Connection::open(&lab, &server, port, ISN);
    let connections: Vec<Connection> = (PORT..PORT + 3).map(open).collect::<Result<_>>()?;
    let before = isnguard.status()?;
    let said = key_verb(&isnguard, &key, &["rotate"])?;
    let said = refusal(&said)?;
    ensure!(
        said.contains("3 live IPv4 connections must be kept") && said.contains("--force"),
        "{said}"
    );
    ensure!(isnguard.status()? == before && key.now()? == first);
    connections.iter().try_for_each(ensure_goes_on)?;

    // Those without room go on as long as they are known.
    let forced = rotate(&isnguard, &key, &["--force"])?;
    ensure!(
        forced["without_room"] == 2 && forced["kept"] == 1,
        "{forced}"
    );
    connections.iter().try_for_each(ensure_goes_on)?;

    let second = key.now()?;
    let said = key_verb(&isnguard, &key, &["rotate"])?;
    let said = refusal(&said)?;
    ensure!(
        said.contains("connections of the key before this one are adopted"),
        "{said}"
    );
    ensure!(key.now()? == second);
    Ok(())
}

/// Another gateway's key, and a file that nobody has any more.
#[test]
fn the_new_key_may_come_from_a_file_and_the_old_file_may_be_lost() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let (key, other) = (KeyFile::random()?, KeyFile::random()?);
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&key.keyed(forgetful(), 0)?)?;
    let connection = Connection::open(&lab, &server, PORT, ISN)?;
    let from = other.path().to_str().context("no text")?;
    rotate(&isnguard, &key, &["--from", from, "--adopt", "0"])?;
    ensure!(key.now()? == other.now()?);
    ensure_goes_on(&connection)?;
    let again = key_verb(&isnguard, &key, &["rotate", "--from", from])?;
    ensure!(refusal(&again)?.contains("already"), "{again:?}");

    std::fs::remove_file(key.path())?;
    ensure!(key_status(&isnguard, &key)?["agree"] == false);
    rotate(&isnguard, &key, &[])?;
    ensure!(key_status(&isnguard, &key)?["agree"] == true);
    ensure_goes_on(&connection)?;
    connection.close()
}
