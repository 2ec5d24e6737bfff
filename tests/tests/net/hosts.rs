//! `isnguard hosts`: devices with the generators of the wild behind the gateway, graded by what passes.

mod crowd;
mod ends;
mod keeping;

use std::{
    net::{IpAddr, Ipv4Addr},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use isn_generators::Kind;
use isn_tests::{
    device::Device,
    gateway::Isnguard,
    keys::KeyFile,
    process,
    resident::Resident,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};
use serde_json::Value;

/// nmap's distance between its probes.
const BETWEEN: Duration = Duration::from_millis(100);

/// The device of a number, beside the laboratory's own host.
fn device(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, 10 + u8::try_from(number).expect("few"))
}

/// Probes each device once in each round, from a port of its own.
fn probe_all(lab: &Lab, devices: &[Ipv4Addr], rounds: u16, first_port: u16) -> Result<()> {
    for round in 0..rounds {
        for device in devices {
            Device::probe(lab, *device, first_port + round)?;
        }
        // The generators that follow the time need some.
        thread::sleep(BETWEEN);
    }
    Ok(())
}

/// `hosts --json`.
fn report(isnguard: &Isnguard, arguments: &[&str]) -> Result<Value> {
    let arguments = [&["--json"], arguments].concat();
    let told = process::run(isnguard.command("hosts", &arguments)?)?;
    ensure!(told.ends_with("}\n") && told.lines().count() == 1, "{told}");
    Ok(serde_json::from_str(&told)?)
}

/// A host's line.
fn line(report: &Value, host: impl Into<IpAddr>) -> Result<&Value> {
    let host = host.into().to_string();
    let hosts = report["hosts"].as_array().context("no hosts")?;
    let mut found = hosts.iter().filter(|line| line["host"] == host);
    let line = found
        .next()
        .with_context(|| format!("no {host} in {report}"))?;
    ensure!(
        found.next().is_none(),
        "{host} stands there twice: {report}"
    );
    Ok(line)
}

fn number(line: &Value, key: &str) -> Result<u64> {
    line[key]
        .as_u64()
        .with_context(|| format!("no number {key} in {line}"))
}

/// Rounds of probes: more than twenty numbers of each device.
const ROUNDS: u16 = 30;
const FIRST_PORT: u16 = 20_000;
/// The devices' own numbers, the same in every run: how often grading errs over many is its own test.
const SEED: u64 = 1;
/// The least that is strong.
const STRONG: u64 = 250;

/// A device of each kind.
fn one_of_each(lab: &Lab) -> Result<(Vec<Device>, Vec<Ipv4Addr>)> {
    let addresses: Vec<Ipv4Addr> = (0..Kind::ALL.len()).map(device).collect();
    let kinds = Kind::ALL.into_iter().zip(&addresses);
    let started = kinds.map(|(kind, at)| Device::start_at(lab, *at, kind.make(SEED)));
    Ok((started.collect::<Result<_>>()?, addresses))
}

/// The class that must be named.
const fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Constant => "constant",
        Kind::Rule64K | Kind::I800 | Kind::OtherStep => "fixed-step",
        Kind::SlowClock | Kind::Clock250K | Kind::Clock64Ns => "clock",
        Kind::RandomIncrement => "random-increment",
        Kind::Regressing | Kind::Congruential => "regressing",
        Kind::PureRandom | Kind::Rfc6528 => "strong",
    }
}

#[test]
fn every_generator_is_named_and_what_leaves_in_keyed_mode_is_strong() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let (_devices, addresses) = one_of_each(&lab)?;
    let key = KeyFile::random()?;
    let setup = Setup::new(Placement::Inside, Hook::Xdp);
    let setups = [
        ("observe", "predicted", setup.clone().in_mode("observe")),
        ("keyed", "measured", key.keyed(setup, 0)?),
    ];
    for (mode, after, setup) in setups {
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        let (_run, _) = Resident::start(&mut isnguard, &setup)?;
        probe_all(&lab, &addresses, ROUNDS, FIRST_PORT)?;
        let report = report(&isnguard, &[])?;
        ensure!(report["source"] == "run", "{report}");
        for (kind, address) in Kind::ALL.into_iter().zip(&addresses) {
            let line = line(&report, *address)?;
            println!(
                "{mode:8} {:18} {:3} before, {:3} after; {}",
                kind.name(),
                line["difficulty_before"],
                line["difficulty_after"],
                line["detail"]
            );
            ensure!(number(line, "samples")? >= 20, "{kind:?}: {line}");
            ensure!(line["class"] == class(kind), "{kind:?}: {line}");
            ensure!(line["mode"] == mode && line["after"] == after, "{line}");
            ensure!(
                number(line, "difficulty_after")? >= STRONG,
                "{kind:?}: {line}"
            );
            let rewritten = number(line, "rewritten")?;
            ensure!((rewritten > 0) == (mode == "keyed"), "{line}");
        }
    }
    Ok(())
}
