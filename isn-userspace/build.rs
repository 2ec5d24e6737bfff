//! Builds the BPF programs and leaves the object in `OUT_DIR`, with whichever of the two toolchains
//! this machine has: a rustup nightly with the sources of `core`, or a rustup toolchain named
//! `distro` whose compiler brings `core` for BPF ready-made.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use aya_build::{Package, Toolchain};

const PROGRAMS: &str = "isn-ebpf";
const ROOT: &str = "../isn-ebpf";
const DISTRO: &str = "distro";
/// Crates that use unstable features; naming them lets a stable compiler build them. Not `1`: that
/// would make `core` be built from source, which is not there.
const UNSTABLE_CRATES: &str = "aya_ebpf,isn_ebpf";

fn main() -> Result<()> {
    for watched in [ROOT, "../isn-common"] {
        println!("cargo:rerun-if-changed={watched}");
    }
    let toolchain = choose()?;
    // Without this, every line that cargo prints for the programs comes out as a warning.
    // SAFETY: a build script has one thread, and nothing has been started yet.
    unsafe { std::env::set_var("CARGO_TERM_QUIET", "true") };
    let package = Package {
        name: PROGRAMS,
        root_dir: ROOT,
        ..Default::default()
    };
    aya_build::build_ebpf([package], toolchain).context(
        "the BPF programs did not build; the lines above tell why. If a tool is missing, run \
         `cargo xtask setup`",
    )
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
