//! `fuzz`: builds the laboratory's fuzzer and becomes it. The ordinary profile optimises it, and checks every overflow.

use anyhow::{Result, bail};

use super::{needs_root, setup};
use crate::{cli::Fuzz, command::CommandLine, plan::Purpose, probe, shell::Shell};

/// Runs the fuzzer; on success this process has become it and never returns.
pub fn perform(shell: &Shell, fuzz: &Fuzz) -> Result<()> {
    if !probe::is_root() {
        bail!(needs_root("fuzz"));
    }
    setup::make_ready(shell, Purpose::Run)?;
    shell.run(&CommandLine::words("cargo build -p isn-tests --bin fuzz"))?;
    Err(shell.exec(&CommandLine::new(shell.debug_program("fuzz")).args(arguments(fuzz).args)))
}

fn arguments(fuzz: &Fuzz) -> CommandLine {
    let numbers = [
        ("--seed", fuzz.seed),
        ("--packets", fuzz.packets),
        ("--minutes", fuzz.minutes),
    ];
    let given = numbers
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let line = given.fold(CommandLine::new("fuzz"), |line, (name, value)| {
        line.arg(name).arg(value.to_string())
    });
    match &fuzz.replay {
        Some(file) => line.arg("--replay").arg(file),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_handed_on() {
        let mut fuzz = Fuzz {
            seed: Some(7),
            packets: None,
            minutes: Some(3),
            replay: None,
        };
        assert_eq!(arguments(&fuzz).to_string(), "fuzz --seed 7 --minutes 3");
        fuzz = Fuzz {
            seed: None,
            minutes: None,
            replay: Some("a b.episode".into()),
            ..fuzz
        };
        assert_eq!(arguments(&fuzz).to_string(), "fuzz --replay 'a b.episode'");
    }
}
