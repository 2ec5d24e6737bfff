//! The exit code of `status`, and what heals an instance.

use std::fs;

use anyhow::{Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    process,
    scenario::host_end,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{HOST_IF, INSIDE_IF, Lab, LabOptions},
    wait,
};

use super::{KIB, NOT_RUNNING, PATIENCE, PEER_PORT, PORT, code, list, translated};

const FAILED: i32 = 1;
const DEGRADED: i32 = 3;

fn broken_and_healed(hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let setup = Setup::new(Placement::Inside, hook);
    ensure!(code(&isnguard, "status", &[])? == Some(NOT_RUNNING));
    isnguard.attach(&setup)?;
    ensure!(code(&isnguard, "status", &[])? == Some(0));
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let connection = translated(&lab, &server, PORT)?;
    let flow = isnguard.flow(host_end(&server, PORT))?;
    let mut pins = 0;
    for pin in fs::read_dir(isnguard.pins().join("links"))? {
        fs::remove_file(pin?.path())?;
        pins += 1;
        wait::until(PATIENCE, "the missing program to be noticed", || {
            Ok((code(&isnguard, "status", &[])? == Some(DEGRADED)).then_some(()))
        })?;
        let status = isnguard.status()?;
        ensure!(
            status["healthy"] == false && !list(&status, "problems")?.is_empty(),
            "{status}"
        );
        isnguard.attach(&setup)?;
        ensure!(
            code(&isnguard, "status", &[])? == Some(0),
            "{}",
            isnguard.status()?
        );
        connection.exchange(64 * KIB, pins)?;
    }
    ensure!(pins == 2 && isnguard.flow(host_end(&server, PORT))? == flow);

    lab.gateway.run("ip", &["link", "del", INSIDE_IF])?;
    ensure!(code(&isnguard, "status", &[])? == Some(DEGRADED));
    let problems = isnguard.status()?["problems"].to_string();
    ensure!(
        problems.contains(INSIDE_IF) && problems.contains("is gone"),
        "{problems}"
    );
    let refused = process::run_to_end(isnguard.command("attach", &[])?)?;
    ensure!(
        refused.status.code() == Some(FAILED) && refused.stderr.contains("are gone"),
        "{refused:?}"
    );
    let host = lab.host.name();
    lab.gateway.run(
        "ip",
        &[
            "link", "add", INSIDE_IF, "type", "veth", "peer", "name", HOST_IF, "netns", host,
        ],
    )?;
    isnguard.attach(&setup)?;
    ensure!(
        code(&isnguard, "status", &[])? == Some(0),
        "{}",
        isnguard.status()?
    );
    ensure!(
        isnguard.flow(host_end(&server, PORT))? == flow,
        "the flow was lost"
    );
    Ok(())
}

#[test]
fn the_exit_code_of_status_tells_health_and_attach_heals() -> Result<()> {
    broken_and_healed(Hook::Tc)?;
    broken_and_healed(Hook::Xdp)
}
