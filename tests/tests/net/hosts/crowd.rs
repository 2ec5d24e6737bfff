//! Floods: one host that scans and many that nobody is, beside a device that opens a connection now and then.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use etherparse::PacketBuilder;
use isn_generators::Kind;
use isn_tests::{
    device::Device,
    family::Family,
    flood::{Flood, Scan, ground, ground::link_address},
    gateway::Isnguard,
    holdings::ProcessHoldings,
    packet_socket::PacketSocket,
    resident::Resident,
    setup::{Hook, Placement, Setup},
    topology::{HOST_IF, INSIDE_IF, Lab, LabOptions},
    wait,
};

use super::{FIRST_PORT, SEED, line, number, probe_all, report};

const FAMILY: Family = Family::V4;
/// SYNs of the host that scans.
const SCANNED: u64 = 200_000;
/// Senders that nobody is, outside the guarded prefixes.
const INVENTED: u32 = 200_000;
const LASTS: Duration = Duration::from_secs(4);
const ROUNDS: u16 = 30;
/// What `run` may take more than before, in KiB: what its collector is said to, and what answering takes.
const MORE_MEMORY: u64 = 40 * 1024;
const PATIENCE: Duration = Duration::from_secs(20);

/// Processor time that a process has used.
fn processor_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("no name")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<u64>)
        .sum::<Result<_, _>>()?;
    // USER_HZ, which is 100 on every machine of today.
    Ok(Duration::from_millis(10 * ticks))
}

/// SYNs from ever new senders, as fast as they go.
fn invent(lab: &Lab) -> Result<()> {
    let socket = PacketSocket::open(&lab.host, HOST_IF)?;
    let links = (
        link_address(&lab.host, HOST_IF)?,
        link_address(&lab.gateway, INSIDE_IF)?,
    );
    for number in 0..INVENTED {
        let [_, a, b, c] = number.to_be_bytes();
        let segment = PacketBuilder::ethernet2(links.0, links.1)
            .ipv4([10, a, b, c], [203, 0, 113, 9], 64)
            .tcp(1024, 80, number, 1024)
            .syn();
        let mut frame = Vec::with_capacity(segment.size(0));
        segment.write(&mut frame, &[])?;
        // A full queue takes no more: what is lost there is no matter.
        let _ = socket.send(&frame);
    }
    Ok(())
}

#[test]
fn floods_drown_no_other_host_s_samples() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _listeners = ground::prepare(&lab, FAMILY)?;
    let _device = Device::start(&lab, Kind::Rule64K.make(SEED))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (run, _) = Resident::start(&mut isnguard, &Setup::new(Placement::Inside, Hook::Xdp))?;
    let before = ProcessHoldings::of(run.id())?.own_kib;
    let scan = Flood::scan(&lab, FAMILY, Scan::Silence)?;
    let began = Instant::now();
    thread::scope(|scope| -> Result<()> {
        let scan = scope.spawn(|| scan.send(SCANNED, LASTS));
        let invented = scope.spawn(|| invent(&lab));
        probe_all(&lab, &[Device::ADDRESS], ROUNDS, FIRST_PORT)?;
        scan.join().ok().context("the scan panicked")??;
        invented.join().ok().context("the flood panicked")?
    })?;
    let flooded = began.elapsed();
    let report = wait::until(PATIENCE, "all samples to be taken out", || {
        let report = report(&isnguard, &[])?;
        Ok((report["matching"].as_u64() > Some(2)).then_some(report))
    })?;
    let after = ProcessHoldings::of(run.id())?.own_kib;
    let spent = processor_time(run.id())?;
    println!(
        "{flooded:?}: {} sampled, {} beyond a share, {} lost; {} hosts kept, {} forgotten; {before} KiB before, {after} KiB \
         after, {spent:?} of processor time",
        report["samples_taken"],
        report["samples_limited"],
        report["samples_lost"],
        report["matching"],
        report["hosts_forgotten"]
    );
    let device = line(&report, Device::ADDRESS)?;
    ensure!(
        number(device, "samples")? >= 20 && device["class"] == "fixed-step",
        "{device}"
    );
    ensure!(
        number(&report, "samples_limited")? > SCANNED / 2,
        "{}",
        report["samples_limited"]
    );
    ensure!(
        number(&report, "hosts_forgotten")? > 0,
        "the invented ones are too many"
    );
    ensure!(number(&report, "matching")? <= 4096);
    ensure!(
        after <= before + MORE_MEMORY,
        "{before} KiB before, {after} KiB after"
    );
    // What a flood costs beside the programs in the kernel: far less than one processor.
    ensure!(spent < flooded, "{spent:?} in {flooded:?}");
    ensure!(
        isnguard.counter("samples_lost")? < SCANNED / 100,
        "the ring was read too late"
    );
    Ok(())
}
