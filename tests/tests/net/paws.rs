//! A host whose timestamps regress too, as after a reboot: a peer in TIME-WAIT refuses its SYN however high the number (RFC 7323 section 5).

use std::{collections::HashSet, net::TcpStream, time::Duration};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    chosen_isn::advance_timestamps,
    comparison::{BothSides, Offsets},
    family::Family,
    gateway::Isnguard,
    scenario::{Connection, Watch, ensure_hangs, host_end},
    segment::{Segment, distance},
    server::Server,
    setup::{Hook, Placement, Setup},
    socket_option::TcpInfo,
    topology::{Lab, LabOptions},
};
use nix::sys::socket::getsockopt;
use tempfile::TempDir;

const FIRST_ISN: u32 = 2_000_000_000;
/// Both numbers regress, or the timestamp alone.
const ISNS: [u32; 2] = [1_000_000_000, 3_000_000_000];
const PEER_PORT: u16 = 7000;
const HANGING_PORT: u16 = 40_000;
const CURED_PORT: u16 = 40_010;
const GIVE_UP: Duration = Duration::from_millis(1100);
const MIB: u64 = 1 << 20;
/// Twelve days of the usual clock.
const UPTIME: u32 = 1 << 30;
/// Microseconds; a round trip here takes less than a thousandth of it, and a foreign timestamp shows as days.
const SANE_ROUND_TRIP: u32 = 5_000_000;

fn lab() -> Result<Lab> {
    Lab::new(LabOptions {
        host_timestamps: true,
        ..LabOptions::default()
    })
}

/// A connection of the host before its reboot, when its clock showed a long time more.
fn life_before(lab: &Lab, server: &Server, port: u16) -> Result<()> {
    let connection = Connection::open(lab, server, port, FIRST_ISN)?;
    advance_timestamps(&connection.client, UPTIME)?;
    connection.exchange(1000, 1)?;
    connection.close()
}

#[test]
fn without_isnguard_it_hangs_whatever_the_number() -> Result<()> {
    let lab = lab()?;
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        for (port, isn) in (HANGING_PORT..).zip(ISNS) {
            life_before(&lab, &server, port)?;
            ensure_hangs(&lab, &server, port, isn, GIVE_UP)?;
        }
    }
    Ok(())
}

fn reborn(placement: Placement, hook: Hook) -> Result<()> {
    let lab = lab()?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, hook))?;
    for family in Family::ALL {
        for (port, isn) in (CURED_PORT..).zip(ISNS) {
            is_cured(&lab, &isnguard, family, port, isn)
                .with_context(|| format!("{family:?}, starting at {isn}"))?;
        }
    }
    Ok(())
}

fn is_cured(lab: &Lab, isnguard: &Isnguard, family: Family, port: u16, isn: u32) -> Result<()> {
    let dir = TempDir::new()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let host = host_end(&server, port);
    let watch = Watch::start(lab, dir.path(), "before")?;
    life_before(lab, &server, port)?;
    let before = watch.stop()?.verified(host)?;
    ensure!(before.ensure_untouched()? > 0);

    let watch = Watch::start(lab, dir.path(), "after")?;
    let connection = Connection::open(lab, &server, port, isn)?;
    connection.exchange(4 * MIB, 1)?;
    let offset = isnguard.flow(host)?.offset;
    for end in [&connection.client, &connection.server] {
        ensure_sane_round_trip(end)?;
    }
    connection.close()?;
    let after = watch.stop()?.verified(host)?;
    ensure!(after.openings().len() == 1, "{:?}", after.openings());
    ensure!(
        (offset != 0) == (isn < FIRST_ISN),
        "offset {offset} for a connection that starts at {isn}"
    );
    let timestamp = ensure_timestamps_repaired(&before, &after)?;
    let moved = after.ensure_translated_by(Offsets {
        sequence: offset,
        timestamp,
    })?;
    ensure!(moved > 4000, "a segment or two for each KiB");
    Ok(())
}

/// The peer saw no older timestamp, and the host got none back that it had not sent; by how much they differ.
fn ensure_timestamps_repaired(before: &BothSides, after: &BothSides) -> Result<u32> {
    let values = |segments: &[Segment]| -> Vec<u32> {
        let both = segments.iter().filter_map(|segment| segment.timestamps);
        both.map(|(value, _)| value).collect()
    };
    let latest = *values(&before.outbound_far)
        .last()
        .context("no timestamp")?;
    let (sent, seen) = (values(&after.outbound_near), values(&after.outbound_far));
    ensure!(
        distance(latest, sent[0]) < -(1 << 29) && distance(latest, seen[0]) > 0,
        "after {latest} the host sent {} and the peer saw {}",
        sent[0],
        seen[0]
    );
    let known: HashSet<u32> = sent.iter().copied().collect();
    for segment in &after.inbound_near {
        let (_, echo) = segment.timestamps.context("no timestamp")?;
        ensure!(
            known.contains(&echo),
            "{segment:?} echoes {echo}, which the host never sent"
        );
    }
    Ok(seen[0].wrapping_sub(sent[0]))
}

fn ensure_sane_round_trip(stream: &TcpStream) -> Result<()> {
    let info = getsockopt(stream, TcpInfo)?;
    for took in [info.tcpi_rtt, info.tcpi_rcv_rtt] {
        ensure!(
            took < SANE_ROUND_TRIP,
            "a round trip of {took} microseconds"
        );
    }
    ensure!(info.tcpi_rtt > 0, "no round trip was measured");
    Ok(())
}

#[test]
fn inside_at_xdp() -> Result<()> {
    reborn(Placement::Inside, Hook::Xdp)
}

#[test]
fn inside_at_tc() -> Result<()> {
    reborn(Placement::Inside, Hook::Tc)
}

#[test]
fn outside_at_xdp() -> Result<()> {
    reborn(Placement::Outside, Hook::Xdp)
}

#[test]
fn outside_at_tc() -> Result<()> {
    reborn(Placement::Outside, Hook::Tc)
}
