//! An instance that forwards, over its life: killed, adopted, healed, detached; connections go on, by the one way or the other.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    pass::Passing,
    process,
    resident::Resident,
    scenario::{Connection, host_end, one_life},
    server::Server,
    topology::{HOST_IF, INSIDE_IF, OUTSIDE_IF},
    wait,
};

use super::{Bench, FIRST_ISN, KIB, LOWER_ISN, PEER_PORT, PORT, ensure_counts, forwarding};

const PATIENCE: Duration = Duration::from_mins(1);

fn whole(isnguard: &Isnguard) -> Result<()> {
    let is_whole = || Ok((isnguard.status()?["healthy"] == true).then_some(()));
    wait::until(PATIENCE, "the instance to be whole", is_whole)
        .with_context(|| isnguard.status().unwrap_or_default().to_string())
}

#[test]
fn killed_and_adopted_it_goes_on_forwarding() -> Result<()> {
    let bench = Bench::new()?;
    let lab = &bench.lab;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (run, _) = Resident::start(&mut isnguard, &forwarding())?;
    one_life(lab, &server, PORT, FIRST_ISN)?;
    let connection = Connection::open(lab, &server, PORT, LOWER_ISN)?;
    let before = isnguard.flow(host_end(&server, PORT))?;
    ensure!(before.offset != 0, "{before:?}");
    run.kill()?;
    let goes_on = |seed| {
        ensure_counts(&isnguard, "forwarded_in", || {
            connection.exchange(256 * KIB, seed).map(drop)
        })
    };
    goes_on(1)?;
    // By the same options, and by none.
    isnguard.verb("attach", &forwarding().arguments())?;
    goes_on(2)?;
    isnguard.verb("attach", &[])?;
    goes_on(3)?;
    ensure!(isnguard.flow(host_end(&server, PORT))? == before);
    whole(&isnguard)?;
    let attached = isnguard.status()?["attached"].clone();
    let forwards = attached.as_array().into_iter().flatten();
    ensure!(
        forwards.filter(|it| it["forwards"] == true).count() == 2,
        "{attached}"
    );
    connection.close()
}

/// Left to the kernel, a connection that has no offset goes on.
#[test]
fn detached_it_leaves_everything_to_the_kernel() -> Result<()> {
    let bench = Bench::new()?;
    let lab = &bench.lab;
    let server = Server::listen(&lab.peer, Family::V6.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&forwarding())?;
    let connection = Connection::open(lab, &server, PORT, FIRST_ISN)?;
    ensure_counts(&isnguard, "forwarded_out", || {
        connection.exchange(256 * KIB, 1).map(drop)
    })?;
    connection.exchange_while(4096 * KIB, || isnguard.detach().map(drop))?;
    ensure!(
        !isnguard.pins().exists(),
        "something is left in {}",
        isnguard.pins().display()
    );
    for interface in [INSIDE_IF, OUTSIDE_IF] {
        let shown = lab
            .gateway
            .run("ip", &["-d", "link", "show", "dev", interface])?;
        ensure!(!shown.contains("prog/xdp"), "{shown}");
    }
    connection.exchange(256 * KIB, 2)?;
    connection.close()
}

fn detach_link(isnguard: &Isnguard, beginning: &str, end: &str) -> Result<()> {
    let mut pins =
        fs::read_dir(isnguard.pins().join("links"))?.filter_map(|pin| Some(pin.ok()?.path()));
    let is_it = |pin: &std::path::PathBuf| {
        let name = pin.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(beginning) && name.ends_with(end)
    };
    let pin = pins
        .find(is_it)
        .with_context(|| format!("no pin {beginning}…{end}"))?;
    let mut detach = Command::new("bpftool");
    detach.args(["link", "detach", "pinned"]).arg(pin);
    process::run(detach).map(drop)
}

/// While a program is missing, packets go by the kernel or by the other program, and none twice.
#[test]
fn what_is_lost_is_put_back() -> Result<()> {
    let bench = Bench::new()?;
    let lab = &bench.lab;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (_run, _) = Resident::start(&mut isnguard, &forwarding())?;
    one_life(lab, &server, PORT, FIRST_ISN)?;
    let connection = Connection::open(lab, &server, PORT, LOWER_ISN)?;
    for (seed, (beginning, end)) in (1..).zip([
        ("outside", "forward"),
        ("inside", "forward"),
        ("inside", "tcx_egress"),
    ]) {
        detach_link(&isnguard, beginning, end)?;
        connection
            .exchange(64 * KIB, seed)
            .with_context(|| format!("without {beginning} {end}"))?;
        whole(&isnguard)?;
        ensure_counts(&isnguard, "forwarded_in", || {
            connection.exchange(64 * KIB, seed + 10).map(drop)
        })?;
    }
    connection.close()
}

/// Frames for an address that the interface had no longer are for it, and those for the one that it has are.
#[test]
fn another_hardware_address_and_another_interface_are_followed() -> Result<()> {
    let mut bench = Bench::new()?;
    let server = Server::listen(&bench.lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&bench.lab.gateway)?;
    isnguard.attach(&forwarding())?;
    let change = [
        "link",
        "set",
        "dev",
        INSIDE_IF,
        "address",
        "02:00:00:00:00:77",
    ];
    bench.lab.gateway.run("ip", &change)?;
    let status = isnguard.status()?;
    ensure!(status["healthy"] == false, "{status}");
    ensure!(
        status["problems"][0]
            .as_str()
            .is_some_and(|it| it.contains("forwarded by the kernel")),
        "{status}"
    );
    let connection = Connection::open(&bench.lab, &server, PORT, FIRST_ISN)?;
    ensure_counts(&isnguard, "left_other_address", || {
        connection.exchange(64 * KIB, 1).map(drop)
    })?;
    let (_run, _) = Resident::start(&mut isnguard, &forwarding())?;
    whole(&isnguard)?;
    ensure_counts(&isnguard, "forwarded_out", || {
        connection.exchange(64 * KIB, 2).map(drop)
    })?;

    bench.lab.unplug()?;
    bench.lab.plug()?;
    bench.ends.push(Passing::attach(&bench.lab.host, HOST_IF)?);
    whole(&isnguard)?;
    connection.exchange(64 * KIB, 3)?;
    for counter in ["forwarded_out", "forwarded_in"] {
        ensure_counts(&isnguard, counter, || {
            connection.exchange(64 * KIB, 4).map(drop)
        })?;
    }
    connection.close()
}
