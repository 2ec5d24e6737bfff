//! nmap looks at devices with the generators of the wild through the gateway: what it says of them, and what grading says of
//! the same packets.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use isn_generators::Kind;
use isn_tests::{
    capture::Capture,
    device::Device,
    gateway::{self, Isnguard},
    keys::KeyFile,
    process,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions, PEER_IF},
};
use serde_json::Value;
use tempfile::TempDir;

/// One scan makes nine connections: too few to be sure that a host of random numbers is not told apart by chance.
const SCANS: usize = 3;
/// nmap compares at least four of its six probes; on a busy machine some come too late.
const MOST_SCANS: usize = 2 * SCANS;
/// The devices' own numbers, the same in every run: how often grading errs over many is its own test.
const SEED: u64 = 1;
/// How far apart two judgements of the same numbers may be: eight is a factor of two in the error of a prediction, and in each
/// scan nmap sees six of the nine numbers that the audit sees.
const APART: u32 = 24;
/// nmap's mark of what cannot be guessed.
const STRONG: u32 = 230;
/// What must be reached behind the gateway.
const AFTER: u32 = 250;

/// nmap's sequence predictability index, a factor of two for each 8: printed in its XML.
type Index = u32;

/// `None` if too few probes were answered in time.
fn scan(lab: &Lab) -> Result<Option<Index>> {
    let ports = format!("{},{}", Device::OPEN_PORT, Device::CLOSED_PORT);
    let target = Device::ADDRESS.to_string();
    let mut nmap = lab.peer.command("nmap")?;
    nmap.args(["-n", "-v", "-Pn", "-O", "--max-os-tries", "1", "-p"]);
    nmap.args([&ports, "-oX", "-", &target]);
    let told = process::run_to_end(nmap)?.stdout;
    ensure!(
        told.contains("state=\"open\""),
        "the device is not there: {told}"
    );
    let Some((_, sequence)) = told.split_once("<tcpsequence index=\"") else {
        return Ok(None);
    };
    let index = sequence.split('"').next().context("half an attribute")?;
    Ok(Some(index.parse()?))
}

/// What `isnguard audit` says of the device in a capture of the same scan.
fn audit(file: &Path) -> Result<Value> {
    let mut audit = Command::new(gateway::binary()?);
    audit.arg("audit").arg(file).arg("--json");
    audit.args(["--host", &Device::ADDRESS.to_string()]);
    let told: Value = serde_json::from_str(&process::run_to_end(audit)?.stdout)?;
    let hosts = told["hosts"].as_array().context("no hosts")?;
    ensure!(hosts.len() == 1, "one host was asked for: {told}");
    Ok(hosts[0].clone())
}

/// Scans of a device with numbers of this kind, by nmap, whose middle index counts, and by the audit of a capture at the scanner.
fn judged(lab: &Lab, kind: Kind) -> Result<(Index, Value)> {
    let dir = TempDir::new()?;
    let file = dir.path().join("scans.pcap");
    let device = Device::start(lab, kind.make(SEED))?;
    let capture = Capture::start(&lab.peer, PEER_IF, &file)?;
    let mut indices = Vec::new();
    for _ in 0..MOST_SCANS {
        indices.extend(scan(lab)?);
        if indices.len() == SCANS {
            break;
        }
    }
    capture.stop()?;
    device.stop()?;
    ensure!(
        indices.len() == SCANS,
        "nmap was answered in time in {} of {MOST_SCANS} scans",
        indices.len()
    );
    indices.sort_unstable();
    Ok((indices[SCANS / 2], audit(&file)?))
}

/// The class that the audit must find, and whether nmap is fooled: it looks at differences, and a linear congruential generator
/// has those of a good one.
const fn expected(kind: Kind) -> (&'static str, bool) {
    match kind {
        Kind::Constant => ("constant", false),
        Kind::Rule64K | Kind::I800 | Kind::OtherStep => ("fixed-step", false),
        Kind::SlowClock | Kind::Clock250K | Kind::Clock64Ns => ("clock", false),
        Kind::RandomIncrement => ("random-increment", false),
        Kind::Regressing => ("regressing", false),
        Kind::Congruential => ("regressing", true),
        Kind::PureRandom | Kind::Rfc6528 => ("strong", false),
    }
}

#[test]
fn nmap_and_the_audit_of_the_same_packets_agree_on_every_generator() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Xdp).in_mode("observe"))?;
    for kind in Kind::ALL {
        let (index, host) = judged(&lab, kind)?;
        let (class, is_fooled) = expected(kind);
        let difficulty = |key: &str| -> Result<u32> {
            let number = host[key].as_u64();
            Ok(u32::try_from(
                number.with_context(|| format!("no {key} in {host}"))?,
            )?)
        };
        let (before, after) = (
            difficulty("difficulty_before")?,
            difficulty("difficulty_after")?,
        );
        println!(
            "{:18} nmap: {index:3}, audit: {before:3}, {after} after; {}",
            kind.name(),
            host["detail"]
        );
        ensure!(host["class"] == class, "{kind:?}: {host}");
        ensure!(after >= AFTER, "{kind:?}: {host}");
        // Both are far below the mark, and what is left of a clock or a step is the jitter of the probes.
        let is_regular = matches!(class, "constant" | "fixed-step" | "clock");
        let agree = match (is_fooled, is_regular) {
            (true, _) => index >= STRONG && before == 0,
            (false, true) => index.max(before) < STRONG,
            (false, false) => index.abs_diff(before) <= APART,
        };
        ensure!(agree, "{kind:?}: nmap says {index}, the audit {host}");
    }
    Ok(())
}

#[test]
fn in_keyed_mode_no_generator_can_be_told_from_the_best() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&key.keyed(Setup::new(Placement::Inside, Hook::Xdp), 0)?)?;
    for kind in Kind::ALL {
        let (index, host) = judged(&lab, kind)?;
        println!("{:18} nmap: {index:3}; {}", kind.name(), host["detail"]);
        ensure!(index >= AFTER, "{kind:?}: nmap says {index}");
        ensure!(
            host["difficulty_before"].as_u64() >= Some(AFTER.into()),
            "{kind:?}: {host}"
        );
    }
    Ok(())
}
