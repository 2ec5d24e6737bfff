//! What contradicts an instance that is attached: it stays unharmed.

use std::time::Duration;

use anyhow::{Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    setup::{Hook, Placement, Setup},
    topology::{INSIDE_IF, Lab, LabOptions, OUTSIDE_IF},
};
use tempfile::TempDir;

use super::{
    FAILED, ensure_all_refused, ensure_refused,
    footprint::{Footprint, below},
};

const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn what_contradicts_an_attached_instance_is_refused_and_it_is_unharmed() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Xdp).with(&["--max-flows", "1000"]))?;
    ensure_all_refused(
        &lab,
        &isnguard,
        &[
            (
                "attach --inside outside0",
                FAILED,
                &["attached to `inside0`", "--instance"],
            ),
            (
                "attach --outside outside0",
                FAILED,
                &["attached to `inside0`"],
            ),
            (
                "attach --outside inside0",
                FAILED,
                &["it is attached --inside", "isnguard detach"],
            ),
            (
                "attach --hook tc",
                FAILED,
                &["cannot change the hook", "--hook xdp"],
            ),
            (
                "attach --inside inside0 --hook xdp-generic",
                FAILED,
                &["cannot change the hook"],
            ),
            (
                "attach --tc-flavour clsact",
                FAILED,
                &["cannot change the hook", "tcx"],
            ),
            (
                "attach --max-flows 17",
                FAILED,
                &["cannot change --max-flows", "1000"],
            ),
            (
                "attach --max-history 17",
                FAILED,
                &["cannot change --max-history"],
            ),
            (
                "attach --inside nope",
                FAILED,
                &["there is no such interface"],
            ),
        ],
    )?;
    let mut elsewhere = lab.host.command(isnguard.binary())?;
    elsewhere.args(["attach", "--instance", isnguard.instance()]);
    ensure_refused(
        elsewhere,
        FAILED,
        &["belong to network namespace", "nsenter"],
    )?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Xdp))?;
    ensure!(isnguard.status()?["healthy"] == true);
    Ok(())
}

#[test]
fn an_interface_that_another_instance_holds_is_refused_with_its_program_named() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut first = Isnguard::new(&lab.gateway)?;
    first.attach(&Setup::new(Placement::Inside, Hook::Xdp))?;
    let program = first.status()?["attached"][0]["program_id"].clone();
    let before = Footprint::of(&lab.gateway, &first)?;
    let second = Isnguard::new(&lab.gateway)?;
    let taken = format!("taken by XDP program `isn_xdp_out` (id {program})");
    for hook in ["xdp", "xdp-generic"] {
        let arguments = ["--inside", INSIDE_IF, "--hook", hook];
        ensure_refused(second.command("attach", &arguments)?, FAILED, &[&taken])?;
        ensure!(!second.pins().exists(), "{:?}", below(&second.pins())?);
    }
    ensure!(before == Footprint::of(&lab.gateway, &first)?);
    // What was mounted and created on the way is taken back too.
    let dir = TempDir::new()?;
    let new = dir.path().join("new/bpf");
    let name = new.to_string_lossy();
    let arguments = [
        "--inside", OUTSIDE_IF, "--inside", INSIDE_IF, "--hook", "xdp", "--bpffs", &name,
    ];
    ensure_refused(second.command("attach", &arguments)?, FAILED, &[&taken])?;
    ensure!(
        below(dir.path())? == [dir.path()],
        "{:?}",
        below(dir.path())?
    );
    ensure!(before == Footprint::of(&lab.gateway, &first)?);
    Ok(())
}

#[test]
fn a_second_process_that_wants_to_stay_is_refused() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let setup = Setup::new(Placement::Inside, Hook::Tc);
    let mut first = isnguard.run(&setup)?;
    let holder = format!("process {} runs this instance already", first.id());
    let before = Footprint::of(&lab.gateway, &isnguard)?;
    ensure_refused(
        isnguard.command("run", &setup.arguments())?,
        FAILED,
        &[&holder],
    )?;
    ensure_refused(isnguard.command("run", &[])?, FAILED, &[&holder])?;
    ensure!(before == Footprint::of(&lab.gateway, &isnguard)?);
    ensure!(first.ended()?.is_none(), "the first one ended");
    isnguard.detach()?;
    ensure!(
        first.wait(PATIENCE)?.success(),
        "it did not end with its instance"
    );
    Footprint::of(&lab.gateway, &isnguard)?.ensure_empty()
}
