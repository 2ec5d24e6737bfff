//! Killed with SIGKILL before each of the steps that change something, one after the other.

use anyhow::{Context, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    hooks::{ensure_single, programs_at},
    setup::Setup,
    topology::Lab,
    traced::{Call, kill_before},
};

use crate::{Bench, KIB, lab, programs, setups};

#[test]
fn killed_between_the_two_hooks_an_upgrade_is_half_done_and_harmless() -> Result<()> {
    for setup in setups().iter().filter(|setup| setup.more.is_empty()) {
        let lab = lab()?;
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        isnguard.attach(setup)?;
        let bench = Bench::new(&lab, &isnguard)?;
        let before = programs(&isnguard)?;
        bench.connection.exchange_while(512 * KIB, || {
            let upgrade = isnguard.command("attach", &[])?;
            let killed = kill_before(upgrade, 2, Call::replaces_a_program)?;
            ensure!(killed, "it replaced fewer than two programs");
            Ok(())
        })?;
        let half = programs(&isnguard)?;
        ensure!(
            half[0] != before[0] && half[1] == before[1],
            "not half: {before:?} became {half:?}"
        );
        bench.ensure_goes_on(&isnguard, setup, 2)?;
        isnguard.verb("attach", &[])?;
        let after = programs(&isnguard)?;
        ensure!(
            after[0] != half[0] && after[1] != half[1],
            "{half:?} became {after:?}"
        );
        bench.ensure_goes_on(&isnguard, setup, 3)?;
    }
    Ok(())
}

/// Fails where more than one program sits at a hook.
fn ensure_no_second(lab: &Lab, setup: &Setup) -> Result<()> {
    let there = programs_at(lab, &setup.interface)?;
    ensure!(there.iter().all(|number| *number <= 1), "{there:?}");
    Ok(())
}

fn upgrades_killed(setup: &Setup) -> Result<usize> {
    let lab = lab()?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(setup)?;
    let bench = Bench::new(&lab, &isnguard)?;
    for nth in 1.. {
        let upgrade = isnguard.command("attach", &[])?;
        if !kill_before(upgrade, nth, Call::changes_something)? {
            return Ok(nth - 1);
        }
        let killed = || format!("killed before change {nth}");
        ensure_no_second(&lab, setup).with_context(killed)?;
        bench
            .connection
            .exchange(16 * KIB, 1)
            .with_context(killed)?;
        isnguard.verb("attach", &[]).with_context(killed)?;
        bench
            .ensure_goes_on(&isnguard, setup, 2)
            .with_context(killed)?;
    }
    Ok(0)
}

#[test]
fn an_upgrade_that_is_killed_at_any_step_is_finished_by_the_next() -> Result<()> {
    for setup in setups() {
        let steps = upgrades_killed(&setup).with_context(|| format!("{setup:?}"))?;
        println!("{setup:?}: killed at each of {steps} steps");
        ensure!(steps >= 5, "only {steps} steps");
    }
    Ok(())
}

fn first_attachments_killed(setup: &Setup) -> Result<usize> {
    let lab = lab()?;
    for nth in 1.. {
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        let attach = isnguard.command("attach", &setup.arguments())?;
        if !kill_before(attach, nth, Call::changes_something)? {
            isnguard.detach_by_force()?;
            return Ok(nth - 1);
        }
        let killed = || format!("killed before change {nth}");
        ensure_no_second(&lab, setup).with_context(killed)?;
        isnguard.attach(setup).with_context(killed)?;
        ensure_single(&lab, &setup.interface, setup.hook).with_context(killed)?;
        ensure!(
            isnguard.status()?["healthy"] == true,
            "{}",
            isnguard.status()?
        );
        isnguard.detach_by_force()?;
        ensure!(!isnguard.pins().exists() && programs_at(&lab, &setup.interface)? == [0, 0, 0]);
        let qdiscs = lab
            .gateway
            .run("tc", &["qdisc", "show", "dev", &setup.interface])?;
        ensure!(
            !qdiscs.contains("clsact"),
            "killed before change {nth}: {qdiscs}"
        );
    }
    Ok(0)
}

#[test]
fn a_first_attachment_that_is_killed_at_any_step_is_finished_by_the_next() -> Result<()> {
    let [xdp, .., clsact] = setups();
    for setup in [xdp, clsact] {
        let steps = first_attachments_killed(&setup).with_context(|| format!("{setup:?}"))?;
        println!("{setup:?}: killed at each of {steps} steps");
        ensure!(steps >= 20, "only {steps} steps");
    }
    Ok(())
}
