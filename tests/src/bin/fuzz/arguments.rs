//! What can be asked of the fuzzer.

use std::path::PathBuf;

use clap::Parser;

/// Looks for sequences of packets on which kernel, memory and model differ.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// Where the random numbers begin; without it, anywhere
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// End after so many packets
    #[arg(long, value_name = "N")]
    pub packets: Option<u64>,
    /// End after this time
    #[arg(long, value_name = "N")]
    pub minutes: Option<u64>,
    /// Play this episode instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "packets", "minutes"])]
    pub replay: Option<PathBuf>,
}
