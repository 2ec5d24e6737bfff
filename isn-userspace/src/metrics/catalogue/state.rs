//! What is attached, and how it is.

use isn_common::abi::ABI_VERSION;

use super::{Kind, Metric, Sample, Source, count, real, whole};
use crate::{dataplane::Hook, metrics::reading::Reading, report::visible, settings::Treatment};

pub(super) const fn metric(
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
        |it| vec![whole(&[], it.last_reload_successful().into())],
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
    let rules = |treatment: Treatment| {
        let rules = reading.status.policy.rules();
        rules.filter(|it| it.mode == treatment).count()
    };
    Treatment::ALL
        .map(|treatment| whole(&[treatment.name()], rules(treatment) as u64))
        .into()
}

fn rewrites(reading: &Reading) -> Vec<Sample> {
    let hosts = reading.rewrites.iter().flatten();
    hosts
        .map(|(host, times)| count(&[&host.to_string()], *times))
        .collect()
}
