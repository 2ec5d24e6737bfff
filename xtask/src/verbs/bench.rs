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
    let mut line = CommandLine::new("bench");
    if let Some(flows) = bench.flows {
        line = line.arg("--flows").arg(flows.to_string());
    }
    for part in &bench.only {
        line = line.arg("--only").arg(part.to_string());
    }
    if bench.quick {
        line = line.arg("--quick");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::BenchPart;

    #[test]
    fn options_are_handed_on() {
        let nothing = Bench {
            flows: None,
            only: Vec::new(),
            quick: false,
        };
        let told = |bench: &Bench| arguments(bench).to_string();
        assert_eq!(told(&nothing), "bench");
        let everything = Bench {
            flows: Some(20_000),
            only: vec![BenchPart::Gateway, BenchPart::Tcp],
            quick: true,
        };
        assert_eq!(
            told(&everything),
            "bench --flows 20000 --only gateway --only tcp --quick"
        );
    }
}
