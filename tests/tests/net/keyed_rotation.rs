//! A hundred keys one after the other, over connections that speak and connections that are silent (S3): none breaks, and each
//! new one has the number of its key.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};
use isn_tests::{
    crowd::{Crowd, add_hosts, ends, ensure_unbroken, peer},
    family::Family,
    gateway::Isnguard,
    keys::KeyFile,
    process,
    scenario::{Connection, host_end},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};

const CROWD_PEER: &str = env!("CARGO_BIN_EXE_crowd-peer");
const PEER_PORT: u16 = 7000;
const OTHER_PORT: u16 = 7001;
const SPEAKING: usize = 500;
const SILENT: usize = 500;
const ROTATIONS: u32 = 100;
/// A second life beyond the first: its number is the keyed function's alone.
const NUMBERS: (u32, u32) = (3_000_000_000, 205_032_704);
const PACE: Duration = Duration::from_secs(1);
const ONE_MIB: u64 = 1 << 20;

/// Rotates the key; adopting the flows of the key before is cut short, as all of them are known.
fn rotate(isnguard: &Isnguard, key: &KeyFile) -> Result<()> {
    let path = key.path().to_string_lossy().into_owned();
    let command = isnguard.command("key", &["rotate", "--force", "--key-file", &path])?;
    process::run(command).map(drop)
}

/// Opens a connection between two rotations, uses it, and looks whose number it has.
fn newcomer(
    lab: &Lab,
    isnguard: &Isnguard,
    server: &Server,
    key: &KeyFile,
    port: u16,
) -> Result<()> {
    let connection = Connection::open(lab, server, port, u32::from(port))?;
    connection.exchange(ONE_MIB / 16, u64::from(port))?;
    let end = host_end(server, port);
    let flow = isnguard.flow(end)?;
    let (offset, expected) = (flow.offset, key.offset_now(end, server.address())?);
    ensure!(offset == expected, "{end}: {offset}, and F is {expected}");
    connection.close()
}

#[test]
fn a_hundred_rotations_break_nothing() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let setup = key.keyed(Setup::new(Placement::Inside, Hook::Xdp), 0)?;
    isnguard.attach(&setup)?;
    let hosts: Vec<IpAddr> = (10..14).map(|node| Family::V4.address(1, node)).collect();
    add_hosts(&lab, &hosts)?;
    let address = Family::V4.peer(PEER_PORT);
    let _peer = peer::start(&lab.peer, Path::new(CROWD_PEER), address)?;
    let all: Vec<SocketAddr> = ends(&hosts).take(SPEAKING + SILENT).collect();
    let mut speaking = Crowd::open(&lab, &all[..SPEAKING], address, NUMBERS)?;
    let mut silent = Crowd::open(&lab, &all[SPEAKING..], address, NUMBERS)?;
    let server = Server::listen(&lab.peer, Family::V4.peer(OTHER_PORT))?;

    let done = AtomicBool::new(false);
    let figures = thread::scope(|scope| -> Result<_> {
        let rotations = scope.spawn(|| {
            let outcome = (0..ROTATIONS).try_for_each(|number| {
                rotate(&isnguard, &key)?;
                if number % 10 == 0 {
                    let port = 30_000 + u16::try_from(number)?;
                    newcomer(&lab, &isnguard, &server, &key, port)?;
                }
                Ok(())
            });
            done.store(true, Ordering::Release);
            outcome
        });
        let figures = speaking.carry_on(PACE, || !done.load(Ordering::Acquire))?;
        rotations
            .join()
            .expect("it does not panic")
            .map(|()| figures)
    })?;
    println!("during {ROTATIONS} rotations: {figures}");
    ensure_unbroken(&figures)?;
    ensure!(figures.rounds() > SPEAKING, "{figures}");
    for crowd in [&mut silent, &mut speaking] {
        let mut turns = 0;
        let figures = crowd.carry_on(PACE, || {
            turns += 1;
            turns < 2000
        })?;
        println!("afterwards: {figures}");
        ensure_unbroken(&figures)?;
        ensure!(figures.rounds() > SILENT, "{figures}");
        crowd.ensure_established()?;
    }
    Ok(())
}
