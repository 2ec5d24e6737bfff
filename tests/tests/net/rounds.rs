//! A hundred lives of one 4-tuple with random numbers: every connection comes about at once, with a single SYN.

use anyhow::{Result, ensure};
use isn_tests::{
    comparison::BothSides,
    family::Family,
    gateway::Isnguard,
    scenario::{Watch, host_end, one_life, seed},
    segment::distance,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};
use tempfile::TempDir;

const ROUNDS: usize = 100;
const PORT: u16 = 40_000;
const PEER_PORT: u16 = 7000;

fn rounds(hook: Hook) -> Result<()> {
    let mut random = fastrand::Rng::with_seed(seed()?);
    for placement in Placement::ALL {
        let lab = Lab::new(LabOptions::default())?;
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        isnguard.attach(&Setup::new(placement, hook))?;
        for family in Family::ALL {
            let isns: Vec<u32> = (0..ROUNDS).map(|_| random.u32(1..)).collect();
            all_at_once(&lab, &isnguard, family, &isns)?;
        }
    }
    Ok(())
}

fn all_at_once(lab: &Lab, isnguard: &Isnguard, family: Family, isns: &[u32]) -> Result<()> {
    let dir = TempDir::new()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let before = [
        isnguard.counter("syn_seen")?,
        isnguard.counter("syn_safe")?,
        isnguard.counter("syn_rewritten")?,
    ];
    let watch = Watch::start(lab, dir.path(), "rounds")?;
    for isn in isns {
        one_life(lab, &server, PORT, *isn)?;
    }
    let sides = watch.stop()?.verified(host_end(&server, PORT))?;
    let asked: Vec<u32> = sides.openings().iter().map(|syn| syn.seq).collect();
    ensure!(
        asked == isns,
        "one SYN for each connection was expected, in this order: {isns:?}; seen: {asked:?}"
    );
    let moved = ensure_each_begins_beyond_the_last(&sides)?;

    let after = [
        isnguard.counter("syn_seen")?,
        isnguard.counter("syn_safe")?,
        isnguard.counter("syn_rewritten")?,
    ];
    let [seen, safe, rewritten] = [0, 1, 2].map(|at| after[at] - before[at]);
    ensure!(seen == ROUNDS as u64, "{seen} SYNs were counted");
    ensure!(
        rewritten == moved,
        "{rewritten} counted as rewritten, {moved} seen"
    );
    ensure!(
        safe + rewritten == seen,
        "{safe} safe and {rewritten} rewritten of {seen}"
    );
    ensure!(
        rewritten > 10,
        "random numbers go backwards about every other time, and only {rewritten} were moved"
    );
    Ok(())
}

/// How many SYNs reached the peer with another number than the host's.
fn ensure_each_begins_beyond_the_last(sides: &BothSides) -> Result<u64> {
    let mut high_water: Option<u32> = None;
    let mut moved = 0;
    let mut asked = sides.openings().into_iter();
    for segment in &sides.outbound_far {
        if segment.is_opening() {
            let beyond = high_water.is_none_or(|mark| distance(mark, segment.seq) > 0);
            ensure!(beyond, "{segment:?} does not begin beyond {high_water:?}");
            moved += u64::from(asked.next().is_some_and(|syn| syn.seq != segment.seq));
            high_water = Some(segment.end());
        }
        high_water = high_water.map(|mark| {
            if distance(mark, segment.end()) > 0 {
                segment.end()
            } else {
                mark
            }
        });
    }
    Ok(moved)
}

#[test]
fn at_xdp() -> Result<()> {
    rounds(Hook::Xdp)
}

#[test]
fn at_generic_xdp() -> Result<()> {
    rounds(Hook::XdpGeneric)
}

#[test]
fn at_tc() -> Result<()> {
    rounds(Hook::Tc)
}
