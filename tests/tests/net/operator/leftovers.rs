//! What the laboratory of a killed process left behind goes with the next one.

use std::process::Command;

use anyhow::{Result, ensure};
use isn_tests::{
    gateway::binary,
    namespace::leftovers,
    process::{self, Process},
    topology::{INSIDE_IF, Lab, LabOptions},
    wait,
};
use nix::sys::signal::Signal;

use super::PATIENCE;

#[test]
fn what_a_killed_process_left_behind_is_removed_once_it_is_dead() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut command = Command::new("sleep");
    command.arg("infinity");
    let mut owner = Process::spawn(command)?;
    let namespace = format!("{}{}-0-host", leftovers::NAMESPACE, owner.id());
    let instance = format!("{}{}-0", leftovers::INSTANCE, owner.id());
    let mut add = Command::new("ip");
    add.args(["netns", "add", &namespace]);
    process::run(add)?;
    let mut attach = lab.gateway.command(binary()?)?;
    attach.args([
        "attach",
        "--inside",
        INSIDE_IF,
        "--hook",
        "xdp",
        "--instance",
        &instance,
    ]);
    process::run(attach)?;
    let pins = leftovers::pins().join(&instance);
    let netns = lab.gateway.path().with_file_name(&namespace);
    leftovers::remove()?;
    ensure!(
        pins.is_dir() && netns.exists(),
        "removed while its process lives"
    );
    owner.signal(Signal::SIGKILL)?;
    owner.wait(PATIENCE)?;
    leftovers::remove()?;
    ensure!(!pins.exists() && !netns.exists(), "left behind for good");
    ensure!(lab.gateway.path().exists(), "the living one's were removed");
    wait::until(PATIENCE, "the program to leave the interface", || {
        let link = lab.gateway.run("ip", &["link", "show", "dev", INSIDE_IF])?;
        Ok((!link.contains("xdp")).then_some(()))
    })
}
