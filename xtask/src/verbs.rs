//! One file for each verb, and what they share: parts that all run, so that one failure does not hide the next.

mod bench;
mod build;
mod check;
mod demo;
mod dist;
mod fuzz;
mod setup;
mod soak;
mod test;

use anyhow::{Result, bail};

use crate::{cli::Verb, command::CommandLine, shell::Shell};

/// Does what was asked.
pub fn perform(verb: Verb) -> Result<()> {
    let shell = Shell::in_workspace()?;
    match verb {
        Verb::Setup(setup) => setup::perform(&shell, &setup),
        Verb::Build(build) => build::perform(&shell, &build),
        Verb::Check => check::perform(&shell),
        Verb::Test(test) => test::perform(&shell, &test),
        Verb::Fuzz(fuzz) => fuzz::perform(&shell, &fuzz),
        Verb::Soak(soak) => soak::perform(&shell, &soak),
        Verb::Bench(bench) => bench::perform(&shell, &bench),
        Verb::Dist(dist) => dist::perform(&shell, &dist),
        Verb::Demo(demo) => demo::perform(&shell, &demo),
    }
}

/// Command lines that pass or fail together.
#[derive(Debug)]
struct Part {
    name: &'static str,
    lines: Vec<CommandLine>,
}

/// Runs every part, each up to its first failure, and says at the end how each went.
fn run_parts(shell: &Shell, parts: &[Part]) -> Result<()> {
    let mut failed = Vec::new();
    let mut outcomes = Vec::new();
    for part in parts {
        let outcome = part.lines.iter().try_for_each(|line| shell.run(line));
        if let Err(error) = outcome {
            eprintln!("error: {error:#}");
            failed.push(part.name);
            outcomes.push(format!("{} FAILED", part.name));
        } else {
            outcomes.push(format!("{} ok", part.name));
        }
    }
    eprintln!("{}", outcomes.join(", "));
    if failed.is_empty() {
        Ok(())
    } else {
        bail!("failed: {}", failed.join(", "))
    }
}

/// What to say where only root will do.
fn needs_root(verb: &str) -> String {
    format!(
        "`cargo xtask {verb}` needs root: it makes network namespaces or loads BPF programs.\n  Run it as root or, \
         to keep your own toolchains: sudo -E env \"PATH=$PATH\" \"HOME=$HOME\" cargo xtask {verb}"
    )
}
