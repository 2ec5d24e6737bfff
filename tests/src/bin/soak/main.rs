//! The soak: `cargo xtask soak` builds and runs it.

mod arguments;
mod narrator;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use isn_tests::soak::Soak;
use nix::unistd::geteuid;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::{arguments::Arguments, narrator::Narrator};

fn main() -> ExitCode {
    match perform(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: &Arguments) -> Result<()> {
    ensure!(
        geteuid().is_root(),
        "it makes network namespaces, which needs root, and this process runs as uid {}: run it with sudo",
        geteuid()
    );
    let soak = Soak {
        seed: arguments.seed.unwrap_or_else(|| fastrand::u64(..)),
        time: Duration::from_mins(arguments.minutes),
        hook: arguments.hook.into(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .context("cannot listen for Ctrl-C")?;
    }
    let mut narrator = Narrator::begin(&soak);
    let findings = soak.run(|progress| {
        narrator.tell(progress);
        !stop.load(Ordering::Relaxed)
    })?;
    narrator.end();
    println!("{}\n{}", findings.ledger, findings.samples);
    findings.ensure_clean(soak.seed)?;
    println!("nothing was lost, nothing grew, the kernel has nothing to complain about");
    Ok(())
}
