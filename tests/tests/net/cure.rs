//! The hang without isnguard and its cure with it, for both families, both placements and every hook (S2, S9 to S11, S22 to S24).

use std::time::Duration;

use anyhow::{Result, ensure};
use isn_tests::{
    comparison::{arriving_at, ensure_checksums},
    family::Family,
    gateway::Isnguard,
    scenario::{AT_ONCE, Connection, Watch, ensure_hangs, host_end, one_life},
    segment::{Segment, distance},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions, Offload},
};
use serde_json::Value;
use tempfile::TempDir;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const HANGING_PORT: u16 = 40_001;
const CURED_PORT: u16 = 40_002;
/// Past the first second, so that at least one timed retransmission was in vain too.
const GIVE_UP: Duration = Duration::from_millis(1100);
const MIB: u64 = 1 << 20;

fn hangs_without(lab: &Lab) -> Result<()> {
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        one_life(lab, &server, HANGING_PORT, FIRST_ISN)?;
        ensure_hangs(lab, &server, HANGING_PORT, LOWER_ISN, GIVE_UP)?;
    }
    Ok(())
}

fn is_cured(lab: &Lab, isnguard: &Isnguard, family: Family) -> Result<()> {
    let dir = TempDir::new()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let host = host_end(&server, CURED_PORT);
    let rewritten = isnguard.counter("syn_rewritten")?;
    let watch = Watch::start(lab, dir.path(), "cured")?;
    one_life(lab, &server, CURED_PORT, FIRST_ISN)?;
    let first_life = watch.stop()?.verified(host)?;
    ensure!(first_life.ensure_untouched()? > 0);

    let watch = Watch::start(lab, dir.path(), "cured-again")?;
    let connection = Connection::open(lab, &server, CURED_PORT, LOWER_ISN)?;
    connection.exchange(4 * MIB, 1)?;
    let flow = isnguard.flow(host)?;
    connection.close()?;
    let sides = watch.stop()?.verified(host)?;

    ensure!(
        sides.openings().len() == 1,
        "more than one SYN: {:?}",
        sides.openings()
    );
    ensure!(
        (flow.host_isn, flow.reason.as_str()) == (LOWER_ISN, "regressed"),
        "{flow:?}"
    );
    ensure!(flow.state == "established", "{flow:?}");
    ensure!(
        flow.wire_isn == LOWER_ISN.wrapping_add(flow.offset),
        "{flow:?}"
    );
    let high_water = first_life
        .outbound_far
        .iter()
        .map(Segment::end)
        .fold(FIRST_ISN, later);
    ensure!(
        distance(high_water, flow.wire_isn) > 0,
        "{flow:?} does not lie beyond {high_water}"
    );
    ensure!(
        sides.ensure_translated(flow.offset)? > 4000,
        "a segment or two for each KiB"
    );
    ensure!(isnguard.counter("syn_rewritten")? == rewritten + 1);
    ensure!(isnguard.counter("dropped_untranslatable")? == 0);
    Ok(())
}

fn later(one: u32, other: u32) -> u32 {
    if distance(one, other) > 0 { other } else { one }
}

fn is_attached_as(status: &Value, placement: Placement, hook: Hook) -> bool {
    let expected = [("placement", placement.name()), ("hook", hook.name())];
    let is_it = |attached: &Value| expected.iter().all(|(key, value)| attached[*key] == *value);
    status["healthy"] == true
        && status["attached"]
            .as_array()
            .is_some_and(|all| all.iter().any(is_it))
}

fn hang_and_cure(placement: Placement, hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    hangs_without(&lab)?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, hook))?;
    let status = isnguard.status()?;
    ensure!(is_attached_as(&status, placement, hook), "{status}");
    Family::ALL
        .into_iter()
        .try_for_each(|family| is_cured(&lab, &isnguard, family))
}

#[test]
fn inside_xdp() -> Result<()> {
    hang_and_cure(Placement::Inside, Hook::Xdp)
}

#[test]
fn inside_xdp_generic() -> Result<()> {
    hang_and_cure(Placement::Inside, Hook::XdpGeneric)
}

#[test]
fn inside_tc() -> Result<()> {
    hang_and_cure(Placement::Inside, Hook::Tc)
}

#[test]
fn outside_xdp() -> Result<()> {
    hang_and_cure(Placement::Outside, Hook::Xdp)
}

#[test]
fn outside_xdp_generic() -> Result<()> {
    hang_and_cure(Placement::Outside, Hook::XdpGeneric)
}

#[test]
fn outside_tc() -> Result<()> {
    hang_and_cure(Placement::Outside, Hook::Tc)
}

/// Veth hands over unfinished checksums, which XDP cannot see (S24): left to itself, isnguard takes TC there and says why.
#[test]
fn auto_takes_tc_on_veth_and_says_why() -> Result<()> {
    for placement in Placement::ALL {
        let lab = Lab::new(LabOptions {
            offload: Offload::EndHosts,
            ..LabOptions::default()
        })?;
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        isnguard.attach(&Setup::new(placement, Hook::Auto))?;
        let status = isnguard.status()?;
        ensure!(is_attached_as(&status, placement, Hook::Tc), "{status}");
        let reasons: Vec<&str> = status["attached"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| it["reason"].as_str())
            .collect();
        ensure!(
            reasons.iter().any(|reason| reason.contains("veth")),
            "no reason that names veth: {status}"
        );
        unfinished_frames_arrive_right(&lab, Family::V4)?;
    }
    Ok(())
}

#[test]
fn unfinished_checksums_and_large_segments_come_out_right_at_tc() -> Result<()> {
    for placement in Placement::ALL {
        let lab = Lab::new(LabOptions {
            offload: Offload::EndHosts,
            ..LabOptions::default()
        })?;
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        isnguard.attach(&Setup::new(placement, Hook::Tc))?;
        Family::ALL
            .into_iter()
            .try_for_each(|family| unfinished_frames_arrive_right(&lab, family))?;
    }
    Ok(())
}

fn unfinished_frames_arrive_right(lab: &Lab, family: Family) -> Result<()> {
    let dir = TempDir::new()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    one_life(lab, &server, CURED_PORT, FIRST_ISN)?;
    let watch = Watch::start(lab, dir.path(), "unfinished")?;
    let connection = Connection::open(lab, &server, CURED_PORT, LOWER_ISN)?;
    ensure!(connection.handshake < AT_ONCE);
    connection.exchange(16 * MIB, 2)?;
    connection.close()?;
    let seen = watch.stop()?;
    let (near, far) = (seen.near.segments()?, seen.far.segments()?);
    ensure!(
        near.iter().any(|segment| segment.payload_len > 2000),
        "no large segment reached the gateway"
    );
    ensure!(ensure_checksums(arriving_at(family.host(0).ip(), &near))? > 1000);
    ensure!(ensure_checksums(arriving_at(family.peer(0).ip(), &far))? > 1000);
    Ok(())
}
