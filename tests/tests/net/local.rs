//! The gateway as an end of connections: hosts open them to its own addresses, and it opens its own (S22, S23).

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    scenario::{AT_ONCE, Connection, ensure_hangs, host_end, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};

const FIRST_ISN: u32 = 2_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const HIGHER_ISN: u32 = 3_000_000_000;
const PORT_OF_GATEWAY: u16 = 7001;
const PEER_PORT: u16 = 7000;
const HANGING_PORT: u16 = 40_001;
const CURED_PORT: u16 = 40_002;
const GIVE_UP: Duration = Duration::from_millis(1100);
const MIB: u64 = 1 << 20;

/// The gateway's addresses, the one in the guarded prefix first.
fn own_addresses() -> Vec<SocketAddr> {
    let of = |family: Family| [1, 2].map(|net| family.address(net, 1));
    let all = Family::ALL.into_iter().flat_map(of);
    all.map(|address| SocketAddr::new(address, PORT_OF_GATEWAY))
        .collect()
}

fn lab() -> Result<Lab> {
    let lab = Lab::new(LabOptions::default())?;
    // Here the gateway is the one that keeps TIME-WAIT.
    lab.gateway.set_sysctl("net/ipv4/tcp_rfc1337", "1")?;
    Ok(lab)
}

/// Inside, the hooks see both directions of what a host and the gateway say to each other: it is cured like any other.
fn cured(hook: Hook) -> Result<()> {
    let lab = lab()?;
    for address in own_addresses() {
        let server = Server::listen(&lab.gateway, address)?;
        one_life(&lab, &server, HANGING_PORT, FIRST_ISN)?;
        ensure_hangs(&lab, &server, HANGING_PORT, LOWER_ISN, GIVE_UP)?;
    }
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, hook))?;
    for (port, address) in (CURED_PORT..).zip(own_addresses()) {
        let server = Server::listen(&lab.gateway, address)?;
        one_life(&lab, &server, port, FIRST_ISN)?;
        let connection = Connection::open(&lab, &server, port, LOWER_ISN)
            .with_context(|| address.to_string())?;
        connection.exchange(4 * MIB, 1)?;
        let flow = isnguard.flow(host_end(&server, port))?;
        ensure!(flow.offset != 0, "{address}: not translated: {flow:?}");
        connection.close()?;
    }
    Ok(())
}

/// Outside, the hooks see nothing of it, and it passes.
fn unseen(hook: Hook) -> Result<()> {
    let lab = lab()?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Outside, hook))?;
    for address in own_addresses() {
        let server = Server::listen(&lab.gateway, address)?;
        one_life(&lab, &server, CURED_PORT, FIRST_ISN)?;
        let connection = Connection::open(&lab, &server, CURED_PORT, HIGHER_ISN)?;
        connection.exchange(MIB, 1)?;
        connection.close()?;
    }
    ensure!(isnguard.flows()?.is_empty(), "{:?}", isnguard.flows()?);
    Ok(())
}

/// What the gateway says to peers and hosts in its own name passes in either placement.
fn speaks(placement: Placement, hook: Hook) -> Result<()> {
    let lab = lab()?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, hook))?;
    for family in Family::ALL {
        for (net, end, address) in [
            (2, &lab.peer, family.peer(PEER_PORT)),
            (1, &lab.host, family.host(PEER_PORT)),
        ] {
            let server = Server::listen(end, address)?;
            let local = SocketAddr::new(family.address(net, 1), CURED_PORT);
            // Its own numbers are nobody's business, also where its address lies in a guarded prefix.
            let is_host = || isnguard.flow(local).is_ok();
            for isn in [FIRST_ISN, HIGHER_ISN] {
                let opened = Connection::open_from(&lab.gateway, local, &server, isn, AT_ONCE);
                let connection = opened.with_context(|| format!("{local} to {address}"))?;
                connection.exchange(MIB, 1)?;
                connection.close()?;
                ensure!(!is_host(), "{local} is treated as a host");
            }
        }
    }
    Ok(())
}

#[test]
fn a_host_speaks_to_the_gateway_inside_at_xdp() -> Result<()> {
    cured(Hook::Xdp)
}

#[test]
fn a_host_speaks_to_the_gateway_inside_at_tc() -> Result<()> {
    cured(Hook::Tc)
}

#[test]
fn a_host_speaks_to_the_gateway_outside() -> Result<()> {
    unseen(Hook::Xdp)?;
    unseen(Hook::Tc)
}

#[test]
fn the_gateway_speaks_for_itself() -> Result<()> {
    speaks(Placement::Inside, Hook::Xdp)?;
    speaks(Placement::Inside, Hook::Tc)?;
    speaks(Placement::Outside, Hook::Xdp)?;
    speaks(Placement::Outside, Hook::Tc)
}
