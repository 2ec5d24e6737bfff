//! What `/metrics` and `/healthz` tell is what `stats` and `status` tell.

use anyhow::{Context as _, Result, ensure};
use isn_common::counter::Counter;
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    http,
    topology::{INSIDE_IF, Lab, LabOptions},
    wait,
};

use super::{PATIENCE, PORT, get, loopback, name, samples, scrape, start, traffic};

/// The counters of `stats` and the samples that must have their values.
fn pairs() -> Vec<(&'static str, String)> {
    let mut pairs: Vec<(&'static str, String)> = vec![
        (
            "packets_translated_out",
            labelled("packets", "direction=\"out\",verdict=\"translated\""),
        ),
        (
            "packets_translated_in",
            labelled("packets", "direction=\"in\",verdict=\"translated\""),
        ),
        ("syn_seen", "isnguard_syn_seen_total".into()),
        ("syn_safe", labelled("syn", "verdict=\"safe\"")),
        ("syn_rewritten", labelled("syn", "verdict=\"rewritten\"")),
        (
            "table_full",
            labelled("unprotected_syn", "reason=\"table_full\""),
        ),
        (
            "sack_edges_translated",
            "isnguard_sack_edges_translated_total".into(),
        ),
        ("samples_taken", labelled("samples", "outcome=\"taken\"")),
    ];
    for counter in Counter::ALL {
        let name = counter.name();
        if let Some(reason) = name.strip_prefix("pass_") {
            pairs.push((name, labelled("passed", &format!("reason=\"{reason}\""))));
        } else if let Some(reason) = name.strip_prefix("dropped_") {
            pairs.push((name, labelled("dropped", &format!("reason=\"{reason}\""))));
        }
    }
    pairs
}

fn labelled(name: &str, labels: &str) -> String {
    format!("isnguard_{name}_total{{{labels}}}")
}

#[expect(clippy::cast_precision_loss, reason = "few packets")]
#[test]
fn what_is_told_is_what_stats_and_status_tell() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let run = start(&mut isnguard)?;
    traffic(&lab, 40_000)?;
    // Neighbour discovery goes on by itself: both must be read while nothing moves.
    let (told, stats) = wait::until(PATIENCE, "a moment of silence", || {
        let (before, told, after) = (isnguard.stats()?, scrape(&lab)?, isnguard.stats()?);
        Ok((before["counters"] == after["counters"]).then_some((told, after)))
    })?;
    let value = |sample: &str| {
        told.get(sample)
            .copied()
            .with_context(|| format!("no {sample} in {told:?}"))
    };
    for (counter, sample) in pairs() {
        let wanted = stats["counters"][counter].as_u64().context(counter)?;
        ensure!(
            (value(&sample)? - wanted as f64).abs() < 0.5,
            "{sample} is {}, not {wanted}",
            value(&sample)?
        );
    }
    let all: f64 = told
        .iter()
        .filter(|it| name(it.0) == "isnguard_packets_total")
        .map(|it| it.1)
        .sum();
    let seen = stats["counters"]["packets_seen"]
        .as_u64()
        .context("no packets")?;
    ensure!(
        (all - seen as f64).abs() < 0.5 && seen > 100,
        "{all} of {seen}"
    );
    for family in Family::ALL {
        let host = format!(
            "isnguard_host_rewrites_total{{host=\"{}\"}}",
            family.host(0).ip()
        );
        wait::until(PATIENCE, "the sample to be counted", || {
            Ok((scrape(&lab)?.get(&host) == Some(&1.0)).then_some(()))
        })?;
    }
    let attached = format!(
        "isnguard_attached_info{{interface=\"{INSIDE_IF}\",placement=\"inside\",hook=\"tc\"}}"
    );
    ensure!(
        (value(&attached)? - 1.0).abs() < 0.1 && (value("isnguard_healthy")? - 1.0).abs() < 0.1
    );
    run.ask_to_go()
}

