//! The three steps: the hang, its cure, and a connection that needs none.

use std::{
    net::Shutdown,
    sync::{atomic::AtomicU64, mpsc},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use isn_tests::{
    capture::Recording,
    chosen_isn::Attempt,
    scenario::{Connection, Seen, Watch, host_end, one_life},
    segment::Segment,
    server::Server,
    setup::Hook,
    topology::Lab,
    transfer::{Gate, Outcome, exchange},
};

use crate::{
    findings::Finding,
    narrator::{grouped, readable},
    stage::Stage,
};

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
/// Beyond what the first connection sent and beyond the largest window that the peer could have offered.
const HIGHER_ISN: u32 = FIRST_ISN + (1 << 30) + 1_000_000;
const HANGING_PORT: u16 = 40_001;
const CURED_PORT: u16 = 40_002;
const SAFE_PORT: u16 = 40_003;
const GIVE_UP: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);
const MIB: u64 = 1 << 20;
const CURED_BYTES: u64 = 64 * MIB;
const SAFE_BYTES: u64 = 8 * MIB;

/// Step 1: a lower number on the same 4-tuple, nobody in between.
pub fn without(stage: &Stage, lab: &Lab, server: &Server) -> Result<Finding> {
    stage.narrator.chapter("without isnguard");
    first_life(stage, lab, server, HANGING_PORT)?;
    let watch = Watch::start(lab, stage.dir, "1-without")?;
    let host = host_end(server, HANGING_PORT);
    let mut attempt = Attempt::start(&lab.host, host, server.address(), Some(LOWER_ISN))?;
    while attempt.elapsed() < GIVE_UP {
        stage.interrupt.check()?;
        ensure!(
            attempt.wait(LOOK)?.is_none(),
            "the peer accepted a lower number: this kernel does not show the problem"
        );
        stage.narrator.waiting(
            "second connection, lower number: waiting for",
            attempt.elapsed(),
        );
    }
    stage.narrator.waited();
    drop(attempt);
    let near = watch.stop()?.near.segments()?;
    let syns = near.iter().filter(|segment| segment.is_opening()).count();
    let answers: Vec<&Segment> = near
        .iter()
        .filter(|segment| segment.source == server.address())
        .collect();
    ensure!(
        answers.iter().all(|answer| answer.is_bare_ack()),
        "the peer was expected to answer with bare ACKs: {answers:?}"
    );
    let seen = format!(
        "{syns} SYNs, answered by {} bare ACKs, no SYN-ACK",
        answers.len()
    );
    stage.narrator.detail(&format!(
        "second connection, lower number: given up after {}; {seen}",
        readable(GIVE_UP)
    ));
    Ok(Finding {
        step: "1  without isnguard, lower number".into(),
        handshake: format!("hangs; given up after {}", readable(GIVE_UP)),
        data: "none".into(),
        seen,
    })
}

/// Step 2: the same with isnguard in between, and 64 MiB each way over the connection.
pub fn unsafe_isn(stage: &Stage, lab: &Lab, server: &Server) -> Result<Finding> {
    first_life(stage, lab, server, CURED_PORT)?;
    let watch = Watch::start(lab, stage.dir, &format!("2-{}-lower", stage.hook.name()))?;
    let connection = Connection::open(lab, server, CURED_PORT, LOWER_ISN)
        .context("with isnguard the connection hangs")?;
    let handshake = readable(connection.handshake);
    stage.narrator.detail(&format!(
        "second connection, lower number: connected in {handshake}"
    ));
    let outcome = watched_exchange(stage, &connection, CURED_BYTES, 1)?;
    connection.close()?;
    let data = told(&outcome)?;
    stage.narrator.detail(&data);
    let seen = watch.stop()?;
    let (host_isn, wire_isn) = (opening_number(&seen.near)?, opening_number(&seen.far)?);
    ensure!(
        host_isn == LOWER_ISN,
        "the host was told to start at {LOWER_ISN} and started at {host_isn}"
    );
    ensure!(
        wire_isn != host_isn,
        "the number was not moved, and yet the peer accepted it"
    );
    let moved = format!(
        "the host starts at {}, the peer sees {}",
        grouped(host_isn),
        grouped(wire_isn)
    );
    stage.narrator.detail(&moved);
    let right = right_checksums(stage.hook, lab, server, &seen)?;
    stage
        .narrator
        .detail(&format!("the checksums of {right} segments are right"));
    Ok(Finding {
        step: format!("2  isnguard at {}, lower number", stage.hook.name()),
        handshake: format!("connects in {handshake}"),
        data,
        seen: format!("{moved}; {right} checksums right"),
    })
}

