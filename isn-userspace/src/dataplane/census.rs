//! What a sweep finds in the tables while it walks through them anyway: how many flows there are, by state, and what was
//! forgotten for want of room. So nobody else has to walk.

use isn_common::{
    abi::{
        flow::{Control, Phase, Record},
        maps::{SWEPT_HALF_OPEN, SWEPT_HISTORY},
    },
    counter::Counter,
    expiry::Place,
};

use super::maps::Maps;
use crate::failure::Failure;

/// The states of a flow, in the order of a connection's life.
pub const PHASES: [Phase; 5] = [
    Phase::Opening,
    Phase::HalfOpen,
    Phase::Established,
    Phase::Closing,
    Phase::Closed,
];

/// Flows and tables as a sweep has left them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Flows by state, in the order of [`PHASES`].
    pub flows: [u64; PHASES.len()],
    /// Those of them that are translated.
    pub translated: [u64; PHASES.len()],
    /// Flows in each table: by [`Place`], IPv4 before IPv6.
    pub tables: [[u64; 2]; Place::ALL.len()],
    /// Entries of half-open flows that made room for others, since the instance was made: at least so many.
    pub half_open_evicted: Bounds,
    /// The same of the history.
    pub history_evicted: Bounds,
}

/// A number that moved while it was looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// It was not less.
    pub least: u64,
    /// It was not more, but for what went on meanwhile.
    pub most: u64,
}

/// A census while the tables are walked through.
pub(super) struct Count {
    census: Census,
    /// Entries that were met, leftovers and those that go included, of half-open flows and of the history.
    entries: [u64; 2],
    inserted: [u64; 2],
    swept: [u64; 2],
}

impl Count {
    /// To be begun before the first table is read: what is inserted meanwhile then makes the number of evicted ones too
    /// low, never too high.
    pub fn begin(maps: &Maps) -> Result<Self, Failure> {
        Ok(Self {
            census: Census::default(),
            entries: [0; 2],
            swept: [maps.swept(SWEPT_HALF_OPEN)?, maps.swept(SWEPT_HISTORY)?],
            inserted: inserted(maps)?,
        })
    }

    /// An entry was met; `goes` if it is removed.
    pub fn met(&mut self, place: Place, is_v6: bool, record: &Record, goes: bool) {
        match place {
            Place::Translated => {}
            Place::HalfOpen => self.entries[0] += 1,
            Place::History => self.entries[1] += 1,
        }
        let control = record.control();
        if goes || control.has(Control::MOVED) {
            return;
        }
        let phase = control.phase();
        let at = PHASES.iter().position(|it| *it == phase).unwrap_or(0);
        self.census.flows[at] += 1;
        self.census.translated[at] += u64::from(!record.translation().is_none());
        self.census.tables[place as usize][usize::from(is_v6)] += 1;
    }

    /// After the last table.
    pub fn end(self, maps: &Maps) -> Result<Census, Failure> {
        let after = inserted(maps)?;
        let evicted = |which: usize| {
            let there = self.entries[which] + self.swept[which];
            Bounds {
                least: self.inserted[which].saturating_sub(there),
                most: after[which].saturating_sub(there),
            }
        };
        Ok(Census {
            half_open_evicted: evicted(0),
            history_evicted: evicted(1),
            ..self.census
        })
    }
}

fn inserted(maps: &Maps) -> Result<[u64; 2], Failure> {
    let counters = maps.counters()?;
    Ok([Counter::HalfOpenInserted, Counter::HistoryInserted].map(|it| counters[it.index()]))
}
