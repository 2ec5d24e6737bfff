//! Programs that somebody takes off, and places that somebody else takes.

use std::fs;

use anyhow::{Context, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    hooks::ensure_single,
    process::run,
    setup::{Hook, Setup},
    topology::{INSIDE_IF, Lab},
};

use super::{Bench, KIB, PORT, Run, exit_code, inside, whole};

/// Detaches the link of a pin, as an operator would with other tools.
fn detach_link(isnguard: &Isnguard, end: &str) -> Result<()> {
    let pin = pin(isnguard, end)?;
    let mut detach = std::process::Command::new("bpftool");
    detach.args(["link", "detach", "pinned"]).arg(pin);
    run(detach).map(drop)
}

fn pin(isnguard: &Isnguard, end: &str) -> Result<std::path::PathBuf> {
    let pins = fs::read_dir(isnguard.pins().join("links"))?;
    let mut pins = pins.filter_map(|pin| Some(pin.ok()?.path()));
    let is_it = |pin: &std::path::PathBuf| pin.to_string_lossy().ends_with(end);
    pins.find(is_it).with_context(|| format!("no link {end}"))
}

type Deed = fn(&Lab, &Isnguard) -> Result<()>;

fn filters_removed(lab: &Lab, way: &str) -> Result<()> {
    let del = ["filter", "del", "dev", INSIDE_IF, way];
    lab.gateway.run("tc", &del).map(drop)
}

fn put_back_after(setup: &Setup, deeds: &[Deed]) -> Result<()> {
    let bench = Bench::new()?;
    let mut isnguard = Isnguard::new(&bench.lab.gateway)?;
    let mut run = Run::start(&mut isnguard, setup)?;
    let connection = bench.translated(PORT)?;
    let offset = bench.offset(&isnguard)?;
    let ifindex = whole(&isnguard)?["ifindex"].clone();
    for (nth, deed) in (0..).zip(deeds) {
        let before = run.times("put back")?;
        deed(&bench.lab, &isnguard)?;
        isn_tests::wait::until(super::PATIENCE, "`run` to put it back", || {
            Ok((run.times("put back")? > before).then_some(()))
        })
        .with_context(|| {
            format!(
                "deed {nth}: {:?}, {}",
                run.log(),
                isnguard.status().unwrap_or_default()
            )
        })?;
        let attached = whole(&isnguard)?;
        ensure!(attached["ifindex"] == ifindex, "{attached}");
        ensure_single(&bench.lab, INSIDE_IF, setup.hook).with_context(|| format!("deed {nth}"))?;
        connection.exchange(64 * KIB, nth)?;
        ensure!(bench.offset(&isnguard)? == offset);
    }
    run.says("put back")?;
    bench.translated(PORT + 1)?.close()?;
    connection.close()
}

#[test]
fn detached_links_and_removed_pins_are_put_back_at_xdp() -> Result<()> {
    put_back_after(
        &inside(Hook::Xdp),
        &[
            |_, isnguard| detach_link(isnguard, "_xdp"),
            |_, isnguard| detach_link(isnguard, "tcx_egress"),
            |_, isnguard| Ok(fs::remove_file(pin(isnguard, "_xdp")?)?),
            |_, isnguard| {
                fs::remove_file(pin(isnguard, "_xdp")?)?;
                Ok(fs::remove_file(pin(isnguard, "tcx_egress")?)?)
            },
        ],
    )
}

#[test]
fn detached_links_and_removed_pins_are_put_back_at_tc() -> Result<()> {
    put_back_after(
        &inside(Hook::Tc),
        &[
            |_, isnguard| detach_link(isnguard, "tcx_ingress"),
            |_, isnguard| {
                detach_link(isnguard, "tcx_ingress")?;
                detach_link(isnguard, "tcx_egress")
            },
            |_, isnguard| Ok(fs::remove_file(pin(isnguard, "tcx_egress")?)?),
        ],
    )
}

#[test]
fn removed_filters_qdiscs_and_pins_are_put_back_at_clsact() -> Result<()> {
    put_back_after(
        &inside(Hook::Tc).with(&["--tc-flavour", "clsact"]),
        &[
            |lab, _| filters_removed(lab, "ingress"),
            |lab, _| filters_removed(lab, "egress"),
            |lab, _| {
                let del = ["qdisc", "del", "dev", INSIDE_IF, "clsact"];
                lab.gateway.run("tc", &del).map(drop)
            },
            // The filter stays without its pin: it is taken over, and no second one is added.
            |_, isnguard| Ok(fs::remove_file(pin(isnguard, "clsact_ingress")?)?),
        ],
    )
}

#[test]
fn a_place_that_somebody_else_has_taken_is_told_once_and_tried_again() -> Result<()> {
    let bench = Bench::new()?;
    let gateway = &bench.lab.gateway;
    let mut isnguard = Isnguard::new(gateway)?;
    let mut run = Run::start(&mut isnguard, &inside(Hook::Xdp))?;
    let connection = bench.translated(PORT)?;
    // Another instance's program, on the interface that comes back before `run` gets there.
    let mut stranger = Isnguard::new(gateway)?;
    bench.lab.unplug()?;
    run.says("interface `inside0` is gone")?;
    run.process.signal(nix::sys::signal::Signal::SIGSTOP)?;
    bench.lab.plug()?;
    stranger.attach(&inside(Hook::Xdp).in_mode("observe"))?;
    run.process.signal(nix::sys::signal::Signal::SIGCONT)?;
    run.says("it is taken by XDP program `isn_xdp_out`")?;
    // More events, and no more words.
    for state in ["down", "up", "down", "up"] {
        gateway.run("ip", &["link", "set", INSIDE_IF, state])?;
    }
    ensure!(exit_code(&isnguard)? == Some(3), "{}", isnguard.status()?);
    let problems = isnguard.status()?["problems"].to_string();
    ensure!(problems.contains("inside0"), "{problems}");
    ensure!(run.times("it is taken by")? == 1, "{}", run.log()?);
    stranger.detach_by_force()?;
    run.says("`inside0` is another interface now")?;
    run.says("is right again")?;
    whole(&isnguard)?;
    ensure_single(&bench.lab, INSIDE_IF, Hook::Xdp)?;
    connection.exchange(64 * KIB, 1)?;
    connection.close()
}