#[expect(clippy::cast_precision_loss, reason = "few flows")]
#[test]
fn flows_and_tables_are_those_of_the_latest_sweep() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let _run = start(&mut isnguard)?;
    traffic(&lab, 40_000)?;
    wait::until(PATIENCE, "a sweep to count what stats counts", || {
        let (told, stats) = (scrape(&lab)?, isnguard.stats()?);
        let tables = stats["tables"].as_array().context("no tables")?;
        let agree = tables.iter().all(|table| {
            let name = table["name"].as_str().unwrap_or_default();
            ["entries", "capacity"].iter().all(|what| {
                let sample = format!("isnguard_table_{what}{{table=\"{name}\"}}");
                let wanted = table[what].as_u64().map(|it| it as f64);
                wanted.is_some() && told.get(&sample).copied() == wanted
            })
        });
        let sum = |which: &str| -> f64 {
            told.iter()
                .filter(|it| name(it.0) == which)
                .map(|it| it.1)
                .sum()
        };
        let flows = sum("isnguard_flows");
        let whole = (flows - sum("isnguard_table_entries")).abs() < 0.5;
        Ok((agree && whole && flows > 0.5 && sum("isnguard_translated_flows") > 0.5).then_some(()))
    })?;
    let interval = scrape(&lab)?["isnguard_sweep_interval_seconds"];
    ensure!((interval - 1.0).abs() < 0.1, "{interval}");
    Ok(())
}

#[test]
fn both_formats_at_both_addresses_and_nothing_else() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let run = start(&mut isnguard)?;
    let [v4, v6] = loopback(PORT);
    for to in [v4, v6] {
        let text = http::ask(&lab.gateway, to, "GET /metrics", &[])?;
        ensure!(
            text.header("content-type") == Some("text/plain; version=0.0.4; charset=utf-8"),
            "{text:?}"
        );
        let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
        let open = http::ask(&lab.gateway, to, "GET /metrics", &[accept])?;
        ensure!(
            open.header("content-type")
                .is_some_and(|it| it.starts_with("application/openmetrics-text")),
            "{open:?}"
        );
        ensure!(open.body.ends_with("\n# EOF\n"), "{}", open.body);
        let names =
            |body: &str| -> Result<Vec<String>> { Ok(samples(body)?.into_keys().collect()) };
        ensure!(
            names(&open.body)? == names(&text.body)?,
            "{}\n{}",
            open.body,
            text.body
        );
    }
    let head = http::ask(&lab.gateway, v4, "HEAD /metrics", &[])?;
    ensure!(head.status == 200 && head.body.is_empty() && head.header("content-length").is_some());
    for (request, status) in [
        ("POST /metrics", 405),
        ("DELETE /healthz", 405),
        ("GET /", 404),
        ("GET /metrics/", 404),
        ("GET /../../etc/passwd", 404),
        ("GET /healthz?verbose", 200),
    ] {
        let answer = http::ask(&lab.gateway, v4, request, &[])?;
        ensure!(answer.status == status, "{request}: {answer:?}");
    }
    run.ask_to_go()
}

#[test]
fn health_is_what_status_says() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let _run = start(&mut isnguard)?;
    let well = get(&lab, "/healthz")?;
    ensure!((well.status, &*well.body) == (200, "ok\n"), "{well:?}");
    lab.gateway.run("ip", &["link", "del", INSIDE_IF])?;
    let ill = get(&lab, "/healthz")?;
    let problems = isnguard.status()?["problems"].clone();
    let problems: Vec<&str> = problems
        .as_array()
        .context("no problems")?
        .iter()
        .filter_map(|it| it.as_str())
        .collect();
    ensure!(
        ill.status == 503 && ill.body.lines().eq(problems.iter().copied()),
        "{ill:?}, not {problems:?}"
    );
    ensure!(!problems.is_empty() && scrape(&lab)?["isnguard_healthy"].abs() < 0.1);
    Ok(())
}
