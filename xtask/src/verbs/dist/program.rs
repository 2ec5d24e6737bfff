//! The program that is packed: for Debian linked to its C library, for the tarball to none that must be there.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{command::CommandLine, shell::Shell};

/// A program that was built, and for what.
pub struct Program {
    path: PathBuf,
    architecture: String,
    /// `gnu` or `musl`.
    library: &'static str,
}

impl Program {
    /// One that somebody else built.
    pub fn given(shell: &Shell, path: &Path) -> Result<Self> {
        let path = path.canonicalize();
        Ok(Self {
            path: path.context("cannot find the program that is to be packed")?,
            architecture: architecture(shell)?,
            library: "gnu",
        })
    }

    /// Linked to the C library of the machine.
    pub fn dynamic(shell: &Shell) -> Result<Self> {
        let architecture = architecture(shell)?;
        Self::built(shell, architecture, "gnu", "")
    }

    /// Runs anywhere: by musl where rustup has it, else with glibc inside.
    pub fn portable(shell: &Shell) -> Result<Self> {
        let architecture = architecture(shell)?;
        let target = format!("{architecture}-unknown-linux-musl");
        let add = CommandLine::words("rustup target add").arg(&target);
        if shell.run_quietly(&add).is_ok() {
            return Self::built(shell, architecture, "musl", "");
        }
        eprintln!("rustup has no {target} here: glibc goes into the program instead");
        Self::built(shell, architecture, "gnu", "-C target-feature=+crt-static")
    }

    fn built(
        shell: &Shell,
        architecture: String,
        library: &'static str,
        flags: &str,
    ) -> Result<Self> {
        let target = format!("{architecture}-unknown-linux-{library}");
        shell.run(&build(shell, &target, flags))?;
        let name = if flags.is_empty() { "linked" } else { "static" };
        let built = shell.target().join("dist-build").join(name);
        Ok(Self {
            path: built.join(&target).join("release/isnguard"),
            architecture,
            library,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As in `x86_64-linux-musl`.
    pub fn platform(&self) -> String {
        format!("{}-linux-{}", self.architecture, self.library)
    }

    /// What it prints to standard output.
    pub fn print(&self, shell: &Shell, words: &[&str]) -> Result<Vec<u8>> {
        let line = CommandLine::new(&self.path).args(words);
        let printed = shell.ask_octets(&line);
        printed.with_context(|| format!("`{line}` failed"))
    }

    /// Takes symbols out of a copy.
    pub fn strip(copy: &Path) -> CommandLine {
        CommandLine::words("strip --strip-unneeded --remove-section=.comment").arg(copy)
    }
}

/// Paths of the machine stay out of the program: they would make it another one elsewhere.
fn build(shell: &Shell, target: &str, flags: &str) -> CommandLine {
    let name = if flags.is_empty() { "linked" } else { "static" };
    let mut rustflags = vec![format!(
        "--remap-path-prefix={}=/isnguard",
        shell.workspace().display()
    )];
    let home = shell
        .cargo_home()
        .map(|it| format!("--remap-path-prefix={}=/cargo", it.display()));
    rustflags.extend(home);
    if !flags.is_empty() {
        rustflags.push(flags.to_owned());
    }
    CommandLine::words("cargo build --locked --release -p isnguard --target")
        .arg(target)
        .arg("--target-dir")
        .arg(shell.target().join("dist-build").join(name))
        .env("RUSTFLAGS", rustflags.join(" "))
}

fn architecture(shell: &Shell) -> Result<String> {
    let printed = shell.ask(&CommandLine::words("rustc -vV"));
    let printed = printed.context("`rustc -vV` failed")?;
    let host = printed.lines().find_map(|line| line.strip_prefix("host: "));
    match host.and_then(|it| it.split_once("-unknown-linux-")) {
        Some((architecture, _)) => Ok(architecture.to_owned()),
        None => bail!(
            "packages are made on Linux, and this is {}",
            host.unwrap_or("unknown")
        ),
    }
}
