//! What can be asked of the benchmark.

use clap::Parser;

/// Measures what many flows cost: memory, sweeps, lookups. Needs root, and memory for four times as many flows.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// How many flows "many" are
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..=8_000_000))]
    pub flows: u32,
}
