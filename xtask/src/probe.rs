//! Looks at the machine and changes nothing.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    command::CommandLine,
    machine::{Linker, Machine, TOOLS, Toolchain},
    plan,
    shell::Shell,
};

/// Everything that decisions are made from.
pub fn machine(shell: &Shell) -> Machine {
    Machine {
        root: is_root(),
        sudo: shell.has("sudo"),
        apt: shell.has("apt-get"),
        rustup: shell.has("rustup"),
        nightly: rustup_toolchain(shell, "nightly"),
        distro: rustup_toolchain(shell, "distro"),
        system: toolchain_at(Path::new("/usr"), None),
        linker: linker(shell),
        packages: installed_packages(shell),
        absent_tools: TOOLS
            .into_iter()
            .filter(|tool| !shell.has(tool.program))
            .collect(),
        nextest: shell.has("cargo-nextest"),
        deny: shell.has("cargo-deny"),
    }
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn rustup_toolchain(shell: &Shell, name: &str) -> Option<Toolchain> {
    let rustc = CommandLine::new("rustc").arg(format!("+{name}"));
    let sysroot = shell.ask(&rustc.clone().args(["--print", "sysroot"]))?;
    let version = shell.ask(&rustc.arg("-vV"))?;
    Some(toolchain_at(Path::new(&sysroot), llvm_of_rustc(&version)))
}

fn toolchain_at(sysroot: &Path, llvm: Option<u32>) -> Toolchain {
    let rustlib = sysroot.join("lib/rustlib");
    let program = |name: &str| sysroot.join("bin").join(name).exists();
    Toolchain {
        llvm,
        rust_src: rustlib.join("src/rust/library/core").is_dir(),
        bpf_core: has_core(&rustlib.join("bpfel-unknown-none/lib")),
        clippy: program("cargo-clippy"),
        rustfmt: program("cargo-fmt"),
    }
}

fn has_core(libraries: &Path) -> bool {
    let Ok(entries) = fs::read_dir(libraries) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

fn linker(shell: &Shell) -> Option<Linker> {
    let program = shell.find("bpf-linker")?;
    let version = shell.ask(&CommandLine::new(&program).arg("--version"));
    let libraries = shell.ask(&CommandLine::new("ldd").arg(&program));
    Some(Linker {
        version: version.map(|said| said.trim_start_matches("bpf-linker ").to_owned()),
        llvm: libraries.as_deref().and_then(llvm_of_ldd),
    })
}

fn installed_packages(shell: &Shell) -> BTreeSet<String> {
    let query =
        CommandLine::words("dpkg-query --show --showformat ${db:Status-Abbrev}${Package}\\n");
    // It fails when it knows nothing of one of the names, and tells about the others all the same.
    let known = shell.ask_all(&query.args(plan::packages_of_interest()));
    known.lines().filter_map(installed_package).collect()
}

/// From `ii zlib1g-dev`: wanted, and installed.
fn installed_package(line: &str) -> Option<String> {
    line.strip_prefix("ii ").map(|name| name.trim().to_owned())
}

/// From `LLVM version: 22.1.4`.
fn llvm_of_rustc(version: &str) -> Option<u32> {
    let line = version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))?;
    leading_number(line)
}

/// From `libLLVM.so.22.1 => …` or, as it was called before LLVM 18, `libLLVM-17.so.1 => …`.
fn llvm_of_ldd(libraries: &str) -> Option<u32> {
    let name = libraries
        .split_whitespace()
        .find_map(|word| word.strip_prefix("libLLVM"))?;
    leading_number(name.trim_start_matches(".so.").trim_start_matches('-'))
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llvm_is_read_from_what_rustc_says() {
        let said = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nrelease: 1.97.0-nightly\nLLVM version: 22.1.4";
        assert_eq!(llvm_of_rustc(said), Some(22));
        assert_eq!(llvm_of_rustc("rustc 1.97.0-nightly"), None);
    }

    #[test]
    fn llvm_is_read_from_the_libraries_a_linker_loads() {
        let said = "\tlinux-vdso.so.1 (0x00007ffe)\n\tlibLLVM.so.22.1 => /lib/x86_64-linux-gnu/libLLVM.so.22.1 (0x7f)";
        assert_eq!(llvm_of_ldd(said), Some(22));
        assert_eq!(
            llvm_of_ldd("\tlibLLVM-17.so.1 => /usr/lib/libLLVM-17.so.1"),
            Some(17)
        );
        assert_eq!(
            llvm_of_ldd("\tlibLLVM.so.22.1-rust-1.97.0-nightly => not found"),
            Some(22)
        );
        assert_eq!(
            llvm_of_ldd("\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6"),
            None
        );
    }

    #[test]
    fn only_installed_packages_count() {
        assert_eq!(
            installed_package("ii  llvm-22-dev").as_deref(),
            Some("llvm-22-dev")
        );
        assert_eq!(installed_package("rc  tcpdump"), None);
        assert_eq!(installed_package("un  llvm-21-dev"), None);
    }

    #[test]
    fn a_toolchain_is_judged_by_its_files() {
        let nothing = toolchain_at(Path::new("/nonexistent"), Some(22));
        let expected = Toolchain {
            llvm: Some(22),
            ..Toolchain::default()
        };
        assert_eq!(nothing, expected);

        let sysroot = tempfile::tempdir().unwrap();
        let make = |dir: &str| fs::create_dir_all(sysroot.path().join(dir)).unwrap();
        make("lib/rustlib/src/rust/library/core");
        make("lib/rustlib/bpfel-unknown-none/lib/libcore-8056e5e5b270ef4d.rlib");
        make("bin/cargo-clippy");
        let expected = Toolchain {
            llvm: None,
            rust_src: true,
            bpf_core: true,
            clippy: true,
            rustfmt: false,
        };
        assert_eq!(toolchain_at(sysroot.path(), None), expected);
    }
}
