//! What many flows cost an instance that is attached: memory for each, attaching, sweeps through full tables, and scrapes.

use anyhow::{Context as _, Result, anyhow, ensure};
use isn_common::expiry::Place as Right;
use isn_tests::{
    gateway::Isnguard,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};
use isnguard::{
    dataplane::Pins,
    metrics::{Board, Reading},
    settings::Place,
};

use crate::{
    figure::{Figure, Unit},
    memory,
    report::Report,
    stopwatch::{Took, least_and_median, timed},
    sweep::{Tables, Which},
};

/// Times that something short is measured.
const OFTEN: usize = 9;
/// Times that something is measured before which tables must be filled.
const SELDOM: usize = 3;
/// Flows of which the targets speak.
const MILLION: u32 = 1_000_000;
/// Translated flows of IPv4, and then the other tables that are filled.
const TRANSLATED_V4: Which = Which {
    place: Right::Translated,
    is_v6: false,
};
const OTHERS: [Which; 3] = [
    Which {
        place: Right::Translated,
        is_v6: true,
    },
    Which {
        place: Right::History,
        is_v6: false,
    },
    Which {
        place: Right::History,
        is_v6: true,
    },
];

/// Measures all of it with `flows` flows in each table.
pub fn measure(flows: u32, report: &mut Report) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let many = flows.to_string();
    let room = ["--max-flows", &many, "--max-history", &many];
    let setup = Setup::new(Placement::Inside, Hook::Tc).with(&room);
    report.doing(&format!("attaching with room for {many} flows"));
    let (_, took) = timed(|| isnguard.attach(&setup))?;
    let what = format!("attaching with room for {many} flows");
    let attaching = Figure::new("attach", what, took.wall.as_secs_f64(), Unit::Seconds);
    report.add(attaching.must(at_a_million(flows, "P18")));
    let place = Place {
        instance: isnguard
            .instance()
            .parse()
            .map_err(|why| anyhow!("{why}"))?,
        bpffs: "/sys/fs/bpf".into(),
    };
    let pins = Pins::new(&place);
    let mut tables = Tables::open(&pins)?;
    let scrape = || lab.gateway.enter(|| scrape(&place));
    let empty = scrape()?;
    sweeps(flows, &mut tables, report)?;
    full(flows, &mut tables, report)?;
    let many = scrape()?;
    let empty = seconds("scrape-empty", "scrape of an instance without flows", empty);
    let what = format!("scrape with {} tables of {flows} flows", 1 + OTHERS.len());
    let many = seconds("scrape", what, many);
    let ratio = many.value / empty.value;
    report.add(empty);
    report.add(many.over(ratio, "a scrape without flows"));
    memory(flows, &pins, report)
}

/// Targets speak of a million flows.
fn at_a_million(flows: u32, target: &'static str) -> Option<&'static str> {
    (flows == MILLION).then_some(target)
}

fn seconds(id: &str, what: impl Into<String>, took: Took) -> Figure {
    Figure::new(id, what, took.work.as_secs_f64(), Unit::CpuSeconds)
}

fn sweeps(flows: u32, tables: &mut Tables, report: &mut Report) -> Result<()> {
    let (_, empty) = tables.sweep()?;
    report.add(seconds("sweep-empty", "sweep of empty tables", empty));
    report.doing("sweeping with nothing over");
    tables.fill(TRANSLATED_V4, flows, false)?;
    let mut took = Vec::new();
    for _ in 0..OFTEN {
        let (removed, time) = tables.sweep()?;
        ensure!(removed == 0, "{removed} open flows were swept");
        took.push(time.work.as_secs_f64());
    }
    let (_, median) = least_and_median(&took)?;
    let what = format!("sweep of {flows} flows, nothing over");
    let sweep = Figure::new("sweep", what, median, Unit::CpuSeconds);
    report.add(sweep.must(at_a_million(flows, "P16")));
    removals(flows, tables, report)
}

/// Sweeps that remove what is over. The open flows stay open: what is over fills the table of the other family.
fn removals(flows: u32, tables: &mut Tables, report: &mut Report) -> Result<()> {
    let mut took = Vec::new();
    for turn in 0..SELDOM {
        report.doing(&format!("sweeping with all over, {} of {SELDOM}", turn + 1));
        tables.fill(OTHERS[0], flows, true)?;
        let (removed, time) = tables.sweep()?;
        ensure!(
            removed == u64::from(flows),
            "{removed} of {flows} flows that were over were swept"
        );
        took.push(time.work.as_secs_f64());
    }
    let (_, median) = least_and_median(&took)?;
    let what = format!("sweep that removes {flows} of {} flows", 2 * flows);
    report.add(Figure::new(
        "sweep-removing",
        what,
        median,
        Unit::CpuSeconds,
    ));
    Ok(())
}

/// All tables that hold what was asked for, full.
fn full(flows: u32, tables: &mut Tables, report: &mut Report) -> Result<()> {
    for which in OTHERS {
        report.doing(&format!("filling {which:?}"));
        tables.fill(which, flows, false)?;
    }
    let (_, took) = tables.sweep()?;
    let what = format!(
        "sweep of {} tables of {flows}, nothing over",
        1 + OTHERS.len()
    );
    report.add(seconds("sweep-all", what, took));
    Ok(())
}

/// What metrics read for a scrape: the one of several that took least.
fn scrape(place: &Place) -> Result<Took> {
    let board = Board::default();
    let mut took = Vec::new();
    for _ in 0..OFTEN {
        took.push(timed(|| Ok(Reading::take(place, &board, 0)?))?.1);
    }
    took.into_iter()
        .min_by_key(|took| took.work)
        .context("nothing was read")
}

#[allow(
    clippy::cast_precision_loss,
    reason = "53 bits are more than a machine has memory"
)]
fn memory(flows: u32, pins: &Pins, report: &mut Report) -> Result<()> {
    let taken = memory::taken(pins)?;
    for map in &taken {
        let octets = map.octets as f64;
        let of_flows = ["TRANSLATED", "HISTORY"]
            .iter()
            .any(|name| map.name.starts_with(name));
        let id = format!("memory-{}", map.name.to_lowercase());
        report.add(if of_flows {
            let each = octets / f64::from(flows);
            let what = format!("memory of {}, each flow", map.name);
            let target = map.name.starts_with("TRANSLATED").then_some("P14");
            Figure::new(id, what, each, Unit::OctetsAFlow).must(target)
        } else {
            Figure::new(id, format!("memory of {}", map.name), octets, Unit::Octets)
        });
    }
    let all = taken.iter().map(|map| map.octets as f64).sum();
    report.add(Figure::new(
        "memory",
        "memory of all of these",
        all,
        Unit::Octets,
    ));
    Ok(())
}
