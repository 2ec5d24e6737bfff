//! `soak`: builds the optimised product and the laboratory's soak, and becomes the latter.

use anyhow::{Result, bail};
use clap::ValueEnum as _;

use super::{needs_root, setup};
use crate::{cli::Soak, command::CommandLine, plan::Purpose, probe, shell::Shell};

/// Runs the soak; on success this process has become it and never returns.
pub fn perform(shell: &Shell, soak: &Soak) -> Result<()> {
    if !probe::is_root() {
        bail!(needs_root("soak"));
    }
    setup::make_ready(shell, Purpose::Run)?;
    shell.run(&CommandLine::words("cargo build --release -p isnguard"))?;
    shell.run(&CommandLine::words("cargo build -p isn-tests --bin soak"))?;
    let program = CommandLine::new(shell.debug_program("soak"))
        .args(arguments(soak).args)
        .env("ISNGUARD_BIN", shell.release_program("isnguard"));
    Err(shell.exec(&program))
}

fn arguments(soak: &Soak) -> CommandLine {
    let numbers = [("--minutes", soak.minutes), ("--seed", soak.seed)];
    let given = numbers
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let line = given.fold(CommandLine::new("soak"), |line, (name, value)| {
        line.arg(name).arg(value.to_string())
    });
    let hook = soak.hook.and_then(|hook| hook.to_possible_value());
    match hook {
        Some(hook) => line.arg("--hook").arg(hook.get_name()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::SoakHook;

    #[test]
    fn options_are_handed_on() {
        let all = Soak {
            minutes: Some(60),
            seed: Some(7),
            hook: Some(SoakHook::Tc),
        };
        assert_eq!(
            arguments(&all).to_string(),
            "soak --minutes 60 --seed 7 --hook tc"
        );
        let none = Soak {
            minutes: None,
            seed: None,
            hook: None,
        };
        assert_eq!(arguments(&none).to_string(), "soak");
    }
}
