//! `bench`: builds the optimised product and the laboratory's benchmark, and becomes the latter.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{needs_root, setup};
use crate::{cli::Bench, command::CommandLine, plan::Purpose, probe, shell::Shell};

/// Runs the benchmark; on success this process has become it and never returns.
pub fn perform(shell: &Shell, bench: &Bench) -> Result<()> {
    if !probe::is_root() {
        bail!(needs_root("bench"));
    }
    setup::make_ready(shell, Purpose::Run)?;
    let before = match &bench.compare {
        Some(revision) => Some(measure_before(shell, bench, revision)?),
        None => None,
    };
    shell.run(&CommandLine::words("cargo build --release -p isnguard"))?;
    shell.run(&CommandLine::words("cargo build --release -p isn-bench"))?;
    Err(shell.exec(&program(
        shell.target(),
        &arguments(bench, before.as_deref()),
    )))
}

/// Builds another revision in a tree of its own, which keeps what it has built, and measures the same parts of it. Where its
/// figures are.
fn measure_before(shell: &Shell, bench: &Bench, revision: &str) -> Result<PathBuf> {
    let place = shell.target().join("bench-compare");
    let (tree, target) = (place.join("tree"), place.join("target"));
    if tree.exists() {
        shell.run(
            &CommandLine::words("git checkout --quiet --detach")
                .arg(revision)
                .within(&tree),
        )?;
    } else {
        let add = CommandLine::words("git worktree add --quiet --detach");
        shell.run(&add.arg(&tree).arg(revision))?;
    }
    for package in ["isnguard", "isn-bench"] {
        let build = CommandLine::words("cargo build --release -p").arg(package);
        let build = build.env("CARGO_TARGET_DIR", &target).within(&tree);
        shell.run(&build).with_context(|| {
            format!("{revision} does not build {package}; revisions before the benchmark was a package have none")
        })?;
    }
    let figures = place.join("figures.json");
    let same_parts = Bench {
        json: Some(figures.clone()),
        plot: None,
        ..bench.clone()
    };
    shell.run(&program(&target, &arguments(&same_parts, None)))?;
    Ok(figures)
}

/// The benchmark in a target directory, with the product beside it.
fn program(target: &Path, arguments: &CommandLine) -> CommandLine {
    let built = |name| target.join("release").join(name);
    CommandLine::new(built("bench"))
        .args(&arguments.args)
        .env("ISNGUARD_BIN", built("isnguard"))
}

fn arguments(bench: &Bench, before: Option<&Path>) -> CommandLine {
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
    let files = [
        ("--json", bench.json.as_deref()),
        ("--plot", bench.plot.as_deref()),
        ("--beside", before),
    ];
    for (option, file) in files {
        if let Some(file) = file {
            line = line.arg(option).arg(file);
        }
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
            json: None,
            plot: None,
            compare: None,
        };
        let told = |bench: &Bench| arguments(bench, None).to_string();
        assert_eq!(told(&nothing), "bench");
        let everything = Bench {
            flows: Some(20_000),
            only: vec![BenchPart::Gateway, BenchPart::Tcp],
            quick: true,
            json: Some("now.json".into()),
            plot: Some("now.svg".into()),
            compare: Some("v0.1".to_owned()),
        };
        assert_eq!(
            arguments(&everything, Some(Path::new("before.json"))).to_string(),
            "bench --flows 20000 --only gateway --only tcp --quick --json now.json --plot now.svg --beside before.json"
        );
    }
}
