//! What can be asked of the benchmark.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures what isnguard costs, beside floor and peers. Needs root, and memory for four times as many flows.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// How many flows "many" are
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..=8_000_000))]
    pub flows: u32,
    /// Measure this part alone; can be given more than once
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Fewer rounds: for a look
    #[arg(long)]
    pub quick: bool,
    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Compare with figures that another version wrote with --json
    #[arg(long, value_name = "FILE")]
    pub beside: Option<PathBuf>,
    /// Draw the ratios to this file as SVG; if only scaling is asked for, that
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// One packet on each path of the programs
    Paths,
    /// The same for flows at random among many
    Random,
    /// Memory, attaching, sweeps, scrapes
    Tables,
    /// A packet through a gateway, beside peers
    Gateway,
    /// Which hook for which traffic: segments alone and in trains that the kernel joins
    Hooks,
    /// Bulk TCP and connections through a gateway, beside peers
    Tcp,
    /// Mixes of traffic, many flows, many cores; only if it is named
    Scaling,
}

impl Arguments {
    /// Whether nothing but this part is asked for.
    pub fn asks_for_only(&self, part: Part) -> bool {
        self.only == [part]
    }

    /// Whether a part is asked for: all but the longest are, unless some are named.
    pub fn asks_for(&self, part: Part) -> bool {
        self.only.contains(&part) || self.only.is_empty() && part != Part::Scaling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Vec<Part> {
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let asked = |part: &Part| arguments.asks_for(*part);
        Part::value_variants()
            .iter()
            .copied()
            .filter(asked)
            .collect()
    }

    #[test]
    fn everything_unless_parts_are_named() {
        let (last, all) = Part::value_variants().split_last().unwrap();
        assert_eq!(asked("bench"), all);
        assert_eq!(*last, Part::Scaling);
        assert_eq!(asked("bench --only scaling"), [Part::Scaling]);
        assert_eq!(asked("bench --only gateway"), [Part::Gateway]);
        assert_eq!(
            asked("bench --only tcp --only paths"),
            [Part::Paths, Part::Tcp]
        );
        assert!(Arguments::try_parse_from(["bench", "--only", "all"]).is_err());
    }
}
