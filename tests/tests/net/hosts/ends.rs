//! Where the connection before ended: what the data plane remembers of guarded hosts, and what is left to see of others.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use isn_generators::Kind;
use isn_tests::{
    device::Device,
    family::Family,
    gateway::Isnguard,
    resident::Resident,
    scenario::one_life,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};

use super::{FIRST_PORT, SEED, device, line, number, probe_all, report};

/// Each port is used so often.
const TIMES: u16 = 3;
const PORTS: u16 = 10;

/// Probes a device again and again from the same ports.
fn reuse(lab: &Lab, device: Ipv4Addr) -> Result<()> {
    (0..TIMES).try_for_each(|_| probe_all(lab, &[device], PORTS, FIRST_PORT))
}

#[test]
fn regressions_are_counted_as_chosen_and_are_gone_where_the_numbers_left() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _device = Device::start(&lab, Kind::PureRandom.make(SEED))?;
    for hook in [Hook::Xdp, Hook::Tc] {
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        let (_run, _) = Resident::start(&mut isnguard, &Setup::new(Placement::Inside, hook))?;
        reuse(&lab, Device::ADDRESS)?;
        let report = report(&isnguard, &[])?;
        let line = line(&report, Device::ADDRESS)?;
        let again = u64::from(PORTS * (TIMES - 1));
        ensure!(number(line, "same_tuple_samples")? == again, "{line}");
        // Random numbers lie behind in half of all cases: none of twenty would be one chance in a million.
        let regressions = number(line, "regressions")?;
        ensure!((1..again).contains(&regressions), "{line}");
        ensure!(
            line["class"] == "regressing" && line["advice"] == "monotonic",
            "{line}"
        );
        ensure!(
            line["after"] == "measured" && line["regressions_after"] == 0,
            "{line}"
        );
        ensure!(line["grade_after"] == "A", "{line}");
        // Behind one that was moved ahead, a number may regress to the host and lie ahead on the wire.
        ensure!(number(line, "rewritten")? > 0, "{line}");
    }
    Ok(())
}

#[test]
fn hosts_that_are_not_guarded_are_graded_too() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let stranger = device(1);
    let _devices = [
        Device::start(&lab, Kind::Rule64K.make(SEED))?,
        Device::start_at(&lab, stranger, Kind::PureRandom.make(SEED))?,
    ];
    let mut setup = Setup::new(Placement::Inside, Hook::Xdp);
    setup.protect = vec![format!("{}/32", Device::ADDRESS)];
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (_run, _) = Resident::start(&mut isnguard, &setup)?;
    for address in [Device::ADDRESS, stranger] {
        reuse(&lab, address)?;
    }
    let v6 = Server::listen(&lab.peer, Family::V6.peer(7000))?;
    one_life(&lab, &v6, 40_000, 3_000_000_000)?;
    let report = report(&isnguard, &[])?;
    let guarded = line(&report, Device::ADDRESS)?;
    ensure!(
        guarded["mode"] == "monotonic" && guarded["class"] == "fixed-step",
        "{guarded}"
    );
    let other = line(&report, stranger)?;
    ensure!(
        other["mode"].is_null() && other["after"] == "predicted",
        "{other}"
    );
    ensure!(
        other["rewritten"] == 0 && number(other, "syns")? == 30,
        "{other}"
    );
    ensure!(number(other, "same_tuple_samples")? == 20, "{other}");
    ensure!(
        number(other, "regressions")? > 0 && other["regressions_after"] == 0,
        "{other}"
    );
    let host = line(&report, Family::V6.host(0).ip())?;
    ensure!(host["mode"].is_null() && host["samples"] == 1, "{host}");
    ensure!(report["matching"] == 3, "{report}");
    Ok(())
}
