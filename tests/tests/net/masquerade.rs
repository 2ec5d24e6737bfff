//! Two hosts behind one address: to the peer the second reuses the first one's port, and each protects the other (S23).

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    capture::Capture,
    comparison::ensure_checksums,
    family::Family,
    gateway::Isnguard,
    namespace::Namespace,
    scenario::{AT_ONCE, Connection, ensure_hangs_from, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions, PEER_IF, neighbour},
    wait,
};
use tempfile::TempDir;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const HANGING_PORT: u16 = 40_001;
const CURED_PORT: u16 = 40_002;
const GIVE_UP: Duration = Duration::from_millis(1100);
const PATIENCE: Duration = Duration::from_secs(20);
const MIB: u64 = 1 << 20;
const RULES: &str = "table inet nat { counter invalid {}; \
                     chain out { type nat hook postrouting priority 100; oifname outside0 masquerade; }; \
                     chain forward { type filter hook forward priority 0; ct state invalid counter name invalid drop; }; }";

/// A gateway that masquerades, and forgets connections sooner than the peer does.
fn masquerading_lab() -> Result<(Lab, Namespace)> {
    let lab = Lab::new(LabOptions::default())?;
    let second = neighbour::add(&lab)?;
    lab.gateway.run("nft", &[RULES])?;
    for (key, value) in [("be_liberal", "0"), ("timeout_time_wait", "1")] {
        lab.gateway
            .set_sysctl(&format!("net/netfilter/nf_conntrack_tcp_{key}"), value)?;
    }
    Ok((lab, second))
}

/// Waits until the gateway has forgotten the connections from a port that ended in order.
fn await_forgotten(lab: &Lab, port: u16) -> Result<()> {
    let source = format!("sport={port} ");
    let what = format!("the gateway to forget what came from port {port}");
    wait::until(PATIENCE, &what, || {
        let known = lab.gateway.proc_net("nf_conntrack")?;
        let mut ended = known.lines().filter(|line| line.contains("TIME_WAIT"));
        Ok((!ended.any(|line| line.contains(&source))).then_some(()))
    })
}

/// The first host has a connection, and only the peer remembers it; where the second host begins its own.
fn first_life(lab: &Lab, server: &Server, family: Family, port: u16) -> Result<SocketAddr> {
    one_life(lab, server, port, FIRST_ISN)?;
    await_forgotten(lab, port)?;
    Ok(SocketAddr::new(neighbour::address(family), port))
}

fn invalid(lab: &Lab) -> Result<bool> {
    let listed = ["list", "counter", "inet", "nat", "invalid"];
    Ok(!lab.gateway.run("nft", &listed)?.contains("packets 0 "))
}

fn share_a_port(hook: Hook) -> Result<()> {
    let (lab, second) = masquerading_lab()?;
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        let local = first_life(&lab, &server, family, HANGING_PORT)?;
        ensure_hangs_from(&second, local, &server, LOWER_ISN, GIVE_UP)
            .context("without isnguard")?;
    }
    lab.gateway.run("nft", &["reset", "counters"])?;

    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let mut setup = Setup::new(Placement::Outside, hook);
    setup.protect = Family::ALL.map(|it| external(it).to_string()).to_vec();
    isnguard.attach(&setup)?;
    for family in Family::ALL {
        is_cured(&lab, &second, &isnguard, family).with_context(|| format!("{family:?}"))?;
    }
    ensure!(!invalid(&lab)?, "conntrack found segments invalid");
    Ok(())
}

/// The address that both hosts share.
fn external(family: Family) -> std::net::IpAddr {
    family.address(2, 1)
}

fn is_cured(lab: &Lab, second: &Namespace, isnguard: &Isnguard, family: Family) -> Result<()> {
    let dir = TempDir::new()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let local = first_life(lab, &server, family, CURED_PORT)?;
    let capture = Capture::start(&lab.peer, PEER_IF, &dir.path().join("peer.pcap"))?;
    let connection = Connection::open_from(second, local, &server, LOWER_ISN, AT_ONCE)?;
    connection.exchange(4 * MIB, 1)?;
    ensure!(
        connection.server.peer_addr()? == SocketAddr::new(external(family), CURED_PORT),
        "they do not share a port: {}",
        connection.server.peer_addr()?
    );
    let flow = isnguard.flow(SocketAddr::new(external(family), CURED_PORT))?;
    ensure!(
        flow.offset != 0 && flow.host_isn == LOWER_ISN,
        "not translated: {flow:?}"
    );
    connection.close()?;
    ensure!(ensure_checksums(&capture.stop()?.segments()?)? > 4000);
    Ok(())
}

#[test]
fn at_xdp() -> Result<()> {
    share_a_port(Hook::Xdp)
}

#[test]
fn at_tc() -> Result<()> {
    share_a_port(Hook::Tc)
}
