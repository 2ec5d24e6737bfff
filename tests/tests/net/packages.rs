//! The packages as their users get them: made twice with the same octets, judged by Debian's own tools, and installed, used,
//! upgraded and removed in a clean Debian.

mod chroot;
mod life;
mod making;
mod shells;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use isn_tests::{gateway::binary, process};

const VERSION: &str = "0.1.0";
/// Seconds since 1970, as `SOURCE_DATE_EPOCH` says them.
const EPOCH: &str = "1750000000";

/// The Debian package of this build's program, made by `cargo xtask dist`, under the version given.
fn package(version: &str, into: &Path) -> Result<PathBuf> {
    let program = binary()?.canonicalize()?;
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args([
            "run",
            "--quiet",
            "--package",
            "xtask",
            "--",
            "dist",
            "--version",
            version,
        ])
        .arg("--program")
        .arg(program)
        .arg("--out")
        .arg(into)
        .env("SOURCE_DATE_EPOCH", EPOCH);
    let printed = process::run(command)?;
    let made = printed.lines().last().context("no package was made")?;
    Ok(made.into())
}
