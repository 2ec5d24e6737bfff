//! The demo: a host whose initial sequence numbers go backwards, a peer that still remembers, and isnguard between them.
//!
//! Everything happens in three network namespaces with real Linux TCP at both ends. `cargo xtask demo` builds and runs it.

mod arguments;
mod findings;
mod interrupt;
mod keeping;
mod narrator;
mod stage;
mod steps;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use isn_tests::{gateway, setup::Hook};
use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::{
    arguments::Arguments,
    findings::Findings,
    interrupt::{Interrupt, Interrupted},
    narrator::Narrator,
    stage::Stage,
};

const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match perform(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("\ninterrupted; the laboratory has been removed");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("\nthe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: &Arguments) -> Result<()> {
    ensure!(
        geteuid().is_root(),
        "it makes network namespaces and attaches a BPF program, which needs root, and this process runs as uid {}: \
         run it with sudo",
        geteuid()
    );
    // Before anything is built up: without the product there is nothing to show.
    gateway::binary()?;
    let interrupt = Interrupt::listen()?;
    let captures = Captures::new(arguments.pcap.as_ref())?;
    let narrator = Narrator::new();
    narrator.introduce();
    let mut findings = Findings::default();
    for (at, hook) in arguments.hooks().into_iter().enumerate() {
        let stage = Stage {
            hook,
            is_first: at == 0,
            dir: captures.dir(),
            interrupt: &interrupt,
            narrator: &narrator,
        };
        stage.perform(arguments.keep && at == 0, &mut findings)?;
    }
    println!("\n{}\n", findings.table());
    if let Some(dir) = &arguments.pcap {
        println!("Captures of both sides are in {}.\n", dir.display());
    }
    narrator.conclude(arguments.hooks().contains(&Hook::Tc));
    Ok(())
}

/// Where captures go: to the operator, or to a directory that goes away.
enum Captures {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Captures {
    fn new(wanted: Option<&PathBuf>) -> Result<Self> {
        let Some(dir) = wanted else {
            return Ok(Self::Temporary(
                TempDir::new().context("cannot make a directory for captures")?,
            ));
        };
        fs::create_dir_all(dir)
            .with_context(|| format!("cannot make the directory {}", dir.display()))?;
        Ok(Self::Kept(dir.clone()))
    }

    fn dir(&self) -> &std::path::Path {
        match self {
            Self::Kept(dir) => dir,
            Self::Temporary(dir) => dir.path(),
        }
    }
}
