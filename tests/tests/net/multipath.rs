//! Multipath TCP over translated subflows: it is not fallen back to plain TCP, and a second subflow joins (RFC 8684, S9).
//!
//! Sequence numbers in its options are relative to the subflow's first, so a translation must leave them alone.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    scenario::Watch,
    server::{Server, await_closed},
    setup::{Hook, Placement, Setup},
    socket_option::MultipathInfo,
    topology::{HOST_IF, Lab, LabOptions},
    transfer::exchange_unwatched,
    unmodified::{give_port, regress_next},
    wait,
};
use nix::sys::socket::getsockopt;
use socket2::{Domain, Protocol, Socket, Type};
use tempfile::TempDir;

const PEER_PORT: u16 = 7000;
const FIRST_PORT: u16 = 40_001;
const SECOND_PORT: u16 = 40_002;
const PATIENCE: Duration = Duration::from_secs(10);
const MIB: u64 = 1 << 20;

/// The host's other address, from which the second subflow starts.
fn second_address(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(192, 0, 2, 3).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 3).into(),
    }
}

/// A laboratory whose host has two addresses, the second for one more subflow.
fn lab(family: Family) -> Result<Lab> {
    let lab = Lab::new(LabOptions::default())?;
    let second = second_address(family).to_string();
    let prefix = format!("{second}/{}", family.bits());
    let mut add = vec!["address", "add", &prefix, "dev", HOST_IF];
    if family == Family::V6 {
        add.push("nodad");
    }
    lab.host.run("ip", &add)?;
    for namespace in [&lab.host, &lab.peer] {
        namespace.set_sysctl("net/mptcp/enabled", "1")?;
        // Never more at once than the queues on the way hold: a lost frame would have no counterpart.
        namespace.set_sysctl("net/ipv4/tcp_wmem", "4096 131072 262144")?;
    }
    let endpoint = [
        "mptcp", "endpoint", "add", &second, "dev", HOST_IF, "subflow",
    ];
    lab.host.run("ip", &endpoint)?;
    Ok(lab)
}

fn open(lab: &Lab, local: SocketAddr, server: &Server) -> Result<(TcpStream, TcpStream)> {
    let domain = Domain::for_address(local);
    let socket = lab
        .host
        .enter(|| Socket::new(domain, Type::STREAM, Some(Protocol::MPTCP)))?;
    socket.set_reuse_address(true)?;
    socket.bind(&local.into())?;
    socket.connect_timeout(&server.address().into(), PATIENCE)?;
    Ok((socket.into(), server.accept(PATIENCE)?))
}

fn await_second_subflow(stream: &TcpStream) -> Result<()> {
    wait::until(PATIENCE, "the second subflow", || {
        let info = getsockopt(stream, MultipathInfo)?;
        ensure!(!info.has_fallen_back(), "it has become plain TCP");
        Ok((info.more_subflows == 1).then_some(()))
    })
}

fn multipath(family: Family, placement: Placement, hook: Hook) -> Result<()> {
    let lab = lab(family)?;
    let dir = TempDir::new()?;
    let at = family.peer(PEER_PORT);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, hook))?;
    let first = family.host(FIRST_PORT);
    let second = SocketAddr::new(second_address(family), SECOND_PORT);
    for local in [first, second] {
        regress_next(&lab, local, at).with_context(|| local.to_string())?;
    }
    give_port(&lab, SECOND_PORT)?;
    let server = Server::listen_by(Protocol::MPTCP, &lab.peer, at, |_| Ok(()))?;
    let watch = Watch::start(&lab, dir.path(), "multipath")?;
    let (client, accepted) = open(&lab, first, &server)?;
    // Nobody may join before data have confirmed the first subflow.
    exchange_unwatched(&client, &accepted, 1000, 1)?.ensure_intact()?;
    for end in [&client, &accepted] {
        await_second_subflow(end)?;
    }
    exchange_unwatched(&client, &accepted, 16 * MIB, 2)?.ensure_intact()?;
    for end in [&client, &accepted] {
        await_second_subflow(end)?;
    }
    drop((client, accepted));
    for (namespace, port) in [
        (&lab.host, FIRST_PORT),
        (&lab.host, SECOND_PORT),
        (&lab.peer, PEER_PORT),
    ] {
        await_closed(namespace, port)?;
    }
    let seen = watch.stop()?;
    for local in [first, second] {
        let flow = isnguard.flow(local)?;
        ensure!(flow.offset != 0, "{local} was not translated: {flow:?}");
        let sides = seen.verified(local)?;
        ensure!(
            sides.outbound_near.iter().any(|it| it.payload_len > 0),
            "{local} carried nothing"
        );
        ensure!(sides.ensure_translated(flow.offset)? > 10);
    }
    Ok(())
}

#[test]
fn inside_at_xdp() -> Result<()> {
    multipath(Family::V4, Placement::Inside, Hook::Xdp)
}

#[test]
fn inside_at_tc() -> Result<()> {
    multipath(Family::V6, Placement::Inside, Hook::Tc)
}

#[test]
fn outside_at_xdp() -> Result<()> {
    multipath(Family::V6, Placement::Outside, Hook::Xdp)
}

#[test]
fn outside_at_tc() -> Result<()> {
    multipath(Family::V4, Placement::Outside, Hook::Tc)
}
