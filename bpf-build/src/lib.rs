//! Compiles a crate of BPF programs from a build script and leaves the object in `OUT_DIR`, with whichever of two toolchains
//! this machine has: a rustup nightly with the sources of `core`, or a rustup toolchain named `distro` whose compiler brings
//! `core` for BPF ready-made.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use aya_build::{Package, Toolchain};

const DISTRO: &str = "distro";
/// Crates that use unstable features; naming them lets a stable compiler build them. Not `1`: that
/// would make `core` be built from source, which is not there.
const UNSTABLE_CRATES: &str = "aya_ebpf,isn_ebpf,isn_bench_ebpf";

/// Builds the package `name` at `root_dir`, again whenever that or one of the directories in `watched` changes. The paths
/// are as the build script's crate sees them. For build scripts alone, which have one thread: it sets variables of the environment.
pub fn build(name: &str, root_dir: &str, watched: &[&str]) -> Result<()> {
    for watched in watched.iter().chain([&root_dir]) {
        println!("cargo:rerun-if-changed={watched}");
    }
    let toolchain = choose()?;
    // Without this, every line that cargo prints for the programs comes out as a warning.
    // SAFETY: a build script has one thread, and nothing has been started yet.
    unsafe { std::env::set_var("CARGO_TERM_QUIET", "true") };
    let package = Package {
        name,
        root_dir,
        ..Default::default()
    };
    aya_build::build_ebpf([package], toolchain).with_context(|| {
        format!(
            "the BPF programs of {name} did not build; the lines above tell why. If a tool is missing, run `cargo xtask \
             setup`"
        )
    })
}

fn choose() -> Result<Toolchain<'static>> {
    if sysroot("nightly").is_some_and(|root| has_core_source(&root)) {
        return Ok(Toolchain::Nightly);
    }
    if sysroot(DISTRO).is_some() {
        // SAFETY: a build script has one thread, and nothing has been started yet.
        unsafe { std::env::set_var("RUSTC_BOOTSTRAP", UNSTABLE_CRATES) };
        return Ok(Toolchain::Custom(DISTRO));
    }
    bail!(
        "no Rust toolchain that compiles for BPF: neither a rustup `nightly` with the component \
         rust-src nor a rustup toolchain named `{DISTRO}`. Run `cargo xtask setup`"
    )
}

fn sysroot(toolchain: &str) -> Option<String> {
    let output = Command::new("rustup")
        .args(["run", toolchain, "rustc", "--print", "sysroot"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn has_core_source(sysroot: &str) -> bool {
    Path::new(sysroot)
        .join("lib/rustlib/src/rust/library/core")
        .is_dir()
}
