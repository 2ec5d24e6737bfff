//! `test`: groups of tests by what they need. By cargo-nextest where it is there, by `cargo test` otherwise.

mod runner;

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};

use self::runner::Runner;
use super::{Part, needs_root, run_parts, setup};
use crate::{
    cli::{Group, Test},
    command::CommandLine,
    plan::Purpose,
    probe,
    shell::Shell,
};

/// How the names of the laboratory's test programs begin.
const GROUPS: [&str; 2] = ["kernel", "net"];

/// Runs the groups asked for and says which failed.
pub fn perform(shell: &Shell, test: &Test) -> Result<()> {
    let laboratory = test.group != Group::Unit;
    if laboratory && !probe::is_root() {
        bail!(
            "{}\n  `cargo xtask test unit` needs no root",
            needs_root(&format!("test {}", test.group))
        );
    }
    let programs = test_programs(&shell.workspace().join("tests/tests"))?;
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
    run_parts(shell, &parts(test.group, &runner, &programs, &isnguard))
}

fn parts(group: Group, runner: &Runner, programs: &[String], isnguard: &Path) -> Vec<Part> {
    let laboratory = |name: &'static str| {
        let build = CommandLine::words("cargo build --release -p isnguard");
        let tests = runner
            .laboratory(name, programs)
            .env("ISNGUARD_BIN", isnguard);
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

/// The names of the test programs in a directory, sorted: `NAME.rs` or `NAME/main.rs`. Each must belong to a group,
/// or nobody would ever run it.
fn test_programs(dir: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(dir)
        .with_context(|| format!("cannot list the test programs in {}", dir.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            || path.join("main.rs").is_file()
        {
            names.extend(
                path.file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    match names
        .iter()
        .find(|name| !GROUPS.iter().any(|group| name.starts_with(group)))
    {
        Some(stray) => bail!(
            "the test program `{stray}` in {} belongs to no group: begin its name with `kernel` or `net`",
            dir.display()
        ),
        None => Ok(names),
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
        let programs = ["kernel_cases", "kernel_hooks", "net_hang"].map(String::from);
        let parts = parts(group, &runner, &programs, Path::new("/t/isnguard"));
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
                "ISNGUARD_BIN=/t/isnguard cargo nextest run -p isn-tests -E 'binary(/^kernel/) | kind(lib) | kind(bin)'",
                BUILD,
                "ISNGUARD_BIN=/t/isnguard cargo nextest run -p isn-tests -E 'binary(/^net/)'",
            ]
        );
    }

    #[test]
    fn without_nextest_the_programs_are_named_one_by_one() {
        assert_eq!(
            shown(Group::Unit, false, false, &[]),
            [
                DOC,
                "cargo test --no-fail-fast --tests -p isn-common -p isnguard -p xtask"
            ]
        );
        assert_eq!(
            shown(Group::Kernel, false, false, &[])[1],
            "ISNGUARD_BIN=/t/isnguard cargo test --no-fail-fast -p isn-tests --lib --bins --test kernel_cases \
             --test kernel_hooks"
        );
        assert_eq!(
            shown(Group::Net, false, false, &[])[1],
            "ISNGUARD_BIN=/t/isnguard cargo test --no-fail-fast -p isn-tests --test net_hang"
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
            plain.ends_with("--test net_hang -- --include-ignored wrap"),
            "{plain}"
        );
    }

    #[test]
    fn filters_reach_every_group_and_may_leave_some_empty() {
        let lines = shown(Group::Unit, true, false, &["seq"]);
        assert_eq!(lines[0], format!("{DOC} -- seq"));
        assert!(lines[1].ends_with("--no-tests warn -- seq"), "{}", lines[1]);
    }

    #[test]
    fn test_programs_are_files_and_directories_with_a_main() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["net_b.rs", "kernel_a.rs", "notes.md"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        for name in ["net_c", "fixtures"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("net_c/main.rs"), "").unwrap();
        assert_eq!(
            test_programs(dir.path()).unwrap(),
            ["kernel_a", "net_b", "net_c"]
        );
        fs::write(dir.path().join("speed.rs"), "").unwrap();
        let stray = test_programs(dir.path()).unwrap_err().to_string();
        assert!(
            stray.contains("`speed`") && stray.contains("`kernel` or `net`"),
            "{stray}"
        );
        let missing = test_programs(&dir.path().join("nowhere")).unwrap_err();
        assert!(
            missing
                .to_string()
                .contains("cannot list the test programs in ")
        );
    }
}
