//! Flows and tables as the latest sweep has left them, and the sweeps themselves.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Kind, Metric, Sample, count, real, state::metric, whole};
use crate::{
    dataplane::{Census, PHASES},
    metrics::{Latest, reading::Reading},
};

pub(super) const METRICS: &[Metric] = &[
    metric(
        "isnguard_flows",
        Kind::Gauge,
        &["state"],
        "Flows that are remembered, by state, at the latest sweep.",
        |it| census(it, |census| census.flows),
    ),
    metric(
        "isnguard_translated_flows",
        Kind::Gauge,
        &["state"],
        "Flows that are translated, by state, at the latest sweep.",
        |it| census(it, |census| census.translated),
    ),
    metric(
        "isnguard_table_entries",
        Kind::Gauge,
        &["table"],
        "Flows in a table, at the latest sweep.",
        entries,
    ),
    metric(
        "isnguard_table_capacity",
        Kind::Gauge,
        &["table"],
        "Most flows that a table takes.",
        |it| {
            it.capacities
                .iter()
                .map(|(name, most)| whole(&[name], (*most).into()))
                .collect()
        },
    ),
    metric(
        "isnguard_table_evicted_total",
        Kind::Counter,
        &["table"],
        "Flows forgotten before their time for want of room, since this process began; at least so many.",
        |it| {
            vec![
                count(&["half_open"], it.sweeps.half_open_evicted()),
                count(&["history"], it.sweeps.history_evicted()),
            ]
        },
    ),
    metric(
        "isnguard_table_swept_total",
        Kind::Counter,
        &["table"],
        "Flows that were removed after their time.",
        |it| {
            let [translated, half_open, history] = it.swept;
            vec![
                count(&["translated"], translated),
                count(&["half_open"], half_open),
                count(&["history"], history),
            ]
        },
    ),
    metric(
        "isnguard_sweeps_total",
        Kind::Counter,
        &["outcome"],
        "Walks of this process through the tables, by how they ended.",
        |it| {
            vec![
                count(&["done"], it.sweeps.done),
                count(&["failed"], it.sweeps.failed),
            ]
        },
    ),
    metric(
        "isnguard_last_sweep_timestamp_seconds",
        Kind::Gauge,
        &[],
        "When the latest sweep was done, and the flows were counted, in seconds since 1970.",
        |it| latest(it, |sweep| since_1970(sweep.at)),
    ),
    metric(
        "isnguard_last_sweep_duration_seconds",
        Kind::Gauge,
        &[],
        "How long the latest sweep took.",
        |it| latest(it, |sweep| sweep.took.as_secs_f64()),
    ),
    metric(
        "isnguard_sweep_interval_seconds",
        Kind::Gauge,
        &[],
        "Between two sweeps.",
        |it| latest(it, |_| it.sweeps.interval.as_secs_f64()),
    ),
];

type PerPhase = [u64; PHASES.len()];

fn census(reading: &Reading, which: fn(&Census) -> PerPhase) -> Vec<Sample> {
    let Some(latest) = &reading.sweeps.latest else {
        return Vec::new();
    };
    let counts = PHASES.iter().zip(which(&latest.census));
    counts
        .map(|(phase, flows)| whole(&[phase.name()], flows))
        .collect()
}

fn entries(reading: &Reading) -> Vec<Sample> {
    let Some(latest) = &reading.sweeps.latest else {
        return Vec::new();
    };
    let flows = latest.census.tables.as_flattened();
    let tables = reading.capacities.iter().zip(flows);
    tables
        .map(|((name, _), flows)| whole(&[name], *flows))
        .collect()
}

fn latest(reading: &Reading, number: impl Fn(&Latest) -> f64) -> Vec<Sample> {
    let latest = reading.sweeps.latest.iter();
    latest.map(|it| real(number(it))).collect()
}

fn since_1970(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH)
        .map_or(0.0, |it| it.as_secs_f64())
}
