//! `run`: when it is ready, and what stays when it is told to end (S19).

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    process::Process,
    scenario::host_end,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{KIB, PATIENCE, PEER_PORT, PORT, code, translated};

#[test]
fn run_says_when_it_is_ready_and_leaves_the_data_plane_when_told_to_end() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let setup = Setup::new(Placement::Inside, Hook::Xdp);
    isnguard.attach(&setup)?;
    for (port, signal) in [(PORT, Signal::SIGTERM), (PORT + 1, Signal::SIGINT)] {
        let mut command = isnguard.command("run", &["--json"])?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut run = Process::spawn(command)?;
        let mut said = BufReader::new(run.child().stderr.take().context("no pipe")?);
        let mut line = String::new();
        while !line.starts_with("ready:") {
            line.clear();
            ensure!(
                said.read_line(&mut line)? > 0,
                "`run` ended before it was ready"
            );
        }
        ensure!(line.contains(isnguard.instance()), "{line}");
        ensure!(
            isnguard.status()?["running"] == run.id(),
            "{}",
            isnguard.status()?
        );
        let connection = translated(&lab, &server, port)?;
        run.signal(signal)?;
        ensure!(run.wait(PATIENCE)?.code() == Some(0), "{signal}");
        let mut rest = String::new();
        said.read_to_string(&mut rest)?;
        ensure!(rest.contains("stays attached"), "{rest}");
        let mut report = String::new();
        run.child()
            .stdout
            .take()
            .context("no pipe")?
            .read_to_string(&mut report)?;
        ensure!(
            serde_json::from_str::<Value>(&report)?["healthy"] == true,
            "{report}"
        );
        ensure!(
            isnguard.status()?["running"].is_null() && code(&isnguard, "status", &[])? == Some(0)
        );
        connection.exchange(64 * KIB, 1)?;
        ensure!(isnguard.flow(host_end(&server, port))?.offset != 0);
        connection.close()?;
    }
    Ok(())
}
