//! `demo`: builds the optimised product and the laboratory's demo, and becomes the latter.

use anyhow::{Result, bail};
use clap::ValueEnum as _;

use super::{needs_root, setup};
use crate::{cli::Demo, command::CommandLine, plan::Purpose, probe, shell::Shell};

/// Runs the demo; on success this process has become it and never returns.
pub fn perform(shell: &Shell, demo: &Demo) -> Result<()> {
    if !probe::is_root() {
        bail!(needs_root("demo"));
    }
    setup::make_ready(shell, Purpose::Run)?;
    shell.run(&CommandLine::words("cargo build --release -p isnguard"))?;
    shell.run(&CommandLine::words(
        "cargo build --release -p isn-tests --bin demo",
    ))?;
    let program = CommandLine::new(shell.release_program("demo"))
        .args(arguments(demo).args)
        .env("ISNGUARD_BIN", shell.release_program("isnguard"));
    Err(shell.exec(&program))
}

fn arguments(demo: &Demo) -> CommandLine {
    let mut line = CommandLine::new("demo").args(demo.keep.then_some("--keep"));
    if let Some(dir) = &demo.pcap {
        line = line.arg("--pcap").arg(dir);
    }
    let hook = demo.hook.and_then(|hook| hook.to_possible_value());
    match hook {
        Some(hook) => line.arg("--hook").arg(hook.get_name()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::DemoHook;

    #[test]
    fn options_are_handed_on() {
        let all = Demo {
            keep: true,
            pcap: Some("cap dir".into()),
            hook: Some(DemoHook::Both),
        };
        assert_eq!(
            arguments(&all).to_string(),
            "demo --keep --pcap 'cap dir' --hook both"
        );
        let none = Demo {
            keep: false,
            pcap: None,
            hook: None,
        };
        assert_eq!(arguments(&none).to_string(), "demo");
    }
}
