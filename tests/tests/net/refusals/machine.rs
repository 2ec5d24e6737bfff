//! Missing capabilities, and directories that are no BPF file system.

use std::{fs, process::Command};

use anyhow::{Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    process,
    topology::{INSIDE_IF, Lab, LabOptions},
};
use tempfile::TempDir;

use super::{FAILED, ensure_refused, footprint::Footprint};

#[test]
fn missing_capabilities_are_named_before_anything_is_tried() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    for (verb, dropped, lacks) in [
        ("attach", "cap_bpf,cap_sys_admin", "lacks CAP_BPF"),
        ("attach", "cap_net_admin", "lacks CAP_NET_ADMIN"),
        ("attach", "cap_perfmon,cap_sys_admin", "lacks CAP_PERFMON"),
        (
            "attach",
            "cap_bpf,cap_perfmon,cap_net_admin,cap_sys_admin",
            "lacks CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON",
        ),
        ("detach", "cap_net_admin", "lacks CAP_NET_ADMIN"),
        ("detach --force", "cap_bpf,cap_sys_admin", "lacks CAP_BPF"),
    ] {
        let placed = if verb == "attach" {
            "--inside inside0"
        } else {
            ""
        };
        let (binary, instance) = (isnguard.binary().display(), isnguard.instance());
        let line = format!("exec {binary} {verb} {placed} --instance {instance}");
        let mut command = lab.gateway.command("capsh")?;
        command.args([&format!("--drop={dropped}"), "--", "-c", &line]);
        ensure_refused(command, FAILED, &[lacks, "what to do:", "CAP_PERFMON"])?;
        Footprint::of(&lab.gateway, &isnguard)?.ensure_empty()?;
    }
    Ok(())
}

/// A directory that is unmounted before it is removed.
struct Mountable(TempDir);

impl Drop for Mountable {
    fn drop(&mut self) {
        let mut umount = Command::new("umount");
        umount.arg("--lazy").arg(self.0.path());
        // Where nothing is mounted, there is nothing to do.
        let _ = process::run(umount);
    }
}

#[test]
fn a_bpf_file_system_is_mounted_where_there_is_none() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let dir = Mountable(TempDir::new()?);
    let path = dir.0.path();
    let there = ["--bpffs", &path.to_string_lossy()];
    let mounted = format!("mounted a BPF file system on {}", path.display());
    let attach: Vec<&str> = ["--inside", INSIDE_IF].into_iter().chain(there).collect();
    let first = process::run_to_end(isnguard.command("attach", &attach)?)?;
    ensure!(
        first.status.success() && first.stderr.contains(&mounted),
        "{first:?}"
    );
    ensure!(
        path.join("isnguard")
            .join(isnguard.instance())
            .join("links")
            .is_dir()
    );
    ensure!(!isnguard.pins().exists(), "pinned in the usual place too");
    let again = process::run_to_end(isnguard.command("attach", &attach)?)?;
    ensure!(
        again.status.success() && !again.stderr.contains("mounted"),
        "{again:?}"
    );
    isnguard.verb("status", &there)?;
    isnguard.verb("detach", &there)?;
    ensure!(fs::read_dir(path)?.all(|entry| entry.is_ok_and(|it| it.file_name() != "isnguard")));
    Footprint::of(&lab.gateway, &isnguard)?.ensure_empty()
}

#[test]
fn no_file_is_hidden_below_a_mount() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let dir = Mountable(TempDir::new()?);
    let file = dir.0.path().join("precious");
    fs::write(&file, "data")?;
    let name = dir.0.path().to_string_lossy();
    let arguments = ["--inside", INSIDE_IF, "--bpffs", &name];
    ensure_refused(
        isnguard.command("attach", &arguments)?,
        FAILED,
        &["files of another file system", "--bpffs"],
    )?;
    ensure!(fs::read_to_string(&file)? == "data");
    Footprint::of(&lab.gateway, &isnguard)?.ensure_empty()
}
