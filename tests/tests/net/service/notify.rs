//! What `run` tells a service manager, and when.

use std::{process::Stdio, time::Duration};

use anyhow::{Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    process::{self, Process},
    service::Manager,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};
use nix::sys::signal::Signal;

use super::PATIENCE;

/// After this the watchdog would bite.
const WATCHDOG: Duration = Duration::from_millis(1500);

fn started(isnguard: &mut Isnguard, manager: &Manager) -> Result<Process> {
    isnguard.touch();
    let setup = Setup::new(Placement::Inside, Hook::Xdp);
    let mut command = isnguard.command("run", &setup.arguments())?;
    command.stdin(Stdio::null()).stdout(Stdio::null());
    manager.supervise(&mut command, Some(WATCHDOG));
    Process::spawn(command)
}

#[test]
fn ready_comes_once_it_is_attached_and_signs_of_life_only_while_it_works() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let manager = Manager::listen()?;
    let mut run = started(&mut isnguard, &manager)?;
    let first = manager.told("READY=1", PATIENCE)?;
    ensure!(
        first.len() == 1 && first[0].contains("STATUS=attached"),
        "{first:?}"
    );
    let status = isnguard.status()?;
    ensure!(
        status["healthy"] == true && status["attached"][0]["placement"] == "inside",
        "{status}"
    );

    manager.told("WATCHDOG=1", PATIENCE)?;
    manager.told("WATCHDOG=1", PATIENCE)?;
    run.signal(Signal::SIGSTOP)?;
    manager.forget()?;
    ensure!(
        manager.next(WATCHDOG * 2)?.is_none(),
        "a process that stands still gave a sign of life"
    );
    run.signal(Signal::SIGCONT)?;
    manager.told("WATCHDOG=1", PATIENCE)?;

    lab.unplug()?;
    manager.told(
        "STATUS=not as it should be: interface `inside0` is gone",
        PATIENCE,
    )?;
    lab.plug()?;
    manager.told("STATUS=attached, and as it should be", PATIENCE)?;

    run.signal(Signal::SIGTERM)?;
    let last = manager.told("STOPPING=1", PATIENCE)?;
    ensure!(
        last.iter()
            .any(|it| it.contains("the data plane stays attached")),
        "{last:?}"
    );
    ensure!(run.wait(PATIENCE)?.success() && isnguard.status()?["healthy"] == true);
    Ok(())
}

#[test]
fn what_cannot_be_attached_is_never_ready() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let manager = Manager::listen()?;
    let mut command = isnguard.command("run", &["--inside", "nowhere0"])?;
    manager.supervise(&mut command, None);
    let ended = process::run_to_end(command)?;
    ensure!(
        ended.status.code() == Some(1) && ended.stderr.contains("nowhere0"),
        "{ended:?}"
    );
    ensure!(manager.next(Duration::from_millis(1))?.is_none());
    Ok(())
}
