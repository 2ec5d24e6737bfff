//! The units in systemd's own judgement.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use isn_tests::{gateway::binary, process, service::units};
use tempfile::TempDir;

/// The units' files, and the name that they are looked at by.
const UNITS: [(&str, &str); 4] = [
    ("isnguard.service", "isnguard.service"),
    ("isnguard@.service", "isnguard@eth1.service"),
    ("isnguard-flows.service", "isnguard-flows.service"),
    ("isnguard-flows@.service", "isnguard-flows@eth1.service"),
];
/// An exposure of 3.0, in tenths.
const THRESHOLD: &str = "--threshold=30";

/// The units with this machine's program in place of the installed one, which need not be there.
fn placed() -> Result<TempDir> {
    let program = fs::canonicalize(binary()?)?;
    let dir = TempDir::new()?;
    for (file, _) in UNITS {
        let text = fs::read_to_string(units().join(file))?;
        let program = program.to_str().context("the path is no text")?;
        fs::write(
            dir.path().join(file),
            text.replace("/usr/sbin/isnguard", program),
        )?;
    }
    Ok(dir)
}

fn systemd_analyze(words: &[&str]) -> Result<process::Ended> {
    let mut command = Command::new("systemd-analyze");
    command.args(words);
    process::run_to_end(command).context("install it with `cargo xtask setup`")
}

#[test]
fn systemd_has_nothing_to_say_against_them() -> Result<()> {
    let dir = placed()?;
    for (_, name) in UNITS {
        let unit = dir.path().join(name);
        let ended = systemd_analyze(&["verify", "--man=no", &unit.to_string_lossy()])?;
        ensure!(ended.status.success(), "{name}: {ended:?}");
        ensure!(
            !ended.stderr.contains("isnguard"),
            "{name}: {}",
            ended.stderr
        );
    }
    Ok(())
}

#[test]
fn they_expose_little() -> Result<()> {
    for (file, _) in UNITS {
        let unit = units().join(file);
        let ended = systemd_analyze(&[
            "security",
            "--offline=true",
            THRESHOLD,
            &unit.to_string_lossy(),
        ])?;
        ensure!(ended.status.success(), "{file}: {}", ended.stdout);
        let overall = ended
            .stdout
            .lines()
            .find(|line| line.contains("Overall exposure level"));
        eprintln!(
            "{}",
            overall.with_context(|| format!("no level for {file}: {ended:?}"))?
        );
    }
    Ok(())
}
