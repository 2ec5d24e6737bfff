//! `isnguard stats`.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use isn_common::counter::Counter;
use serde::Serialize;

use super::{
    Report, Style,
    duration::rounded,
    listing::{Column, Listing},
};
use crate::dataplane::{Stats, TableLoad};

/// Counters and tables as `stats --json` shows them.
#[derive(Debug, Serialize)]
pub struct StatsReport {
    /// The instance.
    instance: String,
    /// Counters by name.
    counters: BTreeMap<&'static str, u64>,
    /// How full the tables are.
    tables: Vec<TableLine>,
    /// Seconds since the reading before this one, while watching.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_seconds: Option<f64>,
    /// What the counters grew by, a second, while watching.
    #[serde(skip_serializing_if = "Option::is_none")]
    rates: Option<BTreeMap<&'static str, f64>>,
    #[serde(skip)]
    with_zeros: bool,
}

#[derive(Debug, Serialize)]
struct TableLine {
    name: String,
    entries: usize,
    capacity: u32,
}

const PACKETS_SEEN: (&str, &str) = ("packets_seen", "Packets that passed the programs.");
const HALF_OPEN_EVICTED: (&str, &str) = (
    "half_open_evicted",
    "Entries of handshakes, complete ones included, forgotten before their time, for want of room: a flood, or raise --max-half-open.",
);
const HISTORY_EVICTED: (&str, &str) = (
    "history_evicted",
    "Flows forgotten before their time, for want of room: raise --max-history.",
);

impl StatsReport {
    /// What was read from the instance; counters that are 0 are printed for people only if
    /// `with_zeros`.
    #[must_use]
    pub fn new(instance: &str, stats: &Stats, with_zeros: bool) -> Self {
        let table = |load: &TableLoad| TableLine {
            name: load.name.clone(),
            entries: load.entries,
            capacity: load.capacity,
        };
        Self {
            instance: instance.into(),
            counters: counters(stats),
            tables: stats.tables.iter().map(table).collect(),
            interval_seconds: None,
            rates: None,
            with_zeros,
        }
    }

    /// The same with rates since `before`, which was read `seconds` earlier.
    #[must_use]
    pub fn since(mut self, before: &Stats, seconds: f64) -> Self {
        let before = counters(before);
        #[expect(
            clippy::cast_precision_loss,
            reason = "rates need no more than 52 bits"
        )]
        let rate = |(name, value): (&&'static str, &u64)| {
            let grown = value.saturating_sub(before.get(name).copied().unwrap_or(0));
            (*name, rounded(grown as f64 / seconds))
        };
        self.rates = Some(self.counters.iter().map(rate).collect());
        self.interval_seconds = Some(rounded(seconds));
        self
    }

    fn line(&self, (name, help): (&'static str, &str)) -> Option<[String; 5]> {
        let value = self.counters[name];
        if value == 0 && !self.with_zeros && name != PACKETS_SEEN.0 {
            return None;
        }
        let rates = self.rates.as_ref();
        let rate = rates.map_or("-".into(), |rates| format!("{:.1}", rates[name]));
        Some([
            group(name).into(),
            name.into(),
            value.to_string(),
            rate,
            help.into(),
        ])
    }
}

fn counters(stats: &Stats) -> BTreeMap<&'static str, u64> {
    let own = Counter::ALL
        .iter()
        .map(|counter| (counter.name(), stats.get(*counter)));
    let made = [
        (PACKETS_SEEN.0, stats.packets_seen()),
        (HALF_OPEN_EVICTED.0, stats.half_open_evicted),
        (HISTORY_EVICTED.0, stats.history_evicted),
    ];
    own.chain(made).collect()
}

/// Groups in the order in which they are printed.
const GROUPS: [&str; 6] = [
    "packets",
    "connections",
    "translated",
    "forwarded",
    "passed",
    "dropped",
];

fn group(name: &str) -> &'static str {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if name == PACKETS_SEEN.0 {
        GROUPS[0]
    } else if begins(&["packets_translated", "icmp_", "sack_", "previous_"]) {
        GROUPS[2]
    } else if begins(&["forwarded_", "left_"]) {
        GROUPS[3]
    } else if begins(&["pass_"]) {
        GROUPS[4]
    } else if begins(&["dropped_"]) {
        GROUPS[5]
    } else {
        GROUPS[1]
    }
}

impl Report for StatsReport {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let mut columns = vec![
            Column::text("verdict"),
            Column::text("counter"),
            Column::number("count"),
        ];
        if self.rates.is_some() {
            columns.push(Column::number("per_second"));
        }
        let people = style != Style::Plain;
        if people {
            columns.push(Column::text("meaning"));
        }
        let mut listing = Listing::new(&columns);
        let own = Counter::ALL
            .iter()
            .map(|counter| (counter.name(), counter.help()));
        let all: Vec<_> = own
            .chain([PACKETS_SEEN, HALF_OPEN_EVICTED, HISTORY_EVICTED])
            .collect();
        for wanted in GROUPS {
            let of_group = all.iter().filter(|(name, _)| group(name) == wanted);
            let lines = of_group.filter_map(|counter| self.line(*counter));
            for (nth, [verdict, name, value, rate, help]) in lines.enumerate() {
                let verdict = if people && nth > 0 {
                    String::new()
                } else {
                    verdict
                };
                let mut cells = vec![verdict, name, value];
                cells.extend(self.rates.as_ref().map(|_| rate));
                cells.extend(people.then_some(help));
                listing.row(cells);
            }
        }
        listing.write(out, style)?;
        writeln!(out)?;
        self.tables(out, style)
    }
}

impl StatsReport {
    fn tables(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let mut listing = Listing::new(&[
            Column::text("table"),
            Column::number("entries"),
            Column::number("capacity"),
        ]);
        for table in &self.tables {
            listing.row([
                table.name.clone(),
                table.entries.to_string(),
                table.capacity.to_string(),
            ]);
        }
        listing.write(out, style)
    }
}
