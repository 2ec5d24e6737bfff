//! `test`: groups of tests by what they need. By cargo-nextest where it is there, by `cargo test` otherwise.

mod runner;

use std::path::Path;

use anyhow::{Result, bail};

use self::runner::Runner;
use super::{Part, needs_root, run_parts, setup};
use crate::{
    cli::{Group, Test},
    command::CommandLine,
    plan::Purpose,
    probe,
    shell::Shell,
};

/// Runs the groups asked for and says which failed.
pub fn perform(shell: &Shell, test: &Test) -> Result<()> {
    let laboratory = test.group != Group::Unit;
    if laboratory && !probe::is_root() {
        bail!(
            "{}\n  `cargo xtask test unit` needs no root",
            needs_root(&format!("test {}", test.group))
        );
    }
    let purpose = if laboratory {
        Purpose::Run
    } else {
        Purpose::Build
    };
    let machine = setup::make_ready(shell, purpose)?;
    let runner = Runner {
        nextest: machine.nextest,
        long: test.long,
        args: test.args.clone(),
    };
    if !runner.nextest {
        eprintln!(
            "note: cargo-nextest is not installed; `cargo test` runs the tests, without time limits"
        );
    }
    let isnguard = shell.release_program("isnguard");
    run_parts(shell, &parts(test.group, &runner, &isnguard))
}

fn parts(group: Group, runner: &Runner, isnguard: &Path) -> Vec<Part> {
    let laboratory = |name: &'static str| {
        let build = CommandLine::words("cargo build --release -p isnguard");
        let tests = runner.laboratory(name).env("ISNGUARD_BIN", isnguard);
        Part {
            name,
            lines: vec![build, tests],
        }
    };
    let unit = || Part {
        name: "unit",
        lines: vec![runner.documentation(), runner.host()],
    };
    match group {
        Group::Unit => vec![unit()],
        Group::Kernel => vec![laboratory("kernel")],
        Group::Net => vec![laboratory("net")],
        Group::All => vec![unit(), laboratory("kernel"), laboratory("net")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(group: Group, nextest: bool, long: bool, args: &[&str]) -> Vec<String> {
        let runner = Runner {
            nextest,
            long,
            args: args.iter().map(Into::into).collect(),
        };
        let parts = parts(group, &runner, Path::new("/t/isnguard"));
        parts
            .iter()
            .flat_map(|part| &part.lines)
            .map(ToString::to_string)
            .collect()
    }

    const DOC: &str = "cargo test --doc -p isn-common";
    const BUILD: &str = "cargo build --release -p isnguard";

    #[test]
    fn nextest_runs_each_group_by_its_programs() {
        assert_eq!(
            shown(Group::All, true, false, &[]),
            [
                DOC,
                "cargo nextest run -p isn-common -p isnguard -p xtask",
                BUILD,
                "ISNGUARD_BIN=/t/isnguard cargo nextest run -p isn-tests -E 'binary(kernel) | kind(lib) | kind(bin)'",
                BUILD,
                "ISNGUARD_BIN=/t/isnguard cargo nextest run -p isn-tests -E 'binary(net)'",
            ]
        );
    }

    #[test]
    fn without_nextest_the_programs_are_named() {
        assert_eq!(
            shown(Group::Unit, false, false, &[]),
            [
                DOC,
                "cargo test --no-fail-fast --tests -p isn-common -p isnguard -p xtask"
            ]
        );
        assert_eq!(
            shown(Group::Kernel, false, false, &[])[1],
            "ISNGUARD_BIN=/t/isnguard cargo test --no-fail-fast -p isn-tests --lib --bins --test kernel"
        );
        assert_eq!(
            shown(Group::Net, false, false, &[])[1],
            "ISNGUARD_BIN=/t/isnguard cargo test --no-fail-fast -p isn-tests --test net"
        );
    }

    #[test]
    fn long_tests_are_included_when_asked_for() {
        let nextest = &shown(Group::Net, true, true, &[])[1];
        assert!(
            nextest.ends_with("--profile long --run-ignored all"),
            "{nextest}"
        );
        let plain = &shown(Group::Net, false, true, &["wrap"])[1];
        assert!(
            plain.ends_with("--test net -- --include-ignored wrap"),
            "{plain}"
        );
    }

    #[test]
    fn filters_reach_every_group_and_may_leave_some_empty() {
        let lines = shown(Group::Unit, true, false, &["seq"]);
        assert_eq!(lines[0], format!("{DOC} -- seq"));
        assert!(lines[1].ends_with("--no-tests warn -- seq"), "{}", lines[1]);
    }
}
