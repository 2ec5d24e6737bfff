//! What the kernel's verifier has to do for each program, held against the budget in `isn-ebpf/verifier-budget.toml`.
//!
//! A program that comes near a million instructions processed is one that some kernel will refuse. The number depends on the kernel:
//! the budget speaks of the release named in it and of later ones. `--write` writes what was found, and a tenth more, as the budget.

use std::{collections::BTreeMap, fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use aya::{
    EbpfLoader,
    programs::{SchedClassifier, Xdp},
    util::KernelVersion,
};
use clap::Parser;
use comfy_table::{CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};
use isn_common::abi::programs;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

const PROGRAMS: [&str; 7] = [
    programs::XDP_OUT,
    programs::XDP_IN,
    programs::TC_OUT,
    programs::TC_IN,
    programs::FORWARD_OUT,
    programs::FORWARD_IN,
    programs::UPKEEP,
];
/// What no kernel accepts (`BPF_COMPLEXITY_LIMIT_INSNS`).
const LIMIT: u32 = 1_000_000;

/// Compares what the verifier processes for each program with the budget. Needs root.
#[derive(Debug, Parser)]
struct Arguments {
    /// Write what was found, and a tenth more, as the budget
    #[arg(long)]
    write: bool,
}

/// The file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    /// The first kernel release that it speaks of.
    kernel: [u8; 2],
    /// Most instructions that the verifier may process for each program.
    instructions: BTreeMap<String, u32>,
}

/// What one program is.
struct Found {
    name: &'static str,
    processed: u32,
    translated: u32,
    jited: u32,
}

fn main() -> ExitCode {
    match perform(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: &Arguments) -> Result<()> {
    ensure!(
        geteuid().is_root(),
        "it loads BPF programs, which needs root: run it with sudo"
    );
    let found = load()?;
    let (kernel, path) = (running()?, path());
    if arguments.write {
        return write(&path, kernel, &found);
    }
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let budget: Budget =
        toml::from_str(&text).with_context(|| format!("{} is no budget", path.display()))?;
    print(&budget, &found);
    if kernel < budget.kernel {
        let [major, minor] = budget.kernel;
        eprintln!(
            "note: the budget speaks of Linux {major}.{minor} and later, so nothing is compared here"
        );
        return Ok(());
    }
    let over = over(&budget, &found);
    if over.is_empty() {
        return Ok(());
    }
    bail!(
        "{}. Make it simpler for the verifier, or raise the budget with --write and say why",
        over.join("; ")
    )
}

/// Programs that exceed the budget or are not in it, in words.
fn over(budget: &Budget, found: &[Found]) -> Vec<String> {
    let exceeds = |it: &Found| match budget.instructions.get(it.name) {
        Some(most) if it.processed <= *most => None,
        Some(most) => Some(format!(
            "the verifier processes {} instructions for {}, and the budget is {most}",
            it.processed, it.name
        )),
        None => Some(format!("{} has no budget", it.name)),
    };
    found.iter().filter_map(exceeds).collect()
}

fn load() -> Result<Vec<Found>> {
    let mut ebpf = EbpfLoader::new()
        .load(isnguard::dataplane::OBJECT)
        .context("cannot load the BPF object")?;
    let mut found = Vec::new();
    for name in PROGRAMS {
        let program = ebpf
            .program_mut(name)
            .with_context(|| format!("the object has no program {name}"))?;
        if name.starts_with("isn_tc") || name == programs::UPKEEP {
            <&mut SchedClassifier>::try_from(&mut *program)?.load()
        } else {
            <&mut Xdp>::try_from(&mut *program)?.load()
        }
        .map_err(|error| refused(name, &error.to_string()))?;
        let info = program.info()?;
        found.push(Found {
            name,
            processed: info
                .verified_instruction_count()
                .context("this kernel does not tell what its verifier processed")?,
            translated: info.size_translated().unwrap_or_default(),
            jited: info.size_jitted(),
        });
    }
    Ok(found)
}

/// Why the kernel refuses a program: the last lines of what the verifier says, which may have said a lot.
fn refused(name: &str, why: &str) -> anyhow::Error {
    let lines: Vec<&str> = why.lines().collect();
    let last = &lines[lines.len().saturating_sub(12)..];
    anyhow!("the kernel refuses {name}:\n{}", last.join("\n"))
}

fn write(path: &PathBuf, kernel: [u8; 2], found: &[Found]) -> Result<()> {
    let with_reserve = |it: &Found| (it.name.to_owned(), it.processed.div_ceil(10_000) * 11_000);
    let budget = Budget {
        kernel,
        instructions: found.iter().map(with_reserve).collect(),
    };
    let text = format!(
        "# Most instructions that the kernel's verifier may process for each program, from this release of Linux on. Written by\n\
         # `cargo run -p isn-bench --bin budget -- --write`, compared by `cargo xtask check`.\n{}",
        toml::to_string(&budget)?
    );
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn path() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../isn-ebpf/verifier-budget.toml"
    ))
}

/// Major and minor number of the running kernel.
fn running() -> Result<[u8; 2]> {
    let version = KernelVersion::current().context("cannot tell which kernel this is")?;
    let [_, major, minor, _] = version.code().to_be_bytes();
    Ok([major, minor])
}

fn print(budget: &Budget, found: &[Found]) {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "program",
        "processed",
        "budget",
        "of the limit",
        "octets",
        "JITed",
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for it in found {
        let most = budget.instructions.get(it.name);
        table.add_row([
            it.name.to_owned(),
            it.processed.to_string(),
            most.map_or_else(|| "none".to_owned(), u32::to_string),
            format!(
                "{:.0} %",
                f64::from(it.processed) / f64::from(LIMIT) * 100.0
            ),
            it.translated.to_string(),
            it.jited.to_string(),
        ]);
    }
    println!("{table}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exceeds_the_budget_or_has_none_is_told() {
        let found = |name, processed| Found {
            name,
            processed,
            translated: 0,
            jited: 0,
        };
        let budget = Budget {
            kernel: [6, 18],
            instructions: BTreeMap::from([("one".to_owned(), 100), ("two".to_owned(), 100)]),
        };
        let told = over(
            &budget,
            &[found("one", 100), found("two", 101), found("three", 1)],
        );
        assert_eq!(told.len(), 2);
        assert!(told[0].contains("101 instructions for two") && told[1].contains("three"));
    }
}
