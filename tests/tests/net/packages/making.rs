//! How the package is made: the same twice, and without errors in lintian's eyes.

use std::{fs, process::Command};

use anyhow::{Result, ensure};
use isn_tests::process;
use tempfile::TempDir;

use super::{VERSION, package};

#[test]
fn the_package_is_the_same_twice_and_lintian_finds_no_error() -> Result<()> {
    let (first, second) = (TempDir::new()?, TempDir::new()?);
    let made = package(VERSION, first.path())?;
    let again = package(VERSION, second.path())?;
    ensure!(
        fs::read(&made)? == fs::read(&again)?,
        "{} and {} differ",
        made.display(),
        again.display()
    );
    let mut check = Command::new("sha256sum");
    check
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(first.path());
    process::run(check)?;
    let mut lintian = Command::new("lintian");
    lintian
        .args(["--allow-root", "--fail-on", "error"])
        .arg(&made);
    let ended = process::run_to_end(lintian)?;
    ensure!(
        ended.status.success() && !ended.stdout.contains("E: "),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    Ok(())
}
