//! The demo's command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use isn_tests::setup::Hook;

/// Shows how a host with regressing initial sequence numbers hangs, and how isnguard cures it.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// Leave the first laboratory running, with isnguard attached, and print how to enter and remove it.
    #[arg(long)]
    pub keep: bool,

    /// Leave captures of both sides of the gateway in this directory (some 600 MB).
    #[arg(long, value_name = "DIR")]
    pub pcap: Option<PathBuf>,

    /// The hook that isnguard attaches to.
    #[arg(long, value_enum, default_value_t = HookChoice::Both)]
    pub hook: HookChoice,
}

/// Which hooks are shown.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum HookChoice {
    /// Native XDP.
    Xdp,
    /// TC.
    Tc,
    /// XDP, then TC for comparison.
    Both,
}

impl Arguments {
    /// The hooks in the order in which they are shown.
    pub fn hooks(&self) -> Vec<Hook> {
        match self.hook {
            HookChoice::Xdp => vec![Hook::Xdp],
            HookChoice::Tc => vec![Hook::Tc],
            HookChoice::Both => vec![Hook::Xdp, Hook::Tc],
        }
    }
}
