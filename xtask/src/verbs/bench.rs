//! `bench`: builds the optimised product and the laboratory's benchmark, and becomes the latter.

use anyhow::{Result, bail};

use super::{needs_root, setup};
use crate::{cli::Bench, command::CommandLine, plan::Purpose, probe, shell::Shell};

/// Runs the benchmark; on success this process has become it and never returns.
pub fn perform(shell: &Shell, bench: &Bench) -> Result<()> {
    if !probe::is_root() {
        bail!(needs_root("bench"));
    }
    setup::make_ready(shell, Purpose::Run)?;
    shell.run(&CommandLine::words("cargo build --release -p isnguard"))?;
    shell.run(&CommandLine::words("cargo build --release -p isn-bench"))?;
    let program = CommandLine::new(shell.release_program("bench"))
        .args(arguments(bench).args)
        .env("ISNGUARD_BIN", shell.release_program("isnguard"));
    Err(shell.exec(&program))
}

fn arguments(bench: &Bench) -> CommandLine {
    let line = CommandLine::new("bench");
    match bench.flows {
        Some(flows) => line.arg("--flows").arg(flows.to_string()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_handed_on() {
        let told = |flows| arguments(&Bench { flows }).to_string();
        assert_eq!(told(Some(20_000)), "bench --flows 20000");
        assert_eq!(told(None), "bench");
    }
}
