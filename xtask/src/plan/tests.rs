//! The plan as a specification: machines in, command lines out.

use std::collections::BTreeSet;

use super::*;
use crate::machine::{Linker, TOOLS, Toolchain};

fn linker(llvm: u32) -> Linker {
    Linker {
        version: Some(LINKER_VERSION.into()),
        llvm: Some(llvm),
    }
}

fn nightly(llvm: u32, rust_src: bool) -> Toolchain {
    Toolchain {
        llvm: Some(llvm),
        rust_src,
        clippy: true,
        ..Toolchain::default()
    }
}

/// Debian 12 with rustup's Rust only, a nightly without sources among it, as root.
fn fresh() -> Machine {
    Machine {
        root: true,
        apt: true,
        rustup: true,
        nightly: Some(nightly(22, false)),
        absent_tools: TOOLS.to_vec(),
        ..Machine::default()
    }
}

/// The same after `cargo xtask setup`.
fn ready() -> Machine {
    let distro = Toolchain {
        llvm: Some(22),
        bpf_core: true,
        clippy: true,
        ..Toolchain::default()
    };
    Machine {
        distro: Some(distro.clone()),
        system: distro,
        linker: Some(linker(22)),
        packages: linker_packages(22).into_iter().collect(),
        absent_tools: Vec::new(),
        ..fresh()
    }
}

#[track_caller]
fn case(machine: &Machine, purpose: Purpose, expected: &[&str]) {
    let steps = steps(machine, purpose).unwrap();
    let lines: Vec<String> = steps.iter().map(|step| step.line.to_string()).collect();
    assert_eq!(lines, expected);
}

#[track_caller]
fn refused(machine: &Machine, purpose: Purpose, words: &[&str]) {
    let error = steps(machine, purpose).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
}

const INSTALL: &str =
    "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove";
const LINKER_22: &str = "LLVM_PREFIX=/usr/lib/llvm-22 cargo install bpf-linker --version 0.13.0 --locked \
                         --no-default-features --features llvm-22";
const LINK: &str = "rustup toolchain link distro /usr";
const DISTRO: &str = "rustc-web cargo-web libstd-rust-web-dev-bpf";
const FOR_LINKER: &str = "llvm-22-dev libpolly-22-dev zlib1g-dev libzstd-dev libxml2-dev";

#[test]
fn fresh_debian_gets_everything() {
    let tools = "iproute2 ethtool nftables iputils-ping tcpdump nmap libcap2-bin bpftool openssh-client \
                 openssh-server curl python3 prometheus redis-server redis-tools systemd util-linux strace man-db zsh fish \
                 debootstrap lintian dpkg dpkg-dev binutils";
    let install = format!("{INSTALL} {DISTRO} rust-web-clippy {FOR_LINKER} {tools}");
    case(
        &fresh(),
        Purpose::Everything,
        &["apt-get update", &install, LINKER_22, LINK],
    );
}

#[test]
fn building_asks_for_no_test_tools() {
    let install = format!("{INSTALL} {DISTRO} {FOR_LINKER}");
    case(
        &fresh(),
        Purpose::Build,
        &["apt-get update", &install, LINKER_22, LINK],
    );
}

#[test]
fn packing_asks_for_what_packs() {
    let install = format!("{INSTALL} {DISTRO} {FOR_LINKER} dpkg dpkg-dev binutils");
    case(
        &fresh(),
        Purpose::Package,
        &["apt-get update", &install, LINKER_22, LINK],
    );
}

#[test]
fn nothing_to_do_when_all_is_there() {
    for purpose in [
        Purpose::Build,
        Purpose::Lint,
        Purpose::Run,
        Purpose::Package,
        Purpose::Everything,
    ] {
        case(&ready(), purpose, &[]);
    }
}

#[test]
fn nightly_with_sources_is_preferred() {
    let machine = Machine {
        nightly: Some(nightly(22, true)),
        distro: None,
        ..ready()
    };
    assert_eq!(machine.bpf_way(), BpfWay::Nightly);
    case(&machine, Purpose::Everything, &[]);
}

#[test]
fn linker_follows_the_llvm_of_nightly() {
    let machine = Machine {
        nightly: Some(nightly(23, true)),
        linker: None,
        ..ready()
    };
    let install = format!("{INSTALL} llvm-23-dev libpolly-23-dev");
    let linker = LINKER_22.replace("22", "23");
    case(
        &machine,
        Purpose::Build,
        &["apt-get update", &install, &linker],
    );
}

