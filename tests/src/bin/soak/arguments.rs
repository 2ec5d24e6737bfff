//! What can be asked of the soak.

use clap::{Parser, ValueEnum};
use isn_tests::setup::Hook;

/// Connections come and go while `run` dies, settings change, SYNs flood and the interface goes down and up.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// How long connections are opened; those that are open then may end
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub minutes: u64,
    /// Where the random numbers begin; without it, anywhere
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The hook of arriving packets
    #[arg(long, value_enum, default_value_t = SoakHook::Xdp)]
    pub hook: SoakHook,
}

/// Hooks that can be soaked.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SoakHook {
    /// Native XDP
    Xdp,
    /// TC both ways
    Tc,
}

impl From<SoakHook> for Hook {
    fn from(hook: SoakHook) -> Self {
        match hook {
            SoakHook::Xdp => Self::Xdp,
            SoakHook::Tc => Self::Tc,
        }
    }
}
