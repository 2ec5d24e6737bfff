//! Saved flows on their way into the tables, and what becomes of each.

use std::cmp::Reverse;

use aya::{
    Pod,
    maps::{HashMap, MapError},
};
use isn_common::{
    abi::{
        flow::{Previous, Record},
        settings::Settings,
    },
    expiry::{self, Place as Where},
    tick::Tick,
};

use super::{Table, maps, pins::Pins, remembered::Family, upkeep::Key};
use crate::failure::{Explain as _, Failure};

/// Flows handed over at a time: between two of these, progress is told.
const AT_A_TIME: usize = 4096;
/// `BPF_NOEXIST` of linux/bpf.h.
const UNLESS_THERE: u64 = 1;

/// What became of saved flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Put in among the translated ones.
    pub translated: u64,
    /// Put in among the half-open ones.
    pub half_open: u64,
    /// Put into the history.
    pub history: u64,
    /// Previous incarnations put in.
    pub previous: u64,
    /// Flows whose time was over.
    pub expired: u64,
    /// Flows of which something was known already.
    pub known: u64,
    /// Flows for which there was no room.
    pub left_out: u64,
}

/// Puts previous incarnations into a table that nobody else uses yet; how many.
pub fn previous<K: Pod>(pins: &Pins, name: &str, all: &[(K, Previous)]) -> Result<u64, Failure> {
    let mut map: HashMap<_, K, Previous> = maps::open(pins, name)?;
    let mut done = 0;
    for (key, previous) in all {
        match map.insert(key, previous, UNLESS_THERE) {
            Ok(()) => done += 1,
            Err(MapError::ElementNotFound) => {}
            Err(error) => {
                return Err(error)
                    .explain(format!("cannot write the table {name}"), "run it as root");
            }
        }
    }
    Ok(done)
}

/// What goes for all flows, and what has become of them so far.
pub struct Tally<'a> {
    /// Settings of the instance, whose horizons apply.
    pub settings: &'a Settings,
    /// When the flows were given their ticks.
    pub now: Tick,
    /// Whether something may be known of them already.
    pub merges: bool,
    /// What has become of them.
    pub done: Restored,
    /// How many flows have had their turn.
    pub turns: usize,
    /// Hears of it.
    pub tell: &'a mut dyn FnMut(usize),
}

/// Puts flows into a table where nothing is known of them; how many.
type Put<'a, K> = dyn FnMut(Where, &[(K, Record)]) -> Result<u64, Failure> + 'a;

/// Flows of one family on their way in.
pub struct Putting<'a, 'b, K: Key> {
    tables: [&'a Table<K>; 3],
    put: &'a mut Put<'a, K>,
    tally: &'a mut Tally<'b>,
}

impl<'a, 'b, K: Key> Putting<'a, 'b, K> {
    /// Into these tables, in the order of their places.
    pub fn new(
        tables: [&'a Table<K>; 3],
        put: &'a mut Put<'a, K>,
        tally: &'a mut Tally<'b>,
    ) -> Self {
        Self { tables, put, tally }
    }

    /// Puts in all flows of the family.
    pub fn family(&mut self, family: Family<K>) -> Result<(), Failure> {
        let translated = self.table(Where::Translated, family.translated)?;
        let half_open = self.table(Where::HalfOpen, family.half_open)?;
        let history = self.table(Where::History, family.history)?;
        let done = &mut self.tally.done;
        done.translated += translated;
        done.half_open += half_open;
        done.history += history;
        Ok(())
    }

    /// Puts flows into one table, those that were silent for the longest time first: where entries make room for others, it is
    /// these. What does not fit is left out beforehand, so that it costs nobody a place.
    fn table(&mut self, place: Where, flows: Vec<(K, Record)>) -> Result<u64, Failure> {
        let all = flows.len();
        let mut flows = self.wanted(place, flows)?;
        let now = self.tally.now;
        flows.sort_by_key(|(_, record)| Reverse(now.since(record.last_seen())));
        let too_many = flows.len().saturating_sub(self.room(place)?);
        self.tally.done.left_out += too_many as u64;
        self.tally.turns += all - (flows.len() - too_many);
        let mut restored = 0;
        for some in flows[too_many..].chunks(AT_A_TIME) {
            restored += self.some(place, some)?;
            self.tally.turns += some.len();
            (self.tally.tell)(self.tally.turns);
        }
        Ok(restored)
    }

    /// The flows that are not over and of which nothing is known.
    fn wanted(
        &mut self,
        place: Where,
        mut flows: Vec<(K, Record)>,
    ) -> Result<Vec<(K, Record)>, Failure> {
        let (settings, now) = (self.tally.settings, self.tally.now);
        let all = flows.len();
        flows.retain(|(_, record)| !expiry::is_over(place, record, settings, now));
        self.tally.done.expired += (all - flows.len()) as u64;
        if !self.tally.merges {
            return Ok(flows);
        }
        let mut unknown = Vec::new();
        for (key, record) in &flows {
            if !self.is_known(key)? {
                unknown.push((*key, *record));
            }
        }
        self.tally.done.known += (flows.len() - unknown.len()) as u64;
        Ok(unknown)
    }

    fn some(&mut self, place: Where, flows: &[(K, Record)]) -> Result<u64, Failure> {
        let restored = (self.put)(place, flows)?;
        let refused = (flows.len() as u64).saturating_sub(restored);
        if refused > 0 {
            let mut absent = 0;
            for (key, _) in flows {
                absent += u64::from(!self.is_known(key)?);
            }
            self.tally.done.left_out += absent;
            self.tally.done.known += refused.saturating_sub(absent);
        }
        Ok(restored)
    }

    fn room(&self, place: Where) -> Result<usize, Failure> {
        let table = self.tables[place as usize];
        let (entries, flows) = table.count()?;
        let taken = if place == Where::Translated {
            flows
        } else {
            entries
        };
        Ok((table.capacity() as usize).saturating_sub(taken))
    }

    fn is_known(&self, key: &K) -> Result<bool, Failure> {
        for table in self.tables {
            if table.get(key)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
