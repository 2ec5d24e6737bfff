//! A line for each look, where there is no terminal.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::SystemTime,
};

use isn_common::counter::Counter;
use serde::Serialize;

use super::{App, rates::VERDICTS};
use crate::report::SCHEMA_VERSION;

/// A look, as `top --json` shows it.
#[derive(Debug, Serialize)]
pub struct Summary {
    schema_version: u32,
    instance: String,
    time: String,
    interval_seconds: f64,
    /// Packets and SYNs a second, by the names of `stats`.
    rates: BTreeMap<&'static str, f64>,
    tables: Vec<TableLine>,
    /// Looks that the tables' last round took, or has taken so far.
    tables_looks: usize,
    /// Whether the tables were gone through to the end.
    tables_complete: bool,
    /// Mode of all rules; `None` while it is not known.
    mode: Option<&'static str>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct TableLine {
    name: &'static str,
    entries: Option<usize>,
    capacity: u32,
}

/// Names of the tables, as `stats` has them.
pub const TABLES: [&str; 6] = [
    "translated_v4",
    "translated_v6",
    "half_open_v4",
    "half_open_v6",
    "history_v4",
    "history_v6",
];

const PACKETS: [Counter; 3] = [
    Counter::PacketsTranslatedOut,
    Counter::PacketsTranslatedIn,
    Counter::SynSeen,
];

impl Summary {
    /// Of the latest look.
    #[must_use]
    pub fn new(app: &App, wall: SystemTime) -> Self {
        let rounded = |rate: f64| (rate * 10.0).round() / 10.0;
        let found = app.roll.found.as_ref();
        let tables = TABLES.into_iter().zip(app.capacities).enumerate();
        Self {
            schema_version: SCHEMA_VERSION,
            instance: app.instance.clone(),
            time: humantime::format_rfc3339_millis(wall).to_string(),
            interval_seconds: (app.rates.seconds * 1e3).round() / 1e3,
            rates: PACKETS
                .into_iter()
                .chain(VERDICTS)
                .map(|it| (it.name(), rounded(app.rates.per_second(it))))
                .collect(),
            tables: tables
                .map(|(nth, (name, capacity))| TableLine {
                    name,
                    entries: found.map(|found| found.tables[nth]),
                    capacity,
                })
                .collect(),
            tables_looks: found.map_or(0, |found| found.looks),
            tables_complete: found.is_some_and(|found| found.is_whole),
            mode: app
                .asked
                .as_ref()
                .map(|asked| asked.mode)
                .filter(|mode| !mode.is_empty()),
            problems: app
                .asked
                .as_ref()
                .map_or_else(Vec::new, |asked| asked.problems.clone()),
        }
    }

    /// Names of the plain columns.
    #[must_use]
    pub fn columns() -> String {
        let rates = PACKETS.into_iter().chain(VERDICTS).map(Counter::name);
        let all: Vec<&str> = ["time"]
            .into_iter()
            .chain(rates)
            .chain(TABLES)
            .chain(["problems"])
            .collect();
        all.join("\t")
    }

    /// Writes it as one JSON object with a newline behind it.
    pub fn json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    /// Writes it as columns.
    pub fn text(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{}", self.time)?;
        for counter in PACKETS.into_iter().chain(VERDICTS) {
            write!(out, "\t{:.1}", self.rates[counter.name()])?;
        }
        for table in &self.tables {
            match table.entries {
                Some(entries) => write!(out, "\t{entries}")?,
                None => write!(out, "\t-")?,
            }
        }
        writeln!(out, "\t{}", self.problems.len())
    }
}
