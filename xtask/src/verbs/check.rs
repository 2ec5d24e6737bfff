//! `check`: what a reviewer need not look at. Formatting, lints for the host and for BPF, dependencies, the verifier's budget.

use anyhow::Result;

use super::{Part, run_parts, setup};
use crate::{
    command::CommandLine,
    machine::{BpfWay, Machine},
    plan::Purpose,
    probe,
    shell::Shell,
};

/// Runs every check and says which failed.
pub fn perform(shell: &Shell) -> Result<()> {
    let machine = setup::make_ready(shell, Purpose::Lint)?;
    for note in notes(&machine) {
        eprintln!("note: {note}");
    }
    let mut parts = parts(&machine);
    if probe::is_root() {
        parts.push(budget());
    } else {
        eprintln!(
            "note: without root no program can be loaded, so the verifier's budget is not compared"
        );
    }
    run_parts(shell, &parts)
}

/// What the kernel's verifier has to do, held against `isn-ebpf/verifier-budget.toml`.
fn budget() -> Part {
    Part {
        name: "verifier budget",
        lines: vec![CommandLine::words(
            "cargo run --quiet -p isn-bench --bin budget",
        )],
    }
}

fn parts(machine: &Machine) -> Vec<Part> {
    let mut parts = vec![
        Part {
            name: "format",
            lines: vec![format(machine)],
        },
        Part {
            name: "clippy",
            lines: vec![host_clippy()],
        },
        Part {
            name: if has_bpf_clippy(machine) {
                "BPF clippy"
            } else {
                "BPF check"
            },
            lines: ["isn-ebpf", "isn-bench-ebpf"]
                .map(|package| bpf_lint(machine, package))
                .to_vec(),
        },
    ];
    if machine.deny {
        parts.push(Part {
            name: "dependencies",
            lines: vec![CommandLine::words("cargo deny check bans licenses sources")],
        });
        // Apart from the others, because it alone needs the network.
        parts.push(Part {
            name: "advisories",
            lines: vec![CommandLine::words("cargo deny check advisories")],
        });
    }
    parts
}

/// What is left out here, and why.
fn notes(machine: &Machine) -> Vec<&'static str> {
    let mut notes = Vec::new();
    if !has_nightly_rustfmt(machine) {
        notes.push("there is no nightly rustfmt, so the order of imports is not checked (rustfmt.toml asks for it)");
    }
    if !has_bpf_clippy(machine) {
        notes.push("the BPF toolchain has no clippy, so isn-ebpf is compiled but not linted");
    }
    if !machine.deny {
        notes.push("cargo-deny is not installed, so licences and advisories of dependencies are not checked");
    }
    notes
}

fn format(machine: &Machine) -> CommandLine {
    if has_nightly_rustfmt(machine) {
        CommandLine::words("cargo +nightly fmt --all --check")
    } else {
        CommandLine::words("cargo fmt --all --check")
    }
}

fn host_clippy() -> CommandLine {
    CommandLine::words(
        "cargo clippy --workspace --exclude isn-ebpf --exclude isn-bench-ebpf --all-targets -- -D warnings",
    )
}

/// The way aya-build compiles a crate of BPF programs, without linking it.
fn bpf_lint(machine: &Machine, package: &str) -> CommandLine {
    let way = machine.bpf_way();
    let linted = has_bpf_clippy(machine);
    let mut line = CommandLine::new("cargo")
        .arg(format!("+{way}"))
        .arg(if linted { "clippy" } else { "check" })
        .args(["-p", package, "--release", "--target", "bpfel-unknown-none"]);
    line = match way {
        BpfWay::Nightly => line.args(["-Z", "build-std=core"]),
        // As in bpf-build: these crates use unstable features, and this compiler is a stable one.
        BpfWay::Distro => line.env("RUSTC_BOOTSTRAP", "aya_ebpf,isn_ebpf,isn_bench_ebpf"),
    };
    if linted {
        line.args(["--", "-D", "warnings"])
    } else {
        line
    }
}

fn has_nightly_rustfmt(machine: &Machine) -> bool {
    machine
        .nightly
        .as_ref()
        .is_some_and(|nightly| nightly.rustfmt)
}

fn has_bpf_clippy(machine: &Machine) -> bool {
    machine
        .bpf_toolchain()
        .is_some_and(|toolchain| toolchain.clippy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Toolchain;

    fn toolchain(clippy: bool) -> Toolchain {
        Toolchain {
            bpf_core: true,
            clippy,
            rustfmt: true,
            ..Toolchain::default()
        }
    }

    fn shown(machine: &Machine) -> Vec<String> {
        parts(machine)
            .iter()
            .flat_map(|part| &part.lines)
            .map(ToString::to_string)
            .collect()
    }

    const HOST: &str = "cargo clippy --workspace --exclude isn-ebpf --exclude isn-bench-ebpf --all-targets -- -D warnings";

    #[test]
    fn distro_toolchain_with_everything_around_it() {
        let machine = Machine {
            nightly: Some(toolchain(true)),
            distro: Some(toolchain(true)),
            deny: true,
            ..Machine::default()
        };
        let bpf = |package| {
            format!(
                "RUSTC_BOOTSTRAP=aya_ebpf,isn_ebpf,isn_bench_ebpf cargo +distro clippy -p {package} --release --target \
                 bpfel-unknown-none -- -D warnings"
            )
        };
        assert_eq!(
            shown(&machine),
            [
                "cargo +nightly fmt --all --check",
                HOST,
                &bpf("isn-ebpf"),
                &bpf("isn-bench-ebpf"),
                "cargo deny check bans licenses sources",
                "cargo deny check advisories"
            ]
        );
        assert!(notes(&machine).is_empty());
    }

    #[test]
    fn nightly_with_sources_builds_core() {
        let nightly = Toolchain {
            rust_src: true,
            ..toolchain(true)
        };
        let machine = Machine {
            nightly: Some(nightly),
            ..Machine::default()
        };
        let bpf = "cargo +nightly clippy -p isn-ebpf --release --target bpfel-unknown-none -Z build-std=core \
                   -- -D warnings";
        assert_eq!(shown(&machine)[2], bpf);
    }

    #[test]
    fn whatever_is_left_out_is_said() {
        let machine = Machine {
            distro: Some(toolchain(false)),
            ..Machine::default()
        };
        let bpf = |package| {
            format!(
                "RUSTC_BOOTSTRAP=aya_ebpf,isn_ebpf,isn_bench_ebpf cargo +distro check -p {package} --release --target \
                 bpfel-unknown-none"
            )
        };
        assert_eq!(
            shown(&machine),
            [
                "cargo fmt --all --check",
                HOST,
                &bpf("isn-ebpf"),
                &bpf("isn-bench-ebpf")
            ]
        );
        assert_eq!(notes(&machine).len(), 3);
    }
}
