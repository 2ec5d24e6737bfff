//! Counters and how full the tables are.

use isn_common::{
    abi::maps::{SWEPT_HALF_OPEN, SWEPT_HISTORY},
    counter::{Counter, Kind},
};

use super::instance::Instance;
use crate::failure::Failure;

/// How full a table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableLoad {
    /// Name, in lower case.
    pub name: String,
    /// Entries now.
    pub entries: usize,
    /// Most entries.
    pub capacity: u32,
}

/// Counters and tables at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Counters of the data plane, indexed by [`Counter::index`].
    pub counters: [u64; Counter::COUNT],
    /// Entries of handshakes, complete ones included, that made room for others before their time.
    pub half_open_evicted: u64,
    /// Flows with offset 0 that made room for others before their time.
    pub history_evicted: u64,
    /// Tables of flows.
    pub tables: Vec<TableLoad>,
}

impl Stats {
    /// A counter.
    #[must_use]
    pub const fn get(&self, counter: Counter) -> u64 {
        self.counters[counter.index()]
    }

    /// Packets seen: each had exactly one outcome.
    #[must_use]
    pub fn packets_seen(&self) -> u64 {
        let outcomes = Counter::ALL
            .iter()
            .filter(|counter| counter.kind() == Kind::Outcome);
        outcomes.map(|counter| self.get(*counter)).sum()
    }
}

impl Instance {
    /// Reads counters and tables.
    pub fn stats(&self) -> Result<Stats, Failure> {
        let maps = &self.maps;
        // What was swept is read first: a flow swept meanwhile then counts as still there, and the
        // number of evicted ones comes out too low for a moment, never too high for ever.
        let swept = (maps.swept(SWEPT_HALF_OPEN)?, maps.swept(SWEPT_HISTORY)?);
        let mut tables = Vec::new();
        let mut entries = Vec::new();
        let mut load = |name: &str, capacity, (all, flows): (usize, usize)| {
            let name = name.to_ascii_lowercase();
            tables.push(TableLoad {
                name,
                entries: flows,
                capacity,
            });
            entries.push(all as u64);
        };
        for (v4, v6) in [
            (&maps.translated_v4, &maps.translated_v6),
            (&maps.half_open_v4, &maps.half_open_v6),
            (&maps.history_v4, &maps.history_v6),
        ] {
            load(v4.name(), v4.capacity(), v4.count()?);
            load(v6.name(), v6.capacity(), v6.count()?);
        }
        let counters = maps.counters()?;
        let evicted = |inserted: Counter, there: u64, swept: u64| {
            counters[inserted.index()].saturating_sub(there.saturating_add(swept))
        };
        Ok(Stats {
            half_open_evicted: evicted(Counter::HalfOpenInserted, entries[2] + entries[3], swept.0),
            history_evicted: evicted(Counter::HistoryInserted, entries[4] + entries[5], swept.1),
            counters,
            tables,
        })
    }
}
