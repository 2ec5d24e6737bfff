//! What many flows cost: memory for each, sweeps through full tables, lookups among them. Times are this thread's at work and are
//! printed with proportions within the same run, since only those carry over to another machine. `cargo xtask bench` builds and runs it.

mod arguments;
mod flows;
mod lookup;
mod memory;
mod report;
mod stopwatch;
mod sweep;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Parser as _;
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
use nix::unistd::geteuid;

use crate::{
    arguments::Arguments,
    lookup::Bench,
    report::Report,
    stopwatch::{Took, least_and_median, timed},
    sweep::{Tables, Which},
};

/// Times that something short is measured.
const OFTEN: usize = 9;
/// Times that something is measured before which tables must be filled.
const SELDOM: usize = 3;
/// Flows that are few.
const FEW: u32 = 1000;
/// Seconds between two sweeps, with the default history.
const INTERVAL: f64 = 30.0;
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

fn main() -> ExitCode {
    match perform(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: &Arguments) -> Result<()> {
    ensure!(
        geteuid().is_root(),
        "it makes network namespaces and loads BPF programs, which needs root, and this process runs as uid {}: run it \
         with sudo",
        geteuid()
    );
    let mut report = Report::new();
    tables(arguments.flows, &mut report)?;
    lookups(arguments.flows, &mut report)?;
    report.print();
    Ok(())
}

/// Memory and sweeps, in the tables of an instance that is attached.
fn tables(flows: u32, report: &mut Report) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let many = flows.to_string();
    let room = ["--max-flows", &many, "--max-history", &many];
    let setup = Setup::new(Placement::Inside, Hook::Tc).with(&room);
    report.doing(&format!("attaching with room for {many} flows"));
    let (_, took) = timed(|| isnguard.attach(&setup))?;
    report.add("attaching", format!("{:.2} s", took.wall.as_secs_f64()), "");
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
    report.add(
        "scrape of an instance without flows",
        milliseconds(empty.work),
        "",
    );
    let proportion = many.work.as_secs_f64() / empty.work.as_secs_f64();
    report.add(
        format!("scrape with {} tables of {flows} flows", 1 + OTHERS.len()),
        milliseconds(many.work),
        format!("{proportion:.2} ×"),
    );
    memory(flows, &pins, report)
}

fn sweeps(flows: u32, tables: &mut Tables, report: &mut Report) -> Result<()> {
    let (_, empty) = tables.sweep()?;
    report.add("sweep, empty tables", milliseconds(empty.work), "");
    report.doing("sweeping with nothing over");
    tables.fill(TRANSLATED_V4, flows, false)?;
    let mut took = Vec::new();
    for _ in 0..OFTEN {
        let (removed, time) = tables.sweep()?;
        ensure!(removed == 0, "{removed} open flows were swept");
        took.push(time.work);
    }
    let (least, median) = least_and_median(&took)?;
    report.add(
        format!("sweep, {flows} flows, nothing over: least"),
        milliseconds(least),
        format!("{} a flow", each(least, flows)),
    );
    report.add("the same: median", milliseconds(median), share(median));
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
        took.push(time.work);
    }
    let (least, _) = least_and_median(&took)?;
    report.add(
        format!("sweep that removes {flows} of {} flows: least", 2 * flows),
        milliseconds(least),
        format!("{} a flow removed", each(least, flows)),
    );
    Ok(())
}

/// All tables that hold what was asked for, full.
fn full(flows: u32, tables: &mut Tables, report: &mut Report) -> Result<()> {
    for which in OTHERS {
        report.doing(&format!("filling {which:?}"));
        tables.fill(which, flows, false)?;
    }
    let (_, took) = tables.sweep()?;
    report.add(
        format!(
            "sweep, {} tables of {flows}, nothing over",
            1 + OTHERS.len()
        ),
        milliseconds(took.work),
        share(took.work),
    );
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

fn milliseconds(took: Duration) -> String {
    format!("{:.0} ms", took.as_secs_f64() * 1e3)
}

fn each(took: Duration, flows: u32) -> String {
    format!("{:.0} ns", took.as_secs_f64() * 1e9 / f64::from(flows))
}

fn share(took: Duration) -> String {
    format!(
        "{:.2} % of a processor",
        took.as_secs_f64() / INTERVAL * 100.0
    )
}

fn memory(flows: u32, pins: &Pins, report: &mut Report) -> Result<()> {
    let taken = memory::taken(pins)?;
    for map in &taken {
        let each = map.octets.div_ceil(u64::from(flows));
        let is_sized = ["TRANSLATED", "HISTORY"]
            .iter()
            .any(|name| map.name.starts_with(name));
        let proportion = if is_sized {
            format!("{each} octets a flow")
        } else {
            String::new()
        };
        report.add(
            format!("memory of {}", map.name),
            mebibytes(map.octets),
            proportion,
        );
    }
    let all = taken.iter().map(|map| map.octets).sum();
    report.add("memory of all of these", mebibytes(all), "");
    Ok(())
}

fn mebibytes(octets: u64) -> String {
    format!("{} MiB", octets.div_ceil(1 << 20))
}

fn lookups(flows: u32, report: &mut Report) -> Result<()> {
    report.doing("filling tables for lookups");
    let (mut few, mut many) = (Bench::load(FEW)?, Bench::load(flows)?);
    let (mut alone, mut among_many, mut hot) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..OFTEN {
        report.doing(&format!("looking flows up, {} of {OFTEN}", turn + 1));
        let nothing = few.pass()?;
        alone.push(few.translate(FEW)? - nothing);
        among_many.push(many.translate(flows)? - nothing);
        hot.push(many.translate(FEW)? - nothing);
    }
    let (_, alone) = least_and_median(&alone)?;
    let cases = [
        (format!("segment of one of {FEW} flows at random"), alone),
        (
            format!("segment of one of {flows} flows at random"),
            least_and_median(&among_many)?.1,
        ),
        (
            format!("segment of one of {FEW} among {flows} flows"),
            least_and_median(&hot)?.1,
        ),
    ];
    for (case, took) in cases {
        report.add(
            case,
            format!("{took:.0} ns"),
            format!("{:.2} ×", took / alone),
        );
    }
    Ok(())
}