/// Step 3: a number that lies above everything the previous connection sent.
pub fn safe_isn(stage: &Stage, lab: &Lab, server: &Server) -> Result<Finding> {
    first_life(stage, lab, server, SAFE_PORT)?;
    let watch = Watch::start(lab, stage.dir, &format!("3-{}-higher", stage.hook.name()))?;
    let connection = Connection::open(lab, server, SAFE_PORT, HIGHER_ISN)?;
    let handshake = readable(connection.handshake);
    stage.narrator.detail(&format!(
        "second connection, higher number: connected in {handshake}"
    ));
    let outcome = watched_exchange(stage, &connection, SAFE_BYTES, 2)?;
    connection.close()?;
    let data = told(&outcome)?;
    let segments = watch
        .stop()?
        .verified(host_end(server, SAFE_PORT))?
        .ensure_untouched()?;
    let seen = format!("{segments} segments, every bit of each the same on both sides");
    stage.narrator.detail(&format!("{data}; {seen}"));
    Ok(Finding {
        step: format!("3  isnguard at {}, higher number", stage.hook.name()),
        handshake: format!("connects in {handshake}"),
        data,
        seen,
    })
}

fn first_life(stage: &Stage, lab: &Lab, server: &Server, port: u16) -> Result<()> {
    one_life(lab, server, port, FIRST_ISN)?;
    let from = host_end(server, port);
    stage.narrator.detail(&format!(
        "first connection from {from}, starting at {}: done; the peer closed it and is in TIME-WAIT",
        grouped(FIRST_ISN)
    ));
    Ok(())
}

/// Moves bytes each way; a Ctrl-C breaks the connection, and so the transfer.
fn watched_exchange(
    stage: &Stage,
    connection: &Connection,
    bytes: u64,
    seed: u64,
) -> Result<Outcome> {
    let (client, server) = (&connection.client, &connection.server);
    let received = AtomicU64::new(0);
    thread::scope(|scope| {
        let (sender, done) = mpsc::channel();
        scope.spawn(|| {
            let sender = sender;
            // Nobody listens any more only after an interrupt.
            let _ = sender.send(exchange(
                client,
                server,
                bytes,
                seed,
                &received,
                &Gate::open(),
            ));
        });
        loop {
            match done.recv_timeout(LOOK) {
                Ok(outcome) => return outcome,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    bail!("the transfer ended without a result")
                }
            }
            if let Err(interrupted) = stage.interrupt.check() {
                client.shutdown(Shutdown::Both)?;
                server.shutdown(Shutdown::Both)?;
                return Err(interrupted);
            }
        }
    })
}

fn told(outcome: &Outcome) -> Result<String> {
    outcome.ensure_intact()?;
    let (up, down) = (
        outcome.upward.received.short(),
        outcome.downward.received.short(),
    );
    let mib = outcome.bytes / MIB;
    Ok(format!(
        "{mib} MiB each way intact in {} (SHA-256 {up}… and {down}…)",
        readable(outcome.took)
    ))
}

fn opening_number(recording: &Recording) -> Result<u32> {
    let mut number = None;
    recording.for_each_segment(|segment| {
        if segment.is_opening() {
            number.get_or_insert(segment.seq);
        }
        Ok(())
    })?;
    number.with_context(|| format!("no SYN in {}", recording.file().display()))
}

/// How many segments have a right checksum; fails if one has not. Where the end hosts leave checksums to a device, those of the
/// segments that arrive count.
fn right_checksums(hook: Hook, lab: &Lab, server: &Server, seen: &Seen) -> Result<u64> {
    let host = host_end(server, 0).ip();
    let finished_by_sender = hook != Hook::Tc;
    let mut right = 0;
    for (recording, end, namespace) in [
        (&seen.near, host, &lab.host),
        (&seen.far, server.address().ip(), &lab.peer),
    ] {
        recording.for_each_segment(|segment| {
            if finished_by_sender || segment.destination.ip() == end {
                ensure!(
                    segment.checksum_right,
                    "wrong checksum at {}: {segment:?}",
                    namespace.name()
                );
                right += 1;
            }
            Ok(())
        })?;
    }
    Ok(right)
}
