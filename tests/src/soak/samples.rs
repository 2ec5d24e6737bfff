//! What was held at the start, in the middle and at the end, and whether it grew.

use std::time::Duration;

use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};

use crate::holdings::{Holdings, ProcessHoldings};

/// Memory of a process moves a little with what it happens to do; more than this is growth.
const SLACK_KIB: u64 = 2 << 10;

/// What was held at one time.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Since the beginning.
    pub at: Duration,
    /// By `run`.
    pub process: ProcessHoldings,
    /// In the kernel.
    pub kernel: Holdings,
    /// Flows in all tables.
    pub entries: u64,
}

/// All of them, the first after the warm-up.
#[derive(Debug, Default)]
pub struct Samples(Vec<Sample>);

impl Samples {
    /// Adds one.
    pub fn add(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    /// For people: a line for each.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY).set_header([
            "seconds",
            "run: KiB",
            "descriptors",
            "pins",
            "programs",
            "maps",
            "map KiB",
            "flows",
        ]);
        for sample in &self.0 {
            let Holdings {
                pins,
                programs,
                maps,
                map_octets,
            } = sample.kernel;
            table.add_row([
                sample.at.as_secs(),
                sample.process.own_kib,
                sample.process.descriptors as u64,
                pins as u64,
                programs as u64,
                maps as u64,
                map_octets >> 10,
                sample.entries,
            ]);
        }
        table.to_string()
    }

    /// What grew from the first to the last, in words.
    #[must_use]
    pub fn growth(&self) -> Vec<String> {
        let [first, .., last] = self.0.as_slice() else {
            return vec![format!(
                "{} samples tell nothing about growth",
                self.0.len()
            )];
        };
        let mut grown = Vec::new();
        let mut compare = |what: &str, first: u64, last: u64, slack: u64| {
            if last > first + slack {
                grown.push(format!("{what} grew from {first} to {last}"));
            }
        };
        let kib = first.process.own_kib;
        compare(
            "memory of `run` in KiB",
            kib,
            last.process.own_kib,
            SLACK_KIB + kib / 10,
        );
        let descriptors = |sample: &Sample| sample.process.descriptors as u64;
        compare(
            "descriptors of `run`",
            descriptors(first),
            descriptors(last),
            0,
        );
        compare("pins", first.kernel.pins as u64, last.kernel.pins as u64, 0);
        compare(
            "programs",
            first.kernel.programs as u64,
            last.kernel.programs as u64,
            0,
        );
        compare("maps", first.kernel.maps as u64, last.kernel.maps as u64, 0);
        // A prefix of its own is an entry of its own.
        compare(
            "octets of maps",
            first.kernel.map_octets,
            last.kernel.map_octets,
            4 << 10,
        );
        grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(own_kib: u64, descriptors: usize, maps: usize) -> Sample {
        Sample {
            at: Duration::ZERO,
            process: ProcessHoldings {
                own_kib,
                descriptors,
            },
            kernel: Holdings {
                pins: 3,
                programs: 2,
                maps,
                map_octets: 1 << 20,
            },
            entries: 0,
        }
    }

    #[test]
    fn growth_is_told_and_what_merely_moves_is_not() {
        let of = |first, last| Samples(vec![first, last]).growth();
        assert!(of(sample(8_000, 20, 14), sample(9_000, 20, 14)).is_empty());
        assert!(of(sample(8_000, 20, 14), sample(7_000, 19, 14)).is_empty());
        let grown = of(sample(8_000, 20, 14), sample(19_000, 21, 15));
        assert_eq!(grown.len(), 3, "{grown:?}");
        assert_eq!(Samples::default().growth().len(), 1);
    }
}
