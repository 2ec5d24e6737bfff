//! What it costs to move much over one connection through a gateway: both ends and all that lies between, on one CPU.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use isn_common::counter::Counter;
use isn_tests::{
    family::Family,
    scenario::{Connection, one_life},
    server::Server,
};
use nix::sys::socket::{setsockopt, sockopt};

use super::{
    Effort, figures,
    rounds::Rounds,
    stacks::Stacks,
    traffic::SERVICE,
    variant::{TC, Variant},
};
use crate::{cpu::Softirqs, figure::Unit, report::Report, stopwatch};

const PORT: u16 = 40_000;
/// Initial sequence numbers of two connections from one port: the second one needs an offset.
const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets that are written and read at a time.
const BLOCK: usize = 64 << 10;
/// Of either end, for what is under way: as much as stays in the cache of a CPU, always.
const BUFFER: usize = 256 << 10;
const GIGABYTE: f64 = 1e9;
/// Octets of an IPv4 packet, however many segments have been joined to it.
const LARGEST_SEGMENT: u64 = 65_536;
/// What isnguard does with each of them.
const TRANSLATED: [Counter; 2] = [Counter::PacketsTranslatedOut, Counter::PacketsTranslatedIn];

/// Measures all of them.
pub fn measure(
    effort: Effort,
    stacks: &[Stacks],
    softirqs: &Softirqs,
    report: &mut Report,
) -> Result<()> {
    report.doing("bulk TCP through gateways");
    let mut connections = Vec::new();
    for it in stacks {
        let what = || format!("a connection through {}", it.variant.what);
        connections.push(connection(it).with_context(what)?);
    }
    let mut rounds = Rounds::default();
    for (it, connection) in stacks.iter().zip(&connections) {
        there_and_back(it.variant, connection, effort.octets, softirqs)?;
    }
    let mut before = Vec::new();
    for it in stacks {
        before.push(it.counted(&TRANSLATED)?);
    }
    for _ in 0..effort.rounds {
        for (it, connection) in stacks.iter().zip(&connections) {
            let cost = there_and_back(it.variant, connection, effort.octets, softirqs)?;
            rounds.note(it.variant, cost);
        }
    }
    let all = 2 * effort.octets * effort.rounds as u64;
    for (it, before) in stacks.iter().zip(before) {
        has_translated(it, &before, all)?;
    }
    let name = |it: Variant| (format!("bulk-{}", it.id), format!("bulk TCP, {}", it.what));
    figures(&rounds, Unit::CpuSecondsAGigabyte, name, against, report)
}

/// Fails unless isnguard, if it is there, has since then translated as many packets each way as so many octets need.
fn has_translated(stacks: &Stacks, before: &[u64], octets: u64) -> Result<()> {
    let least = octets / 2 / LARGEST_SEGMENT;
    for (now, before) in stacks.counted(&TRANSLATED)?.iter().zip(before) {
        let (what, packets) = (stacks.variant.what, now - before);
        ensure!(
            packets >= least,
            "{what}: {packets} packets were translated"
        );
    }
    Ok(())
}

fn against(variant: Variant) -> (Variant, Option<&'static str>) {
    let target = (variant.id == TC.id).then_some("P12");
    (variant.against(), target)
}

/// An open connection, with an offset where isnguard is.
fn connection(stacks: &Stacks) -> Result<Connection> {
    let server = Server::listen(&stacks.lab.peer, Family::V4.peer(SERVICE))?;
    if stacks.is_guarded() {
        one_life(stacks.lab, &server, PORT, FIRST_ISN)?;
    }
    let connection = Connection::open_within(PATIENCE, stacks.lab, &server, PORT, LOWER_ISN)?;
    for end in [&connection.client, &connection.server] {
        setsockopt(end, sockopt::SndBuf, &BUFFER)?;
        setsockopt(end, sockopt::RcvBuf, &BUFFER)?;
        end.set_read_timeout(Some(PATIENCE))?;
        end.set_write_timeout(Some(PATIENCE))?;
    }
    Ok(connection)
}

/// CPU seconds for a gigabyte, from the host to the peer and then as much the other way.
fn there_and_back(
    variant: Variant,
    connection: &Connection,
    octets: u64,
    softirqs: &Softirqs,
) -> Result<f64> {
    let Connection { client, server, .. } = connection;
    let mut work = Duration::ZERO;
    for (from, to) in [(client, server), (server, client)] {
        let moved = carry(from, to, octets, softirqs);
        work += moved.with_context(|| format!("bulk TCP, {}", variant.what))?;
    }
    #[allow(clippy::cast_precision_loss, reason = "nobody moves 2^53 octets")]
    let octets = 2.0 * octets as f64;
    Ok(work.as_secs_f64() * GIGABYTE / octets)
}

/// Moves octets; the time at work of both ends, and of the kernel for them.
fn carry(from: &TcpStream, to: &TcpStream, octets: u64, softirqs: &Softirqs) -> Result<Duration> {
    let (sent, received) = softirqs.timed(|| {
        thread::scope(|scope| {
            let sender = scope.spawn(|| stopwatch::timed(|| write(from, octets)));
            read(to, octets)?;
            let sent = sender.join().map_err(|_| anyhow!("the sender panicked"))?;
            Ok(sent?.1)
        })
    })?;
    Ok(sent.work + received.work)
}

fn write(mut to: &TcpStream, octets: u64) -> Result<()> {
    let block = vec![0x5a; BLOCK];
    let mut left = octets;
    while left > 0 {
        let piece = usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK));
        to.write_all(&block[..piece])
            .with_context(|| format!("writing stopped {left} of {octets} octets before the end"))?;
        left -= piece as u64;
    }
    Ok(())
}

fn read(mut from: &TcpStream, octets: u64) -> Result<()> {
    let mut block = vec![0; BLOCK];
    let mut left = octets;
    while left > 0 {
        let length = from
            .read(&mut block)
            .with_context(|| format!("reading stopped {left} of {octets} octets before the end"))?;
        ensure!(length > 0, "the connection ended {left} octets too early");
        left -= length as u64;
    }
    Ok(())
}
