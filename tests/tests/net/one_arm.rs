//! A gateway with one arm, which every packet crosses twice: it is translated once (S24).

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    scenario::{Connection, Watch, ensure_hangs, host_end, one_life},
    segment::Segment,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{INSIDE_IF, Lab, one_arm},
};
use tempfile::TempDir;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const HANGING_PORT: u16 = 40_001;
const CURED_PORT: u16 = 40_002;
const GIVE_UP: Duration = Duration::from_millis(1100);
const MIB: u64 = 1 << 20;

fn translated_once(placement: Placement, hook: Hook) -> Result<()> {
    let lab = one_arm::lab()?;
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        one_life(&lab, &server, HANGING_PORT, FIRST_ISN)?;
        ensure_hangs(&lab, &server, HANGING_PORT, LOWER_ISN, GIVE_UP)?;
    }
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let mut setup = Setup::new(placement, hook);
    INSIDE_IF.clone_into(&mut setup.interface);
    isnguard.attach(&setup)?;
    for family in Family::ALL {
        is_cured(&lab, &isnguard, family).with_context(|| format!("{family:?}"))?;
    }
    Ok(())
}

fn is_cured(lab: &Lab, isnguard: &Isnguard, family: Family) -> Result<()> {
    let dir = TempDir::new()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let host = host_end(&server, CURED_PORT);
    let numbers = [
        "syn_rewritten",
        "packets_translated_out",
        "packets_translated_in",
    ];
    let counted =
        || -> Result<Vec<u64>> { numbers.iter().map(|name| isnguard.counter(name)).collect() };
    one_life(lab, &server, CURED_PORT, FIRST_ISN)?;
    let before = counted()?;
    let watch = Watch::start(lab, dir.path(), "one-arm")?;
    let connection = Connection::open(lab, &server, CURED_PORT, LOWER_ISN)?;
    connection.exchange(4 * MIB, 1)?;
    let flow = isnguard.flow(host)?;
    connection.close()?;
    ensure!(flow.offset != 0, "{flow:?}");
    let sides = watch.stop()?.verified(host)?;
    ensure!(sides.openings().len() == 1, "{:?}", sides.openings());
    ensure!(sides.ensure_translated(flow.offset)? > 4000);
    let after = counted()?;
    let added: Vec<u64> = before
        .iter()
        .zip(&after)
        .map(|(old, new)| new - old)
        .collect();
    // What a full queue lost may have been lost on either side of the hook.
    let crossed = |sent: &[Segment], arrived: &[Segment]| arrived.len() as u64..=sent.len() as u64;
    let seen = [
        1..=1,
        crossed(&sides.outbound_near, &sides.outbound_far),
        crossed(&sides.inbound_far, &sides.inbound_near),
    ];
    ensure!(
        added
            .iter()
            .zip(&seen)
            .all(|(added, seen)| seen.contains(added)),
        "{numbers:?}: {added:?}, and seen: {seen:?}"
    );
    Ok(())
}

#[test]
fn inside_at_xdp() -> Result<()> {
    translated_once(Placement::Inside, Hook::Xdp)
}

#[test]
fn inside_at_tc() -> Result<()> {
    translated_once(Placement::Inside, Hook::Tc)
}

#[test]
fn outside_at_xdp() -> Result<()> {
    translated_once(Placement::Outside, Hook::Xdp)
}

#[test]
fn outside_at_tc() -> Result<()> {
    translated_once(Placement::Outside, Hook::Tc)
}
