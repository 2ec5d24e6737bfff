//! Every system call of `run`, from its start over putting back to its end, is one that its unit allows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    process::{self, Process},
    service::{Manager, Unit},
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use super::PATIENCE;

type Groups = BTreeMap<String, Vec<String>>;

/// systemd's groups of system calls: `@NAME` on a line, what is in it indented below.
fn groups() -> Result<Groups> {
    let mut command = Command::new("systemd-analyze");
    command.arg("syscall-filter");
    let printed = process::run(command)?;
    let mut groups = Groups::new();
    let mut name = String::new();
    for line in printed.lines() {
        let word = line.trim();
        if word.is_empty() || word.starts_with('#') {
            continue;
        }
        if line.starts_with('@') {
            word.clone_into(&mut name);
        } else {
            groups
                .entry(name.clone())
                .or_default()
                .push(word.to_owned());
        }
    }
    Ok(groups)
}

fn members(word: &str, groups: &Groups) -> BTreeSet<String> {
    let Some(group) = groups.get(word) else {
        return [word.to_owned()].into();
    };
    group.iter().flat_map(|it| members(it, groups)).collect()
}

/// What the filters of a unit let through, line by line as systemd does it.
fn allowed(unit: &Unit) -> Result<BTreeSet<String>> {
    let groups = groups()?;
    ensure!(
        groups.contains_key("@system-service"),
        "{:?}",
        groups.keys()
    );
    // Without it no program could even be started.
    let mut allowed = members("@default", &groups);
    for line in unit.all("SystemCallFilter") {
        let (refused, words) = match line.strip_prefix('~') {
            Some(words) => (true, words),
            None => (false, line),
        };
        for word in words.split_whitespace() {
            for call in members(word, &groups) {
                if refused {
                    allowed.remove(&call);
                } else {
                    allowed.insert(call);
                }
            }
        }
    }
    Ok(allowed)
}

/// The calls in what strace wrote: `PID NAME(…`, or `PID <... NAME resumed>`.
fn made(file: &Path) -> Result<BTreeSet<String>> {
    let text = fs::read(file)?;
    let text = String::from_utf8_lossy(&text);
    let calls = text.lines().filter_map(|line| {
        let (_, call) = line.split_once(char::is_whitespace)?;
        let name = call.trim_start().split_once('(')?.0;
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        (!name.is_empty() && name.chars().all(is_name)).then(|| name.to_owned())
    });
    Ok(calls.collect())
}

#[test]
fn the_unit_allows_every_system_call_that_is_made() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let (dir, manager) = (TempDir::new()?, Manager::listen()?);
    let file = dir.path().join("calls");
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.touch();
    let setup = Setup::new(Placement::Inside, Hook::Xdp);
    let run = isnguard.command("run", &setup.arguments())?;
    let mut command = lab.gateway.command("strace")?;
    command.args(["-f", "-qq", "-o"]).arg(&file);
    command.arg(run.get_program()).args(run.get_args());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    manager.supervise(&mut command, None);
    let mut traced = Process::spawn(command)?;
    manager.told("READY=1", PATIENCE)?;
    lab.unplug()?;
    manager.told("is gone", PATIENCE)?;
    lab.plug()?;
    manager.told("as it should be", PATIENCE)?;
    isnguard.verb("hosts", &[])?;
    let pid = isnguard.status()?["running"]
        .as_i64()
        .context("nobody stays")?;
    kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
    ensure!(traced.wait(PATIENCE)?.success());

    let made = made(&file)?;
    ensure!(made.contains("bpf") && made.contains("sendto"), "{made:?}");
    let allowed = allowed(&Unit::read("isnguard.service")?)?;
    let refused: Vec<_> = made.difference(&allowed).collect();
    ensure!(refused.is_empty(), "the unit refuses {refused:?}");
    Ok(())
}
