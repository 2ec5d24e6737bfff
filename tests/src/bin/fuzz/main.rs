//! The fuzzer without end: random sequences of packets through the programs in the kernel, through the same code in memory and
//! through the reference model, until they differ or somebody stops it. `cargo xtask fuzz` builds and runs it.

mod arguments;
mod report;

use std::{
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use isn_tests::fuzz::{
    arena::Arena,
    campaign::{Campaign, Find, shrink_find},
    corpus,
};
use nix::unistd::geteuid;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::{arguments::Arguments, report::Narrator};

fn main() -> ExitCode {
    match perform(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing was found.
fn perform(arguments: &Arguments) -> Result<bool> {
    ensure!(
        geteuid().is_root(),
        "it loads BPF programs, which needs root, and this process runs as uid {}: run it with sudo",
        geteuid()
    );
    match &arguments.replay {
        Some(file) => replay(file),
        None => go_on(arguments),
    }
}

fn go_on(arguments: &Arguments) -> Result<bool> {
    let campaign = Campaign {
        seed: arguments.seed.unwrap_or_else(|| fastrand::u64(..)),
        packets: arguments.packets.unwrap_or(u64::MAX),
        time: arguments
            .minutes
            .map_or(Duration::MAX, |it| Duration::from_secs(60 * it)),
        threads: std::thread::available_parallelism().map_or(2, usize::from),
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .context("cannot listen for Ctrl-C")?;
    }
    let mut narrator = Narrator::begin(&campaign);
    let (progress, find) = campaign.run(|progress| {
        narrator.tell(progress);
        !stop.load(Ordering::Relaxed)
    })?;
    narrator.conclude(&progress);
    find.map_or(Ok(true), |find| keep(&find).map(|()| false))
}

fn keep(find: &Find) -> Result<()> {
    eprintln!(
        "\nfound by the episode of seed {}: {}\n",
        find.seed, find.failure
    );
    let episode = if let Some((episode, failure)) = &find.shrunk {
        println!(
            "shrunk to {} steps: {failure}\n{}",
            episode.steps.len(),
            episode.annotated(&failure.verdicts)
        );
        episode
    } else {
        eprintln!("it did not fail again: its jumps were others; it is kept as it was");
        &find.episode
    };
    let file = corpus::directory().join(format!("found-{}.episode", find.seed));
    corpus::write(&file, episode, find)?;
    eprintln!(
        "written to {0}\nplay it again: cargo xtask fuzz --replay {0}",
        file.display()
    );
    Ok(())
}

fn replay(file: &Path) -> Result<bool> {
    let episode = corpus::read(file)?;
    let mut arena = Arena::load()?;
    if let Some(failure) = corpus::replay(&mut arena, &episode)? {
        println!("fails: {failure}");
        if let Some((short, failure)) = shrink_find(&mut arena, &episode)?
            && short.steps.len() < episode.steps.len()
        {
            println!(
                "shrunk to {} steps: {failure}\n{}",
                short.steps.len(),
                short.annotated(&failure.verdicts)
            );
        }
        return Ok(false);
    }
    println!("all worlds agree on {} steps", episode.steps.len());
    Ok(true)
}
