//! What isnguard costs where losses decide: over the same bad wire, at the same time, a translated connection is as fast as one without isnguard.
//!
//! Lost and overtaken segments are repaired by SACK. If its edges came back in foreign numbers, the host would wait for its timer instead, and
//! the translated connection would be several times slower.

use std::{thread, time::Duration};

use anyhow::{Context, Result, anyhow, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    relay::{Impairment, Relay},
    scenario::{Connection, one_life, seed},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions, Wire},
    transfer::carry,
};

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const FIRST_PORT: u16 = 40_001;
const BYTES: u64 = 2 << 20;
/// Single ratios scatter by some hundredths. So few may show enough; where their median falls just short, more must confirm it.
const FEW: usize = 7;
const MANY: usize = 21;
const JUST_SHORT: f64 = 0.85;
/// What a translated connection must reach of the other's throughput.
const SHARE: f64 = 0.95;
/// A round trip of 10 ms and a loss in a hundred allow less than half of the rate: losses decide, not the line, and not the processor.
const BAD: Impairment = Impairment {
    loss: 20,
    reorder: 20,
    even_loss: true,
    delay: Duration::from_millis(10),
    rate: 4_000_000,
    ..Impairment::NONE
};

/// A laboratory with a wire behind its gateway. No end learns from one transfer for the next, and none sends so much at once that queues
/// overflow elsewhere.
fn lab() -> Result<Lab> {
    let lab = Lab::new(LabOptions {
        wire: Some(Wire::Outside),
        ..LabOptions::default()
    })?;
    for namespace in [&lab.host, &lab.peer] {
        namespace.set_sysctl("net/ipv4/tcp_no_metrics_save", "1")?;
        namespace.set_sysctl("net/ipv4/tcp_wmem", "4096 131072 131072")?;
    }
    Ok(lab)
}

/// A connection whose number regresses if there is isnguard to allow for it.
fn open(lab: &Lab, family: Family, port: u16, guarded: bool) -> Result<Connection> {
    let wire = lab.wire.as_ref().context("a laboratory without its wire")?;
    let quiet = Relay::start(wire, Impairment::NONE)?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    one_life(lab, &server, port, FIRST_ISN)?;
    let isn = if guarded {
        LOWER_ISN
    } else {
        FIRST_ISN + LOWER_ISN
    };
    let connection = Connection::open(lab, &server, port, isn)?;
    quiet.stop()?;
    Ok(connection)
}

fn close(lab: &Lab, connection: Connection) -> Result<()> {
    let wire = lab.wire.as_ref().context("a laboratory without its wire")?;
    let quiet = Relay::start(wire, Impairment::NONE)?;
    connection.close()?;
    quiet.stop().map(drop)
}

/// Sends from host to peer over the bad wire.
fn upload(lab: &Lab, connection: &Connection, seed: u64) -> Result<Duration> {
    let wire = lab.wire.as_ref().context("a laboratory without its wire")?;
    let relay = Relay::start(wire, Impairment { seed, ..BAD })?;
    let took = carry(&connection.client, &connection.server, BYTES, seed)?;
    let tallies = relay.stop()?;
    ensure!(
        tallies.outbound.lost > 20 && tallies.outbound.reordered > 10,
        "too little went wrong: {tallies:?}"
    );
    ensure!(tallies.outbound.missed + tallies.inbound.missed == 0);
    Ok(took)
}

/// The throughput of the translated connection in shares of the other's, both at once.
fn ratio(guarded: (&Lab, &Connection), plain: (&Lab, &Connection), seed: u64) -> Result<f64> {
    let (with, without) = thread::scope(|scope| {
        let other = scope.spawn(|| upload(plain.0, plain.1, seed));
        let with = upload(guarded.0, guarded.1, seed)?;
        let without = other.join().map_err(|_| anyhow!("an upload panicked"))??;
        anyhow::Ok((with, without))
    })?;
    println!("with {with:?}, without {without:?}");
    Ok(without.as_secs_f64() / with.as_secs_f64())
}

fn median(ratios: &[f64]) -> f64 {
    let mut sorted = ratios.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn is_undecided(ratios: &[f64]) -> bool {
    ratios.len() < MANY && (JUST_SHORT..SHARE).contains(&median(ratios))
}

fn as_fast(family: Family, placement: Placement, hook: Hook) -> Result<()> {
    let (guarded, plain) = (lab()?, lab()?);
    let mut isnguard = Isnguard::new(&guarded.gateway)?;
    isnguard.attach(&Setup::new(placement, hook))?;
    let seed = seed()?;
    let mut ratios = Vec::new();
    while ratios.len() < FEW || is_undecided(&ratios) {
        let repetition = u16::try_from(ratios.len())?;
        let port = FIRST_PORT + repetition;
        let with = open(&guarded, family, port, true)?;
        let without = open(&plain, family, port, false)?;
        let offset = isnguard.flow(family.host(port))?.offset;
        ensure!(offset != 0, "not translated");
        let seed = seed.wrapping_add(repetition.into());
        ratios.push(ratio((&guarded, &with), (&plain, &without), seed)?);
        close(&guarded, with)?;
        close(&plain, without)?;
    }
    let median = median(&ratios);
    println!("median {median:.3} of {ratios:.3?}");
    let edges = isnguard.counter("sack_edges_translated")?;
    ensure!(edges > 1000, "{edges} SACK edges show nothing");
    ensure!(
        median >= SHARE,
        "a translated connection reaches {median:.3} of the other's throughput: {ratios:.3?}"
    );
    Ok(())
}

#[test]
fn inside_at_xdp() -> Result<()> {
    as_fast(Family::V4, Placement::Inside, Hook::Xdp)
}

#[test]
fn outside_at_tc() -> Result<()> {
    as_fast(Family::V6, Placement::Outside, Hook::Tc)
}
