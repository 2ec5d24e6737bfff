//! Every connection of a keyed host is offset by F of its 4-tuple, whoever opens it.

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    chosen_isn::connect,
    comparison::BothSides,
    family::Family,
    gateway::Isnguard,
    keys::KeyFile,
    scenario::{AT_ONCE, Connection, Watch, host_end},
    server::{Server, close_server_first},
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
    transfer::exchange_unwatched,
};
use tempfile::TempDir;

use super::{ISN, KIB, LOWER_ISN, PEER_PORT, PORT};

/// The number of the host's SYN or SYN-ACK, as it sent it and as the peer got it.
fn first_numbers(sides: &BothSides) -> Result<(u32, u32)> {
    let first = |segments: &[isn_tests::segment::Segment]| {
        let syn = segments.iter().find(|segment| segment.flags.syn);
        syn.map(|segment| segment.seq).context("no SYN of the host")
    };
    Ok((first(&sides.outbound_near)?, first(&sides.outbound_far)?))
}

fn the_host_opens(family: Family, hook: Hook, placement: Placement) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let dir = TempDir::new()?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let host = host_end(&server, PORT);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&key.keyed(Setup::new(placement, hook), 0)?)?;
    let watch = Watch::start(&lab, dir.path(), "opens")?;
    let connection = Connection::open(&lab, &server, PORT, ISN)?;
    connection.exchange(64 * KIB, 1)?;
    let offset = key.offset(host, server.address());
    let flow = isnguard.flow(host)?;
    ensure!(
        (flow.offset, flow.reason.as_str()) == (offset, "keyed"),
        "{flow:?}, and F is {offset}"
    );
    connection.close()?;
    let sides = watch.stop()?.verified(host)?;
    ensure!(first_numbers(&sides)? == (ISN, ISN.wrapping_add(offset)));
    ensure!(sides.ensure_translated(offset)? > 10);
    ensure!(isnguard.counter("syn_keyed")? == 1, "{}", isnguard.stats()?);

    // A lower number on the same 4-tuple is moved ahead as in monotonic mode.
    let again = Connection::open(&lab, &server, PORT, LOWER_ISN)?;
    again.exchange(64 * KIB, 2)?;
    let moved = isnguard.flow(host)?;
    ensure!(
        moved.reason == "regressed" && moved.offset != offset,
        "{moved:?}"
    );
    again.close()
}

#[test]
fn the_host_opens_at_xdp() -> Result<()> {
    the_host_opens(Family::V4, Hook::Xdp, Placement::Inside)
}

#[test]
fn the_host_opens_at_tc_outside() -> Result<()> {
    the_host_opens(Family::V6, Hook::Tc, Placement::Outside)
}

fn the_peer_opens(family: Family, hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let dir = TempDir::new()?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.host, family.host(PORT))?;
    let (host, peer) = (server.address(), family.peer(PEER_PORT));
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&key.keyed(Setup::new(Placement::Inside, hook), 0)?)?;
    let watch = Watch::start(&lab, dir.path(), "opened")?;
    let client = connect(&lab.peer, peer, host, None, AT_ONCE)?;
    let accepted = server.accept(AT_ONCE)?;
    exchange_unwatched(&client, &accepted, 64 * KIB, 1)?.ensure_intact()?;
    let offset = key.offset(host, peer);
    let flow = isnguard.flow(host)?;
    ensure!(
        (flow.offset, flow.reason.as_str()) == (offset, "keyed"),
        "{flow:?}, and F is {offset}"
    );
    close_server_first(client, accepted)?;
    let sides = watch.stop()?.verified(host)?;
    let (at_host, at_peer) = first_numbers(&sides)?;
    ensure!(
        at_peer == at_host.wrapping_add(offset),
        "{at_host} became {at_peer}, and F is {offset}"
    );
    ensure!(sides.ensure_translated(offset)? > 10);
    Ok(())
}

#[test]
fn the_peer_opens_at_xdp() -> Result<()> {
    the_peer_opens(Family::V6, Hook::Xdp)
}

#[test]
fn the_peer_opens_at_tc() -> Result<()> {
    the_peer_opens(Family::V4, Hook::Tc)
}
