//! What is attached, how it is, and what it holds.

use std::time::{SystemTime, UNIX_EPOCH};

use isn_common::abi::ABI_VERSION;

use super::{Kind, Metric, Sample, Source, count, real, whole};
use crate::{
    dataplane::{Hook, PHASES},
    metrics::reading::Reading,
    report::visible,
    settings::{Mode, mode_name},
};

const fn metric(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&Reading) -> Vec<Sample>,
) -> Metric {
    Metric {
        name,
        kind,
        labels,
        help,
        source: Source::Elsewhere(read),
    }
}

pub(super) const METRICS: &[Metric] = &[
    metric(
        "isnguard_build_info",
        Kind::Gauge,
        &["version", "abi_version"],
        "The version of this program and of the layout of its maps; always 1.",
        |_| {
            vec![whole(
                &[env!("CARGO_PKG_VERSION"), &ABI_VERSION.to_string()],
                1,
            )]
        },
    ),
    metric(
        "isnguard_healthy",
        Kind::Gauge,
        &[],
        "1 if status finds nothing wrong, else 0.",
        |it| vec![whole(&[], it.status.problems.is_empty().into())],
    ),
    metric(
        "isnguard_problems",
        Kind::Gauge,
        &[],
        "How many things status finds wrong.",
        |it| vec![whole(&[], it.status.problems.len() as u64)],
    ),
    metric(
        "isnguard_attached_info",
        Kind::Gauge,
        &["interface", "placement", "hook"],
        "An interface that the instance sits on; always 1.",
        attached,
    ),
    metric(
        "isnguard_policy_rules",
        Kind::Gauge,
        &["mode"],
        "Rules of the policy, by mode.",
        rules,
    ),
    metric(
        "isnguard_draining",
        Kind::Gauge,
        &[],
        "1 while no new offset is made, so that the instance can be detached, else 0.",
        |it| vec![whole(&[], it.status.settings.draining().into())],
    ),
    metric(
        "isnguard_config_last_reload_successful",
        Kind::Gauge,
        &[],
        "1 if the configuration that is in use is the latest that was asked for, 0 if that one was refused.",
        |it| vec![whole(&[], it.last_reload_successful.into())],
    ),
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
    metric(
        "isnguard_host_rewrites_total",
        Kind::Counter,
        &["host"],
        "SYNs of a host that the policy names by its full address that left with another number, of those sampled since this process began.",
        rewrites,
    ),
    metric(
        "isnguard_keyed_in_use",
        Kind::Gauge,
        &[],
        "1 if a rule of the policy is keyed, else 0.",
        |it| vec![whole(&[], it.status.key.in_use.into())],
    ),
    metric(
        "isnguard_key_generation",
        Kind::Gauge,
        &[],
        "Number of the key of keyed mode; grows with each rotation.",
        |it| vec![whole(&[], it.status.key.generation.into())],
    ),
    metric(
        "isnguard_adopting_remaining_seconds",
        Kind::Gauge,
        &[],
        "For how long flows of before keyed mode or its key are still adopted; 0 if they are not.",
        |it| {
            vec![real(
                it.status
                    .key
                    .adopting
                    .map_or(0.0, crate::dataplane::Adopting::seconds_left),
            )]
        },
    ),
    metric(
        "isnguard_reading_duration_seconds",
        Kind::Gauge,
        &[],
        "How long it took to read what this scrape tells.",
        |it| vec![real(it.took.as_secs_f64())],
    ),
    metric(
        "isnguard_metrics_refused_total",
        Kind::Counter,
        &[],
        "Connections to this endpoint that were turned away because too many were open.",
        |it| vec![count(&[], it.refused)],
    ),
];

fn attached(reading: &Reading) -> Vec<Sample> {
    let attached = reading.status.attached.iter();
    let info = attached.map(|it| {
        let hook = it.hook.map_or("none", Hook::name);
        whole(&[&visible(&it.interface), it.placement.name(), hook], 1)
    });
    info.collect()
}

fn rules(reading: &Reading) -> Vec<Sample> {
    let in_mode = |mode: Mode| {
        reading
            .status
            .policy
            .rules()
            .filter(|it| it.mode == mode)
            .count()
    };
    [Mode::Observe, Mode::Monotonic, Mode::Keyed]
        .map(|mode| whole(&[mode_name(mode)], in_mode(mode) as u64))
        .into()
}

type PerPhase = [u64; PHASES.len()];

fn census(reading: &Reading, which: fn(&crate::dataplane::Census) -> PerPhase) -> Vec<Sample> {
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

fn latest(reading: &Reading, number: impl Fn(&crate::metrics::Latest) -> f64) -> Vec<Sample> {
    let latest = reading.sweeps.latest.iter();
    latest.map(|it| real(number(it))).collect()
}

fn since_1970(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH)
        .map_or(0.0, |it| it.as_secs_f64())
}

fn rewrites(reading: &Reading) -> Vec<Sample> {
    let hosts = reading.rewrites.iter().flatten();
    hosts
        .map(|(host, times)| count(&[&host.to_string()], *times))
        .collect()
}
