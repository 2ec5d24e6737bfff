//! Translated connections over a wire that loses, exchanges and doubles segments: retransmissions and SACK stay consistent (S9, S10).

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    comparison::ensure_checksums,
    family::Family,
    gateway::Isnguard,
    relay::{Impairment, Relay},
    scenario::{Connection, Watch, host_end, one_life, seed},
    segment::{Segment, distance},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions, Wire},
};
use tempfile::TempDir;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const MIB: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_mins(1);

fn survives_loss(family: Family, placement: Placement, hook: Hook, wire_at: Wire) -> Result<()> {
    let lab = Lab::new(LabOptions {
        wire: Some(wire_at),
        ..LabOptions::default()
    })?;
    let wire = lab.wire.as_ref().context("a laboratory without its wire")?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, hook))?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let quiet = Relay::start(wire, Impairment::NONE)?;
    one_life(&lab, &server, PORT, FIRST_ISN)?;
    quiet.stop()?;

    let dir = TempDir::new()?;
    let watch = Watch::start(&lab, dir.path(), "loss")?;
    let relay = Relay::start(
        wire,
        Impairment {
            seed: seed()?,
            loss: 15,
            reorder: 20,
            duplicate: 5,
            ..Impairment::NONE
        },
    )?;
    let connection = Connection::open_within(PATIENCE, &lab, &server, PORT, LOWER_ISN)?;
    connection.exchange(8 * MIB, 1)?;
    let flow = isnguard.flow(host_end(&server, PORT))?;
    let tallies = relay.stop()?;
    println!("{tallies:?}");
    let counted = isnguard.counter("sack_edges_translated")?;
    let quiet = Relay::start(wire, Impairment::NONE)?;
    let seen = watch.stop()?;
    quiet.stop()?;
    let (near, far) = (seen.near.segments()?, seen.far.segments()?);

    ensure!(
        tallies.outbound.lost > 0 && tallies.inbound.lost > 0,
        "nothing was lost"
    );
    ensure!(
        flow.offset != 0,
        "the connection was not translated: {flow:?}"
    );
    ensure!(ensure_checksums(near.iter().chain(&far))? > 8000);
    let edges = ensure_sack_in_host_numbers(host_end(&server, PORT).port(), &near)?;
    ensure!(edges > 0, "no SACK came, so nothing was shown");
    ensure_acknowledgements_translated(&near, &far, server.address().port(), flow.offset)?;
    if wire_at == Wire::Outside {
        // A duplicate may still come while the captures end.
        let counted = counted..=isnguard.counter("sack_edges_translated")?;
        ensure!(
            counted.contains(&edges),
            "{counted:?} edges were counted, {edges} arrived"
        );
    }
    Ok(())
}

/// At the host, every SACK edge lies among the numbers that the host has sent; how many edges there are.
fn ensure_sack_in_host_numbers(host_port: u16, near: &[Segment]) -> Result<u64> {
    let mut next = LOWER_ISN;
    let mut edges = 0;
    for segment in near {
        if segment.source.port() == host_port {
            next = if distance(next, segment.end()) > 0 {
                segment.end()
            } else {
                next
            };
            continue;
        }
        for (at, (left, right)) in segment.sack.iter().enumerate() {
            // Only the first block may lie below the acknowledgement: a duplicate (RFC 2883).
            let lowest = if at == 0 { LOWER_ISN } else { segment.ack };
            let inside = distance(lowest, *left) >= 0
                && distance(*left, *right) > 0
                && distance(*right, next) >= 0;
            ensure!(
                inside,
                "block {at} of {segment:?} lies outside of what the host sent, up to {next}"
            );
            edges += 2;
        }
    }
    Ok(edges)
}

/// What arrived at the host is what the peer sent, `offset` taken off its acknowledgement and every edge.
fn ensure_acknowledgements_translated(
    near: &[Segment],
    far: &[Segment],
    peer_port: u16,
    offset: u32,
) -> Result<()> {
    let moved = |number: u32| number.wrapping_sub(offset);
    let from_peer = |segment: &&Segment| segment.source.port() == peer_port && segment.flags.ack;
    let sent: HashSet<_> = far
        .iter()
        .filter(from_peer)
        .map(|it| {
            let blocks: Vec<_> = it
                .sack
                .iter()
                .map(|(left, right)| (moved(*left), moved(*right)))
                .collect();
            (it.seq, it.payload_len, moved(it.ack), blocks)
        })
        .collect();
    for segment in near.iter().filter(from_peer) {
        let arrived = (
            segment.seq,
            segment.payload_len,
            segment.ack,
            segment.sack.clone(),
        );
        ensure!(
            sent.contains(&arrived),
            "the peer sent nothing that becomes {segment:?} with offset {offset}"
        );
    }
    Ok(())
}

#[test]
fn beyond_the_gateway_at_xdp() -> Result<()> {
    survives_loss(Family::V4, Placement::Inside, Hook::Xdp, Wire::Outside)?;
    survives_loss(Family::V6, Placement::Outside, Hook::Xdp, Wire::Outside)
}

#[test]
fn beyond_the_gateway_at_generic_xdp() -> Result<()> {
    survives_loss(
        Family::V6,
        Placement::Inside,
        Hook::XdpGeneric,
        Wire::Outside,
    )
}

#[test]
fn beyond_the_gateway_at_tc() -> Result<()> {
    survives_loss(Family::V6, Placement::Inside, Hook::Tc, Wire::Outside)?;
    survives_loss(Family::V4, Placement::Outside, Hook::Tc, Wire::Outside)
}

#[test]
fn before_the_gateway_at_xdp() -> Result<()> {
    survives_loss(Family::V6, Placement::Inside, Hook::Xdp, Wire::Inside)
}

#[test]
fn before_the_gateway_at_tc() -> Result<()> {
    survives_loss(Family::V4, Placement::Outside, Hook::Tc, Wire::Inside)
}
