//! Counters and how full the tables are.

use isn_common::{
    abi::maps::SWEPT_HISTORY,
    counter::{Counter, Kind},
};

use super::{Table, instance::Instance};
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
        let swept = maps.swept(SWEPT_HISTORY)?;
        let tables = vec![
            load(&maps.translated_v4)?,
            load(&maps.translated_v6)?,
            load(&maps.history_v4)?,
            load(&maps.history_v6)?,
        ];
        let counters = maps.counters()?;
        let remembered = tables[2].entries + tables[3].entries;
        let inserted = counters[Counter::HistoryInserted.index()];
        let gone = swept.saturating_add(remembered as u64);
        Ok(Stats {
            counters,
            history_evicted: inserted.saturating_sub(gone),
            tables,
        })
    }
}

fn load<K: aya::Pod + Eq + std::hash::Hash>(table: &Table<K>) -> Result<TableLoad, Failure> {
    Ok(TableLoad {
        name: table.name().to_ascii_lowercase(),
        entries: table.keys()?.len(),
        capacity: table.capacity(),
    })
}
