//! Sequence numbers that run past 2^32, the host's own, the wire's, and both at once (RFC 9293 section 3.4).

use std::time::Duration;

use anyhow::{Result, ensure};
use isn_tests::{
    chosen_isn::connect,
    comparison::BothSides,
    family::Family,
    gateway::Isnguard,
    scenario::{Connection, Watch, host_end, one_life},
    segment::Segment,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};
use tempfile::TempDir;

const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const MIB: u32 = 1 << 20;
/// One MiB below 2^32.
const NEAR_THE_END: u32 = u32::MAX - MIB + 1;
const CROSSING: u64 = 4 << 20;

/// Which numbers run past 2^32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crossing {
    Host,
    Wire,
    Both,
}

impl Crossing {
    const ALL: [Self; 3] = [Self::Host, Self::Wire, Self::Both];

    fn host_isn(self) -> u32 {
        match self {
            Self::Host => NEAR_THE_END,
            Self::Wire => 123_456_789,
            // Another distance from the end, so that the two do not cross in the same segment.
            Self::Both => NEAR_THE_END + MIB / 2,
        }
    }

    /// Brings the flow into a state in which the next connection begins where it should.
    fn prepare(self, lab: &Lab, server: &Server, family: Family) -> Result<()> {
        match self {
            // What the last connection sent lies just beyond the next one's beginning, modulo 2^32.
            Self::Host => one_life(lab, server, PORT, MIB),
            // To the peer, a SYN after one that was not answered must be the same again (S5): the number on the wire is known.
            Self::Wire | Self::Both => lab.unanswered(family, || {
                let limit = Duration::from_millis(50);
                let silence = connect(
                    &lab.host,
                    host_end(server, PORT),
                    server.address(),
                    Some(NEAR_THE_END),
                    limit,
                );
                ensure!(silence.is_err(), "somebody answered");
                Ok(())
            }),
        }
    }
}

fn crosses(segments: &[Segment]) -> bool {
    let low = segments.iter().any(|segment| segment.end() < MIB);
    let high = segments.iter().any(|segment| segment.seq >= NEAR_THE_END);
    low && high
}

fn crossing(crossing: Crossing, family: Family, placement: Placement, hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, hook))?;
    let dir = TempDir::new()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    crossing.prepare(&lab, &server, family)?;
    let watch = Watch::start(&lab, dir.path(), "crossing")?;
    let connection = Connection::open(&lab, &server, PORT, crossing.host_isn())?;
    connection.exchange(CROSSING, 1)?;
    let offset = isnguard.flow(host_end(&server, PORT))?.offset;
    connection.close()?;
    let sides: BothSides = watch.stop()?.verified(host_end(&server, PORT))?;
    ensure!(
        offset != 0,
        "{crossing:?}: the connection was not translated"
    );
    ensure!(sides.ensure_translated(offset)? > 4000);
    let expected = (crossing != Crossing::Wire, crossing != Crossing::Host);
    let found = (crosses(&sides.outbound_near), crosses(&sides.outbound_far));
    ensure!(
        found == expected,
        "{crossing:?}: host and wire numbers cross {found:?} instead of {expected:?}"
    );
    Ok(())
}

fn every_crossing(family: Family, placement: Placement, hook: Hook) -> Result<()> {
    Crossing::ALL
        .into_iter()
        .try_for_each(|which| crossing(which, family, placement, hook))
}

#[test]
fn inside_at_xdp() -> Result<()> {
    every_crossing(Family::V4, Placement::Inside, Hook::Xdp)
}

#[test]
fn inside_at_tc() -> Result<()> {
    every_crossing(Family::V6, Placement::Inside, Hook::Tc)
}

#[test]
fn outside_at_xdp() -> Result<()> {
    every_crossing(Family::V6, Placement::Outside, Hook::Xdp)
}

#[test]
fn outside_at_generic_xdp() -> Result<()> {
    every_crossing(Family::V4, Placement::Outside, Hook::XdpGeneric)
}

/// More than the whole sequence space each way: every number is used, and some twice.
#[test]
#[ignore = "moves 9 GiB"]
fn more_than_the_sequence_space_at_xdp() -> Result<()> {
    whole_space(Hook::Xdp)
}

#[test]
#[ignore = "moves 9 GiB"]
fn more_than_the_sequence_space_at_tc() -> Result<()> {
    whole_space(Hook::Tc)
}

fn whole_space(hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, hook))?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    one_life(&lab, &server, PORT, 3_000_000_000)?;
    let connection = Connection::open(&lab, &server, PORT, 1_000_000_000)?;
    let before = isnguard.flow(host_end(&server, PORT))?;
    let outcome = connection.exchange((1 << 32) + (1 << 29), 1)?;
    println!("{outcome:?}");
    let after = isnguard.flow(host_end(&server, PORT))?;
    ensure!(
        before.offset != 0 && after == before,
        "the flow changed from {before:?} to {after:?}"
    );
    connection.close()
}
