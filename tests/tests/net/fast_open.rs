//! TCP Fast Open over translated connections: data on the SYN are accepted and acknowledged in the host's numbers (RFC 7413, S5, S9).

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    chosen_isn::Attempt,
    comparison::BothSides,
    family::Family,
    gateway::Isnguard,
    scenario::{AT_ONCE, Connection, Watch, host_end},
    server::Server,
    setup::{Hook, Placement, Setup},
    socket_option::{TcpFastOpen, TcpFastOpenConnect, TcpInfo},
    topology::{Lab, LabOptions},
};
use nix::sys::socket::{getsockopt, setsockopt};
use socket2::Protocol;
use tempfile::TempDir;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const HANGING_PORT: u16 = 40_001;
const CURED_PORT: u16 = 40_002;
const GIVE_UP: Duration = Duration::from_millis(1100);
const MIB: u64 = 1 << 20;
/// What goes with the SYN.
const QUESTION: [u8; 1000] = [0x5a; 1000];
/// `TCPI_OPT_SYN_DATA` of `linux/tcp.h`: the data on the SYN were taken.
const SYN_DATA: u8 = 32;

fn lab() -> Result<Lab> {
    let lab = Lab::new(LabOptions::default())?;
    for namespace in [&lab.host, &lab.peer] {
        // Client and server.
        namespace.set_sysctl("net/ipv4/tcp_fastopen", "3")?;
    }
    Ok(lab)
}

fn listen(lab: &Lab, family: Family) -> Result<Server> {
    let at = family.peer(PEER_PORT);
    Server::listen_by(Protocol::TCP, &lab.peer, at, |listener| {
        setsockopt(listener, TcpFastOpen, &16)
    })
}

/// The host's end; with a cookie, not even the SYN has been sent.
fn ask(lab: &Lab, server: &Server, port: u16, isn: u32) -> Result<TcpStream> {
    let prepare = |socket: &socket2::Socket| setsockopt(socket, TcpFastOpenConnect, &1);
    let local = host_end(server, port);
    let mut attempt =
        Attempt::start_prepared(&lab.host, local, server.address(), Some(isn), prepare)?;
    attempt.wait(AT_ONCE)?.context("no connection")
}

/// A connection that brings its question with the SYN where the host has a cookie, and asks for a cookie where it has none.
fn open(lab: &Lab, server: &Server, port: u16, isn: u32) -> Result<Connection> {
    let mut client = ask(lab, server, port, isn)?;
    client.write_all(&QUESTION)?;
    let mut accepted = server.accept(AT_ONCE)?;
    let mut heard = [0; QUESTION.len()];
    accepted.read_exact(&mut heard)?;
    ensure!(heard == QUESTION, "another question was heard");
    Ok(Connection {
        client,
        server: accepted,
        handshake: Duration::ZERO,
    })
}

fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

fn brought_with_syn(stream: &TcpStream) -> Result<bool> {
    Ok(getsockopt(stream, TcpInfo)?.tcpi_options & SYN_DATA != 0)
}

/// The first connection brings a cookie, the peer keeps TIME-WAIT.
fn first_life(lab: &Lab, server: &Server, port: u16) -> Result<()> {
    let connection = open(lab, server, port, FIRST_ISN)?;
    connection.exchange(1000, 1)?;
    connection.close()
}

fn fast_and_translated(placement: Placement, hook: Hook) -> Result<()> {
    let lab = lab()?;
    for family in Family::ALL {
        let server = listen(&lab, family)?;
        first_life(&lab, &server, HANGING_PORT)?;
        let mut client = ask(&lab, &server, HANGING_PORT, LOWER_ISN)?;
        client.set_nonblocking(true)?;
        let sent = client.write(&QUESTION);
        ensure!(
            sent.as_ref().is_ok_and(|length| *length > 0)
                || sent.as_ref().is_err_and(is_in_progress),
            "the question did not leave: {sent:?}"
        );
        ensure!(
            server.accept(GIVE_UP).is_err(),
            "without isnguard a connection came about"
        );
    }
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, hook))?;
    for family in Family::ALL {
        is_cured(&lab, &isnguard, family).with_context(|| format!("{family:?}"))?;
    }
    Ok(())
}

fn is_cured(lab: &Lab, isnguard: &Isnguard, family: Family) -> Result<()> {
    let dir = TempDir::new()?;
    let server = listen(lab, family)?;
    let host = host_end(&server, CURED_PORT);
    first_life(lab, &server, CURED_PORT)?;
    let watch = Watch::start(lab, dir.path(), "fast")?;
    let connection = open(lab, &server, CURED_PORT, LOWER_ISN)?;
    connection.exchange(4 * MIB, 1)?;
    let flow = isnguard.flow(host)?;
    for end in [&connection.client, &connection.server] {
        ensure!(brought_with_syn(end)?, "the data did not go with the SYN");
    }
    connection.close()?;
    let sides = watch.stop()?.verified(host)?;
    ensure!(flow.offset != 0, "{flow:?}");
    ensure!(sides.ensure_translated(flow.offset)? > 4000);
    ensure_acknowledged_at_once(&sides)
}

/// One SYN with the question, and an answer that acknowledges both.
fn ensure_acknowledged_at_once(sides: &BothSides) -> Result<()> {
    let openings = sides.openings();
    ensure!(openings.len() == 1, "{openings:?}");
    ensure!(
        openings[0].payload_len as usize == QUESTION.len(),
        "{openings:?}"
    );
    let answer = sides.inbound_near.first().context("no answer")?;
    ensure!(
        answer.flags.syn && answer.ack == openings[0].end(),
        "{answer:?} does not answer {:?}",
        openings[0]
    );
    Ok(())
}

#[test]
fn inside_at_xdp() -> Result<()> {
    fast_and_translated(Placement::Inside, Hook::Xdp)
}

#[test]
fn inside_at_tc() -> Result<()> {
    fast_and_translated(Placement::Inside, Hook::Tc)
}

#[test]
fn outside_at_xdp() -> Result<()> {
    fast_and_translated(Placement::Outside, Hook::Xdp)
}

#[test]
fn outside_at_tc() -> Result<()> {
    fast_and_translated(Placement::Outside, Hook::Tc)
}
