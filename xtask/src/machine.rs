//! What matters about a machine: facts only, so that every decision about them is a pure function with a test.

use std::{collections::BTreeSet, fmt};

/// A program that tests and the demo run, and Debian's package that has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tool {
    pub program: &'static str,
    pub package: &'static str,
    /// Packages cannot be made without it.
    pub packs: bool,
}

impl Tool {
    const fn of(program: &'static str, package: &'static str) -> Self {
        Self {
            program,
            package,
            packs: false,
        }
    }

    const fn packing(program: &'static str, package: &'static str) -> Self {
        Self {
            packs: true,
            ..Self::of(program, package)
        }
    }
}

/// Everything that tests and the demo run.
pub const TOOLS: [Tool; 26] = [
    Tool::of("ip", "iproute2"),
    Tool::of("ethtool", "ethtool"),
    Tool::of("nft", "nftables"),
    Tool::of("ping", "iputils-ping"),
    Tool::of("tcpdump", "tcpdump"),
    Tool::of("nmap", "nmap"),
    Tool::of("capsh", "libcap2-bin"),
    Tool::of("bpftool", "bpftool"),
    Tool::of("ssh", "openssh-client"),
    Tool::of("sshd", "openssh-server"),
    Tool::of("curl", "curl"),
    Tool::of("python3", "python3"),
    Tool::of("promtool", "prometheus"),
    Tool::of("redis-server", "redis-server"),
    Tool::of("redis-cli", "redis-tools"),
    Tool::of("systemd-analyze", "systemd"),
    Tool::of("setpriv", "util-linux"),
    Tool::of("strace", "strace"),
    Tool::of("man", "man-db"),
    Tool::of("zsh", "zsh"),
    Tool::of("fish", "fish"),
    Tool::of("debootstrap", "debootstrap"),
    Tool::of("lintian", "lintian"),
    Tool::packing("dpkg-deb", "dpkg"),
    Tool::packing("dpkg-shlibdeps", "dpkg-dev"),
    Tool::packing("strip", "binutils"),
];

/// The facts.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, not a state"
)]
#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub root: bool,
    pub sudo: bool,
    pub apt: bool,
    pub rustup: bool,
    /// The rustup toolchain `nightly`.
    pub nightly: Option<Toolchain>,
    /// The rustup toolchain `distro`: the distribution's compilers by a name that rustup knows.
    pub distro: Option<Toolchain>,
    /// The compiler in /usr, whether or not rustup has a name for it.
    pub system: Toolchain,
    pub linker: Option<Linker>,
    /// Which of `plan::packages_of_interest` are installed.
    pub packages: BTreeSet<String>,
    pub absent_tools: Vec<Tool>,
    pub nextest: bool,
    pub deny: bool,
}

/// What one compiler installation can do.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, not a state"
)]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Toolchain {
    /// Major version of its LLVM.
    pub llvm: Option<u32>,
    /// Has the sources from which `-Z build-std=core` builds `core`.
    pub rust_src: bool,
    /// Has `core` ready for `bpfel-unknown-none`.
    pub bpf_core: bool,
    pub clippy: bool,
    pub rustfmt: bool,
}

/// The `bpf-linker` on the search path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Linker {
    /// As it says itself; `None` when it does not start.
    pub version: Option<String>,
    /// Major version of the LLVM library it loads; `None` when that is inside it.
    pub llvm: Option<u32>,
}

/// The two ways from Rust to a BPF object. `isn-userspace/build.rs` chooses by the same rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BpfWay {
    /// rustup's nightly builds `core` itself.
    Nightly,
    /// The distribution's compiler has `core` ready made.
    Distro,
}

/// The name of the rustup toolchain.
impl fmt::Display for BpfWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nightly => "nightly",
            Self::Distro => "distro",
        })
    }
}

impl Machine {
    /// Nightly where it can build `core`, the distribution's compiler otherwise.
    pub fn bpf_way(&self) -> BpfWay {
        match &self.nightly {
            Some(nightly) if nightly.rust_src => BpfWay::Nightly,
            _ => BpfWay::Distro,
        }
    }

    /// The toolchain that compiles for BPF, if it is there and can.
    pub fn bpf_toolchain(&self) -> Option<&Toolchain> {
        match self.bpf_way() {
            BpfWay::Nightly => self.nightly.as_ref(),
            BpfWay::Distro => self.distro.as_ref().filter(|distro| distro.bpf_core),
        }
    }
}

impl Linker {
    /// Whether it starts and can read what a compiler with this LLVM writes: bitcode is read by its own and by
    /// later major versions.
    pub fn serves(&self, compiler_llvm: u32) -> bool {
        self.version.is_some() && self.llvm.is_none_or(|own| own >= compiler_llvm)
    }
}
