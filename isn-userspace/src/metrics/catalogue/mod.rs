//! Every metric: its name, type and labels, one sentence about it, and where its number is. `docs/metrics.md` says what to do about
//! each, and is checked against this list.
//!
//! Labels are bounded: by the words of this program, the interfaces that are attached, and the hosts that the policy names. Never a peer, never a flow.

mod counters;
mod state;
mod tables;

use isn_common::counter::Counter;

use super::reading::Reading;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

impl Kind {
    /// As both formats write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// The value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Of a counter.
    Count(u64),
    /// Of a gauge that counts things.
    Whole(u64),
    /// Of a gauge that measures.
    Real(f64),
}

/// One number of a metric, with the values of its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// One value for each label of the metric.
    pub labels: Vec<String>,
    /// The number.
    pub value: Value,
}

/// A counter of the data plane, and the values of the labels that it is told with.
type Counted = (&'static [&'static str], Counter);

/// Where the numbers of a metric are.
#[derive(Clone, Copy)]
enum Source {
    /// Counters of the data plane.
    Counters(&'static [Counted]),
    /// Counters whose names begin so; the rest of the name is the label.
    Prefix(&'static str),
    /// Somewhere else.
    Elsewhere(fn(&Reading) -> Vec<Sample>),
}

/// A metric.
#[derive(Clone, Copy)]
pub struct Metric {
    /// Its whole name.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it is, in a sentence.
    pub help: &'static str,
    source: Source,
}

impl Metric {
    /// Its numbers in a reading; none where there are none yet.
    #[must_use]
    pub fn samples(&self, reading: &Reading) -> Vec<Sample> {
        match self.source {
            Source::Counters(counters) => counters
                .iter()
                .map(|(labels, counter)| count(labels, reading.get(*counter)))
                .collect(),
            Source::Prefix(prefix) => beginning_with(prefix)
                .map(|(rest, counter)| count(&[rest], reading.get(counter)))
                .collect(),
            Source::Elsewhere(read) => read(reading),
        }
    }
}

/// Every metric, in the order in which they are told.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    let rooms = [state::METRICS, tables::METRICS, counters::METRICS];
    rooms.into_iter().flatten()
}

fn beginning_with(prefix: &str) -> impl Iterator<Item = (&'static str, Counter)> {
    Counter::ALL
        .iter()
        .filter_map(move |counter| Some((counter.name().strip_prefix(prefix)?, *counter)))
}

fn count(labels: &[&str], value: u64) -> Sample {
    Sample {
        labels: labels.iter().map(ToString::to_string).collect(),
        value: Value::Count(value),
    }
}

fn whole(labels: &[&str], value: u64) -> Sample {
    Sample {
        value: Value::Whole(value),
        ..count(labels, 0)
    }
}

fn real(value: f64) -> Sample {
    Sample {
        labels: Vec::new(),
        value: Value::Real(value),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_say_what_they_are() {
        let mut names = BTreeSet::new();
        for Metric {
            name, kind, help, ..
        } in all()
        {
            assert!(names.insert(name), "{name} stands there twice");
            assert!(name.starts_with("isnguard_"), "{name}");
            let is_total = name.ends_with("_total");
            assert_eq!(is_total, *kind == Kind::Counter, "{name}");
            assert!(
                help.ends_with('.') && !help.contains(['"', '\\', '\n']),
                "{name}: {help}"
            );
        }
    }

    #[test]
    fn every_counter_of_the_data_plane_is_told() {
        // Those are told with sums, by code.
        let mut told = BTreeSet::from(counters::WITH_SUMS);
        for metric in all() {
            match metric.source {
                Source::Counters(counters) => {
                    for (labels, counter) in counters {
                        assert_eq!(labels.len(), metric.labels.len(), "{}", metric.name);
                        told.insert(*counter);
                    }
                }
                Source::Prefix(prefix) => told.extend(beginning_with(prefix).map(|it| it.1)),
                Source::Elsewhere(_) => {}
            }
        }
        let missing: Vec<_> = Counter::ALL
            .iter()
            .filter(|it| !told.contains(it))
            .collect();
        assert!(missing.is_empty(), "{missing:?} are in no metric");
    }

    #[test]
    fn the_documentation_has_every_metric_as_it_is_and_no_other() {
        let page = include_str!("../../../../docs/metrics.md");
        let row = |metric: &Metric| {
            let labels: Vec<String> = metric.labels.iter().map(|it| format!("`{it}`")).collect();
            let labels = if labels.is_empty() {
                "–".into()
            } else {
                labels.join(", ")
            };
            format!("| `{}` | {} | {labels} |", metric.name, metric.kind.name())
        };
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `isnguard_"))
            .collect();
        for metric in all() {
            let wanted = row(metric);
            let found = rows.iter().filter(|line| line.starts_with(&wanted)).count();
            assert_eq!(found, 1, "docs/metrics.md needs a row that begins {wanted}");
        }
        assert_eq!(
            rows.len(),
            all().count(),
            "docs/metrics.md has metrics that are not there"
        );
    }
}
