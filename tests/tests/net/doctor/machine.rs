//! Directories that are no BPF file system, and a user who is not root.

use std::{fs, process::Command};

use anyhow::{Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    process,
    topology::{Lab, LabOptions},
};
use tempfile::TempDir;

use super::{DEGRADED, INSIDE, examined::Examined};

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
fn a_directory_without_a_bpf_file_system_is_mounted_as_told_or_refused() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let dir = Mountable(TempDir::new()?);
    let path = dir.0.path().to_string_lossy().into_owned();
    let mut arguments = INSIDE.to_vec();
    arguments.extend(["--bpffs", &path]);

    let file = dir.0.path().join("precious");
    fs::write(&file, "data")?;
    let full = Examined::by(&isnguard, &arguments)?;
    full.ensure("bpffs", "fail", &["files of another file system"])?;
    let refused = process::run_to_end(isnguard.command("attach", &arguments)?)?;
    let evidence = full.finding("bpffs")?["evidence"]
        .as_str()
        .unwrap_or_default();
    ensure!(refused.stderr.contains(evidence), "{refused:?}");
    fs::remove_file(&file)?;

    let empty = Examined::by(&isnguard, &arguments)?;
    empty.ensure("bpffs", "warn", &["`attach` would mount one"])?;
    empty.ensure_fine()?;
    ensure!(
        fs::read_dir(dir.0.path())?.next().is_none(),
        "doctor made something"
    );
    empty.do_as_told("bpffs", &lab.gateway, &isnguard)?;
    Examined::by(&isnguard, &arguments)?.ensure("bpffs", "ok", &[&path, "mode=700"])
}

#[test]
fn somebody_who_is_not_root_learns_what_can_be_seen_and_what_cannot() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    // Others may not get at the directory that the program was built in.
    let dir = TempDir::new_in("/run")?;
    let copy = dir.path().join("isnguard");
    fs::copy(isnguard.binary(), &copy)?;
    let all = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(dir.path(), all.clone())?;
    fs::set_permissions(&copy, all)?;

    let mut command = lab.gateway.command("setpriv")?;
    command
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--bounding-set=-all",
        ])
        .arg(&copy)
        .arg("doctor")
        .args(INSIDE)
        .args(["--instance", isnguard.instance(), "--json"]);
    let seen = Examined::read(command)?;
    ensure!(seen.code == Some(DEGRADED));
    seen.ensure(
        "capabilities",
        "fail",
        &["lacks CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON"],
    )?;
    for check in [
        "kernel",
        "interface",
        "driver",
        "lro",
        "forwarding",
        "facing",
    ] {
        seen.ensure(check, "ok", &[])?;
    }
    seen.ensure("nat", "unknown", &["Operation not permitted"])
}

#[test]
fn a_terminal_of_eighty_columns_and_a_pipe_get_what_they_need() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let piped = isnguard.verb("doctor", &INSIDE)?;
    let mut lines = piped.lines();
    ensure!(
        lines.next() == Some("verdict\tcheck\tsubject\tdegrades\tevidence\tfix"),
        "{piped}"
    );
    ensure!(lines.all(|line| line.split('\t').count() == 6), "{piped}");
    ensure!(!piped.contains('\x1b'));

    let mut terminal = lab.gateway.command("script")?;
    let line = format!(
        "stty cols 80 rows 24; exec {} doctor {} --instance {}",
        isnguard.binary().display(),
        INSIDE.join(" "),
        isnguard.instance()
    );
    terminal
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .env("TERM", "xterm")
        .env("NO_COLOR", "1");
    let shown = process::run(terminal)?;
    ensure!(
        shown
            .lines()
            .all(|line| line.trim_end().chars().count() <= 80),
        "{shown}"
    );
    ensure!(
        !shown.contains('\x1b') && shown.contains("nothing that matters is wrong"),
        "{shown}"
    );
    Ok(())
}
