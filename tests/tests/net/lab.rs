//! The laboratory itself, without isnguard: namespaces, lines, chosen numbers and the hang that everything here is about.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::PathBuf,
    time::Duration,
};

use anyhow::Result;
use isn_tests::{
    chosen_isn::connect,
    family::Family,
    namespace::Namespace,
    scenario::{AT_ONCE, Connection, Watch, ensure_hangs, one_life},
    segment::Segment,
    server::{Server, time_waits},
    topology::{Lab, LabOptions},
};
use tempfile::TempDir;

const FIRST_ISN: u32 = 0x8000_0000;
const LOWER_ISN: u32 = 0x7000_0000;
const HOST_PORT: u16 = 40_000;
const PEER_PORT: u16 = 7_000;

/// What the host saw of everything that `traffic` sent, and what the peer saw.
fn watched(
    lab: &Lab,
    traffic: impl FnOnce() -> Result<()>,
) -> Result<(Vec<Segment>, Vec<Segment>)> {
    let dir = TempDir::new()?;
    let watch = Watch::start(lab, dir.path(), "lab")?;
    traffic()?;
    let seen = watch.stop()?;
    Ok((seen.near.segments()?, seen.far.segments()?))
}

#[test]
fn a_lower_isn_hangs_while_the_peer_keeps_time_wait() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        let before = time_waits(&lab.peer)?;
        one_life(&lab, &server, HOST_PORT, FIRST_ISN)?;
        assert_eq!(
            time_waits(&lab.peer)?,
            before + 1,
            "the peer keeps TIME-WAIT"
        );
        assert_eq!(time_waits(&lab.host)?, 0, "the host keeps none");

        let limit = Duration::from_millis(1500);
        let (near, _) = watched(&lab, || {
            ensure_hangs(&lab, &server, HOST_PORT, LOWER_ISN, limit)
        })?;
        let syns: Vec<_> = near.iter().filter(|it| it.is_opening()).collect();
        assert!(syns.len() >= 2, "retransmitted in vain: {syns:?}");
        assert!(syns.iter().all(|syn| syn.seq == LOWER_ISN), "{syns:?}");
        let answers: Vec<_> = near
            .iter()
            .filter(|it| it.source == server.address())
            .collect();
        assert!(!answers.is_empty(), "the peer did answer");
        assert!(
            answers.iter().all(|it| it.is_bare_ack()),
            "bare ACKs only: {answers:?}"
        );
    }
    Ok(())
}

#[test]
fn a_higher_isn_connects_at_once() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        for isn in [LOWER_ISN, FIRST_ISN, FIRST_ISN + 2000] {
            one_life(&lab, &server, HOST_PORT, isn)?;
        }
    }
    Ok(())
}

#[test]
fn the_chosen_isn_is_on_the_wire_and_zero_cannot_be_chosen() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let (near, _) = watched(&lab, || one_life(&lab, &server, HOST_PORT, u32::MAX))?;
    let syn = near.iter().find(|segment| segment.is_opening());
    assert_eq!(syn.map(|syn| (syn.seq, syn.end())), Some((u32::MAX, 0)));
    let host = Family::V4.host(HOST_PORT + 1);
    let zero = connect(&lab.host, host, server.address(), Some(0), AT_ONCE);
    assert_eq!(
        zero.err().map(|error| error.kind()),
        Some(ErrorKind::InvalidInput)
    );
    Ok(())
}

#[test]
fn an_unanswered_syn_is_really_unanswered() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        let limit = Duration::from_millis(50);
        let silence = || ensure_hangs(&lab, &server, HOST_PORT, LOWER_ISN, limit);
        let (_, far) = watched(&lab, || lab.unanswered(family, silence))?;
        let opening: Vec<bool> = far.iter().map(Segment::is_opening).collect();
        assert_eq!(opening, [true], "the SYN arrived, and nothing left");
        Connection::open(&lab, &server, HOST_PORT, FIRST_ISN)?;
    }
    Ok(())
}

#[test]
fn namespaces_are_gone_after_drop_and_after_panic() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let paths: Vec<PathBuf> = lab.namespaces().map(Namespace::path).collect();
    assert!(paths.iter().all(|path| path.exists()));
    let panicked = std::panic::catch_unwind(move || {
        lab.host
            .enter(|| panic!("on purpose, inside the namespace"));
        drop(lab);
    });
    assert!(panicked.is_err());
    assert_eq!(paths.iter().filter(|path| path.exists()).count(), 0);
    Ok(())
}

#[test]
fn commands_run_in_the_namespace_and_in_the_same_mounts() -> Result<()> {
    let namespace = Namespace::new("test")?;
    let net = namespace.run("readlink", &["/proc/self/ns/net"])?;
    let mounts = namespace.run("readlink", &["/proc/self/ns/mnt"])?;
    assert_ne!(
        net.trim(),
        fs::read_link("/proc/self/ns/net")?.to_string_lossy()
    );
    assert_eq!(
        mounts.trim(),
        fs::read_link("/proc/self/ns/mnt")?.to_string_lossy()
    );
    assert!(File::open(namespace.path()).is_ok(), "visible to nsenter");
    Ok(())
}

#[test]
fn a_laboratory_is_up_at_once() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        let connection = Connection::open(&lab, &server, HOST_PORT, FIRST_ISN)?;
        assert!(
            connection.handshake < AT_ONCE,
            "no SYN was lost to a line that was not up"
        );
    }
    Ok(())
}
