//! What is missing for a purpose, and the commands that bring it. Pure: facts in, command lines out.

use anyhow::{Result, bail};

use crate::{
    command::CommandLine,
    machine::{BpfWay, Machine},
};

/// The release of bpf-linker that is installed where there is none.
const LINKER_VERSION: &str = "0.13.0";

/// The LLVM versions for which that release has a feature.
const LINKER_LLVM: [u32; 3] = [21, 22, 23];

/// The LLVM of Debian's BPF-capable Rust, until it is installed and can be asked.
const DISTRO_LLVM: u32 = 22;

/// Debian's BPF-capable Rust.
const DISTRO_RUST: [&str; 3] = ["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf"];

/// Its linter.
const DISTRO_CLIPPY: &str = "rust-web-clippy";

/// What building bpf-linker needs besides LLVM.
const LINKER_LIBRARIES: [&str; 3] = ["zlib1g-dev", "libzstd-dev", "libxml2-dev"];

/// What one wants to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    Build,
    Lint,
    Run,
    Package,
    Everything,
}

impl Purpose {
    fn lints(self) -> bool {
        matches!(self, Self::Lint | Self::Everything)
    }

    fn packs(self) -> bool {
        matches!(self, Self::Package | Self::Run | Self::Everything)
    }

    fn runs(self) -> bool {
        matches!(self, Self::Run | Self::Everything)
    }
}

/// A command with the words that announce it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    pub what: String,
    pub line: CommandLine,
}

/// Packages whose presence is worth knowing.
pub fn packages_of_interest() -> Vec<String> {
    LINKER_LLVM.into_iter().flat_map(linker_packages).collect()
}

/// The commands that bring what is missing, in order; none when nothing is. Fails when no command can.
pub fn steps(machine: &Machine, purpose: Purpose) -> Result<Vec<Step>> {
    if !machine.rustup {
        bail!(
            "there is no rustup on PATH. The build asks for its compilers by their rustup names, one for this \
             machine and one for BPF; install rustup (https://rustup.rs) and run this again"
        );
    }
    let linker = wanted_linker(machine)?;
    let packages = wanted_packages(machine, purpose, linker);
    let mut steps = package_steps(machine, &packages)?;
    steps.extend(linker.map(|llvm| linker_step(machine, llvm)));
    if machine.bpf_toolchain().is_none() {
        steps.push(Step {
            what: "naming the distribution's Rust `distro` for rustup".into(),
            line: CommandLine::words("rustup toolchain link distro /usr"),
        });
    }
    Ok(steps)
}

/// The LLVM version for which bpf-linker must be installed, if it must.
fn wanted_linker(machine: &Machine) -> Result<Option<u32>> {
    let llvm = machine
        .bpf_toolchain()
        .and_then(|toolchain| toolchain.llvm)
        .unwrap_or(DISTRO_LLVM);
    if machine
        .linker
        .as_ref()
        .is_some_and(|linker| linker.serves(llvm))
    {
        return Ok(None);
    }
    if !LINKER_LLVM.contains(&llvm) {
        bail!(
            "the toolchain `{way}` writes LLVM {llvm} bitcode, which bpf-linker {LINKER_VERSION} cannot be built to \
             read; put a bpf-linker that can on PATH (its releases have ready-made ones, and `cargo binstall \
             bpf-linker` fetches them)",
            way = machine.bpf_way()
        );
    }
    Ok(Some(llvm))
}

fn wanted_packages(machine: &Machine, purpose: Purpose, linker: Option<u32>) -> Vec<String> {
    let mut packages = Vec::new();
    let distro = machine.bpf_way() == BpfWay::Distro;
    if distro && machine.bpf_toolchain().is_none() && !machine.system.bpf_core {
        packages.extend(DISTRO_RUST.map(String::from));
    }
    // Without it `check` makes do with `cargo check`, so it is no reason to stop where it cannot be had.
    let has_clippy = machine
        .bpf_toolchain()
        .is_some_and(|toolchain| toolchain.clippy);
    if distro && purpose.lints() && !has_clippy && can_install(machine) {
        packages.push(DISTRO_CLIPPY.into());
    }
    let for_linker = linker.into_iter().flat_map(linker_packages);
    packages.extend(for_linker.filter(|package| !machine.packages.contains(package)));
    let absent = machine.absent_tools.iter();
    let wanted = absent.filter(|tool| purpose.runs() || purpose.packs() && tool.packs);
    packages.extend(wanted.map(|tool| tool.package.to_owned()));
    packages
}

fn can_install(machine: &Machine) -> bool {
    machine.apt && (machine.root || machine.sudo)
}

fn linker_packages(llvm: u32) -> Vec<String> {
    let llvm = [format!("llvm-{llvm}-dev"), format!("libpolly-{llvm}-dev")];
    llvm.into_iter()
        .chain(LINKER_LIBRARIES.map(String::from))
        .collect()
}

fn package_steps(machine: &Machine, packages: &[String]) -> Result<Vec<Step>> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let names = packages.join(" ");
    if !machine.apt {
        bail!("{}", without_apt(&names));
    }
    // `--no-remove`: some of these conflict with other Rust packages, and which of them to give up is not ours to say.
    let update = CommandLine::words("apt-get update");
    let install = CommandLine::words("apt-get install -y --no-install-recommends --no-remove")
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    if !can_install(machine) {
        bail!(
            "installing packages needs root, and there is no sudo here. As root, run this, then try again:\n  \
             {update}\n  {install}"
        );
    }
    let as_root = |line: CommandLine| {
        if machine.root {
            line
        } else {
            line.through_sudo()
        }
    };
    Ok(vec![
        Step {
            what: "asking for the current package lists".into(),
            line: as_root(update),
        },
        Step {
            what: format!("installing {names}"),
            line: as_root(install),
        },
    ])
}

fn without_apt(names: &str) -> String {
    format!(
        "there is no apt-get here. Missing, by Debian's names: {names}. Install what this system calls the same. \
         In place of the Rust and LLVM packages a nightly with its sources serves as well: `rustup toolchain install \
         nightly --component rust-src`, and a bpf-linker for its LLVM on PATH (`cargo binstall bpf-linker`)"
    )
}

fn linker_step(machine: &Machine, llvm: u32) -> Step {
    let version = [
        "--version",
        LINKER_VERSION,
        "--locked",
        "--no-default-features",
        "--features",
    ];
    let install = CommandLine::words("cargo install bpf-linker")
        .args(version)
        .arg(format!("llvm-{llvm}"))
        .env("LLVM_PREFIX", format!("/usr/lib/llvm-{llvm}"));
    let replaces = machine.linker.is_some();
    Step {
        what: format!("installing bpf-linker {LINKER_VERSION} for LLVM {llvm} (about a minute)"),
        line: if replaces {
            install.arg("--force")
        } else {
            install
        },
    }
}

#[cfg(test)]
mod tests;
