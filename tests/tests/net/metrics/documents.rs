//! The dashboard, the alerts and the documentation name only metrics that are really there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    process,
    topology::{Lab, LabOptions},
    wait,
};
use isnguard::metrics::catalogue;
use serde_json::Value;

use super::{PATIENCE, get, name, scrape, start, traffic};

pub fn project(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

/// Every word that could be the name of a metric.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("isnguard_")).collect()
}

#[test]
fn every_metric_that_is_named_is_in_a_real_scrape() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let _run = start(&mut isnguard)?;
    traffic(&lab, 43_000)?;
    let told = wait::until(PATIENCE, "a sweep", || {
        let told = scrape(&lab)?;
        Ok(told
            .contains_key("isnguard_sweep_interval_seconds")
            .then_some(told))
    })?;
    let told: BTreeSet<&str> = told.keys().map(|sample| name(sample)).collect();
    for file in [
        "packaging/grafana/isnguard.json",
        "packaging/prometheus/isnguard.rules.yml",
        "docs/metrics.md",
    ] {
        let text =
            fs::read_to_string(project(file)).with_context(|| format!("cannot read {file}"))?;
        let wrong: Vec<_> = named(&text).difference(&told).copied().collect();
        ensure!(
            wrong.is_empty(),
            "{file} names what is not there: {wrong:?}"
        );
    }
    let all: BTreeSet<&str> = catalogue::all().map(|metric| metric.name).collect();
    ensure!(told == all, "{told:?}");
    let typed = get(&lab, "/metrics")?.body;
    for metric in catalogue::all() {
        let line = format!("# TYPE {} {}\n", metric.name, metric.kind.name());
        ensure!(typed.contains(&line), "{line}");
    }
    Ok(())
}

#[test]
fn alerts_are_understood_and_each_fires_for_what_it_is_about() -> Result<()> {
    let rules = project("packaging/prometheus/isnguard.rules.yml");
    let tests = project("tests/prometheus/alerts.yml");
    for (verb, file) in [("check", &rules), ("test", &tests)] {
        let mut promtool = Command::new("promtool");
        promtool.args([verb, "rules"]).arg(file);
        process::run(promtool)?;
    }
    let (rules, tests) = (fs::read_to_string(rules)?, fs::read_to_string(tests)?);
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    ensure!(alerts.len() > 10);
    for alert in &alerts {
        ensure!(
            tests.contains(&format!("- labels: 'ALERTS{{alertname=\"{alert}\"")),
            "no test fires {alert}"
        );
    }
    for wanted in ["summary: ", "description: ", "runbook: ", "severity: "] {
        ensure!(
            rules.matches(wanted).count() == alerts.len(),
            "each alert needs its {wanted}"
        );
    }
    Ok(())
}

#[test]
fn the_dashboard_can_be_imported() -> Result<()> {
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(project(
        "packaging/grafana/isnguard.json",
    ))?)?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let mut ids = BTreeSet::new();
    for panel in panels {
        ensure!(
            ids.insert(panel["id"].as_u64().context("no id")?),
            "{panel}"
        );
        ensure!(
            panel["title"].is_string() && panel["gridPos"]["w"].is_u64(),
            "{panel}"
        );
        let is_row = panel["type"] == "row";
        ensure!(
            is_row || panel["targets"].as_array().is_some_and(|it| !it.is_empty()),
            "{panel}"
        );
        ensure!(is_row || panel["description"].is_string(), "{panel}");
    }
    ensure!(dashboard["uid"] == "isnguard" && dashboard["templating"]["list"].is_array());
    Ok(())
}
