//! Signed sessions, as BGP has them (TCP-MD5, RFC 2385), through a guarded prefix: not a bit changes, also where the number regresses (S7).

use std::{io, net::TcpStream, time::Duration};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    chosen_isn::Attempt,
    family::Family,
    gateway::Isnguard,
    scenario::{AT_ONCE, Connection, Watch, host_end, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    socket_option::{Md5Key, TcpMd5Signature},
    topology::{Lab, LabOptions},
};
use nix::sys::socket::setsockopt;
use socket2::Protocol;
use tempfile::TempDir;

const FIRST_ISN: u32 = 2_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const HIGHER_ISN: u32 = 3_000_000_000;
/// Where BGP listens.
const PEER_PORT: u16 = 179;
const PORT: u16 = 40_001;
const GIVE_UP: Duration = Duration::from_millis(1100);
const MIB: u32 = 1 << 20;
const KEY: &[u8] = b"shared by host and peer";

fn listen(lab: &Lab, family: Family) -> Result<Server> {
    let key = Md5Key::new(family.host(0).ip(), KEY)?;
    let at = family.peer(PEER_PORT);
    Server::listen_by(Protocol::TCP, &lab.peer, at, move |listener| {
        setsockopt(listener, TcpMd5Signature, &key)
    })
}

fn ask(
    lab: &Lab,
    server: &Server,
    isn: u32,
    key: &[u8],
    limit: Duration,
) -> Result<Option<TcpStream>> {
    let key = Md5Key::new(server.address().ip(), key)?;
    let prepare = |socket: &socket2::Socket| setsockopt(socket, TcpMd5Signature, &key);
    let local = host_end(server, PORT);
    let attempt = Attempt::start_prepared(&lab.host, local, server.address(), Some(isn), prepare);
    Ok(attempt?.wait(limit)?)
}

/// A session that moves something each way and leaves the peer in TIME-WAIT.
fn session(lab: &Lab, server: &Server, isn: u32) -> Result<()> {
    let client = ask(lab, server, isn, KEY, AT_ONCE)?.context("no connection")?;
    let connection = Connection {
        client,
        server: server.accept(AT_ONCE)?,
        handshake: Duration::ZERO,
    };
    connection.exchange(MIB.into(), 1)?;
    connection.close()
}

fn untouched(placement: Placement, hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, hook))?;
    for family in Family::ALL {
        passes(&lab, &isnguard, family).with_context(|| format!("{family:?}"))?;
    }
    Ok(())
}

fn passes(lab: &Lab, isnguard: &Isnguard, family: Family) -> Result<()> {
    let dir = TempDir::new()?;
    // A translated connection on the same flow, so that there is something to fall into.
    let unsigned = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let host = host_end(&unsigned, PORT);
    one_life(lab, &unsigned, PORT, LOWER_ISN)?;
    one_life(lab, &unsigned, PORT, LOWER_ISN - MIB)?;
    ensure!(isnguard.flow(host)?.offset != 0, "not translated");
    drop(unsigned);

    let server = listen(lab, family)?;
    let bypassed = isnguard.counter("bypass_tcp_auth")?;
    let watch = Watch::start(lab, dir.path(), "signed")?;
    session(lab, &server, HIGHER_ISN)?;
    let flow = isnguard.flow(host)?;
    ensure!(
        flow.offset == 0,
        "a signed session was translated: {flow:?}"
    );
    // Refused by the peer as it would be without isnguard.
    let hanging = ask(lab, &server, FIRST_ISN, KEY, GIVE_UP)?;
    ensure!(hanging.is_none(), "a regressing number was accepted");
    ensure!(isnguard.flow(host)?.offset == 0);
    let sides = watch.stop()?.verified(host)?;
    ensure!(sides.ensure_untouched()? > 1000);
    let syns = sides.openings().len();
    ensure!(syns > 2, "the hang brings retransmissions: {syns} SYNs");
    let counted = isnguard.counter("bypass_tcp_auth")? - bypassed;
    ensure!(counted >= 2, "counted {counted} times for two sessions");
    session(lab, &server, HIGHER_ISN + 100 * MIB)
}

#[test]
fn inside_at_xdp() -> Result<()> {
    untouched(Placement::Inside, Hook::Xdp)
}

#[test]
fn inside_at_tc() -> Result<()> {
    untouched(Placement::Inside, Hook::Tc)
}

#[test]
fn outside_at_xdp() -> Result<()> {
    untouched(Placement::Outside, Hook::Xdp)
}

#[test]
fn outside_at_tc() -> Result<()> {
    untouched(Placement::Outside, Hook::Tc)
}

/// The signatures are real: another key is not answered.
#[test]
fn another_key_is_not_answered() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = listen(&lab, Family::V4)?;
    match ask(&lab, &server, FIRST_ISN, b"another", GIVE_UP) {
        Ok(None) => Ok(()),
        other => Err(io::Error::other(format!("{other:?}")).into()),
    }
}