#[test]
fn linker_that_cannot_read_the_bitcode_is_replaced() {
    let machine = Machine {
        linker: Some(linker(21)),
        ..ready()
    };
    case(&machine, Purpose::Build, &[&format!("{LINKER_22} --force")]);
    let broken = Some(Linker {
        version: None,
        llvm: Some(22),
    });
    case(
        &Machine {
            linker: broken,
            ..ready()
        },
        Purpose::Build,
        &[&format!("{LINKER_22} --force")],
    );
}

#[test]
fn newer_or_self_contained_linker_serves() {
    case(
        &Machine {
            linker: Some(linker(23)),
            ..ready()
        },
        Purpose::Build,
        &[],
    );
    let inside = Some(Linker {
        version: Some("0.14.0".into()),
        llvm: None,
    });
    case(
        &Machine {
            linker: inside,
            ..ready()
        },
        Purpose::Build,
        &[],
    );
}

#[test]
fn installed_compiler_without_a_name_only_gets_the_name() {
    case(
        &Machine {
            distro: None,
            ..ready()
        },
        Purpose::Build,
        &[LINK],
    );
}

#[test]
fn distro_toolchain_without_bpf_core_is_no_bpf_toolchain() {
    let empty = Toolchain {
        llvm: Some(19),
        ..Toolchain::default()
    };
    let machine = Machine {
        distro: Some(empty.clone()),
        system: empty,
        ..ready()
    };
    case(
        &machine,
        Purpose::Build,
        &["apt-get update", &format!("{INSTALL} {DISTRO}"), LINK],
    );
}

#[test]
fn missing_clippy_matters_to_check_alone() {
    let mut machine = ready();
    machine.distro.as_mut().unwrap().clippy = false;
    case(&machine, Purpose::Run, &[]);
    case(
        &machine,
        Purpose::Lint,
        &["apt-get update", &format!("{INSTALL} rust-web-clippy")],
    );
    case(
        &Machine {
            root: false,
            ..machine
        },
        Purpose::Lint,
        &[],
    );
}

#[test]
fn one_missing_tool_is_installed_through_sudo() {
    let absent_tools = TOOLS
        .into_iter()
        .filter(|tool| tool.program == "ping")
        .collect();
    let machine = Machine {
        root: false,
        sudo: true,
        absent_tools,
        ..ready()
    };
    let install = format!("sudo env {INSTALL} iputils-ping");
    case(&machine, Purpose::Run, &["sudo apt-get update", &install]);
}

#[test]
fn without_root_it_says_the_exact_commands() {
    let machine = Machine {
        root: false,
        ..fresh()
    };
    let install = format!("{INSTALL} {DISTRO} {FOR_LINKER}\n");
    refused(
        &machine,
        Purpose::Build,
        &["needs root", "\n  apt-get update\n", install.trim_end()],
    );
}

#[test]
fn without_root_an_unprivileged_install_still_happens() {
    case(
        &Machine {
            root: false,
            linker: None,
            ..ready()
        },
        Purpose::Build,
        &[LINKER_22],
    );
}

#[test]
fn without_apt_it_names_the_packages_and_the_other_way() {
    let machine = Machine {
        apt: false,
        ..fresh()
    };
    refused(
        &machine,
        Purpose::Everything,
        &[
            "no apt-get",
            DISTRO,
            FOR_LINKER,
            "tcpdump",
            "--component rust-src",
        ],
    );
}

#[test]
fn without_rustup_it_says_where_to_get_it() {
    refused(
        &Machine {
            rustup: false,
            ..ready()
        },
        Purpose::Build,
        &["rustup.rs"],
    );
}

#[test]
fn llvm_beyond_the_linker_is_refused_with_a_way_out() {
    let machine = Machine {
        nightly: Some(nightly(24, true)),
        ..ready()
    };
    refused(
        &machine,
        Purpose::Build,
        &["`nightly` writes LLVM 24", "cargo binstall bpf-linker"],
    );
}

#[test]
fn packages_of_interest_cover_every_linker() {
    let names: BTreeSet<String> = packages_of_interest().into_iter().collect();
    assert!(
        names.contains("llvm-21-dev")
            && names.contains("libpolly-23-dev")
            && names.contains("libxml2-dev")
    );
}
