//! A table of flows as user space sees it: while the data plane goes on changing it.

use std::os::fd::AsFd as _;

use aya::maps::{HashMap, MapData, MapError};
use isn_common::{
    abi::flow::{Control, Record},
    slots::Spread,
};

use super::{
    batch::{self, Batches},
    slots::Slots,
    upkeep::Key,
};
use crate::failure::{Explain as _, Failure};

/// Sets of slots that make a page.
const SETS: usize = 512;

/// A hash map from flow keys to records, with slots before it or none.
pub struct Table<K: Key> {
    name: &'static str,
    map: HashMap<MapData, K, Record>,
    data: MapData,
    capacity: u32,
    slots: Option<(Slots<K>, Spread<u64>)>,
}

/// Where a walk through a table has come to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    sets: usize,
    entries: batch::Cursor,
}

impl<K: Key> Table<K> {
    /// Over a map that is open twice: as a table, and as it is.
    pub(super) fn new(
        name: &'static str,
        map: HashMap<MapData, K, Record>,
        data: MapData,
        capacity: u32,
    ) -> Self {
        Self {
            name,
            map,
            data,
            capacity,
            slots: None,
        }
    }

    /// The same with slots before it, and so many flows as the most there are to be in both.
    pub(super) fn with_slots(self, slots: Slots<K>, spread: Spread<u64>, capacity: u32) -> Self {
        Self {
            slots: Some((slots, spread)),
            capacity,
            ..self
        }
    }

    /// Name of the map.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Most flows it is to have.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Hands over every entry, leftovers too, as it is when its turn comes.
    pub fn for_each(
        &self,
        mut handle: impl FnMut(&K, &Record) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for set in self.sets() {
            for (key, record) in Slots::flows(set) {
                handle(&key, &record)?;
            }
        }
        let mut batches = Batches::of(self.data.fd().as_fd());
        loop {
            let batch = batches.next().explain(
                format!("cannot read the table {}", self.name),
                "run it as root",
            )?;
            let Some(batch) = batch else { return Ok(()) };
            for (key, record) in batch {
                handle(key, record)?;
            }
        }
    }

    /// Hands over the next few thousand entries, leftovers too, and moves on behind them; false at the end.
    pub fn page(
        &self,
        cursor: &mut Cursor,
        mut handle: impl FnMut(&K, &Record),
    ) -> Result<bool, Failure> {
        if let Some(sets) = self.sets().get(cursor.sets..)
            && !sets.is_empty()
        {
            let page = &sets[..sets.len().min(SETS)];
            for (key, record) in page.iter().flat_map(Slots::flows) {
                handle(&key, &record);
            }
            cursor.sets += page.len();
            return Ok(true);
        }
        let mut batches = Batches::from(self.data.fd().as_fd(), cursor.entries);
        {
            let batch = batches.next().explain(
                format!("cannot read the table {}", self.name),
                "run it as root",
            )?;
            let Some(batch) = batch else {
                return Ok(false);
            };
            for (key, record) in batch {
                handle(key, record);
            }
        }
        cursor.entries = batches.cursor();
        Ok(true)
    }

    /// The record of a flow, or `None` if it is not there.
    pub fn get(&self, key: &K) -> Result<Option<Record>, Failure> {
        let in_slot = self.slots.as_ref();
        if let Some(record) = in_slot.and_then(|(slots, spread)| slots.get(spread, key)) {
            return Ok(Some(record));
        }
        match self.map.get(key, 0) {
            Ok(record) => Ok(Some(record)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error).explain(
                format!("cannot read the table {}", self.name),
                "run it as root",
            ),
        }
    }

    fn sets(&self) -> &[super::slots::Set<K>] {
        self.slots.as_ref().map_or(&[], |(slots, _)| slots.sets())
    }

    /// Every flow that is there now. What was left behind when a flow moved to another table is none.
    pub fn flows(&self) -> Result<Vec<(K, Record)>, Failure> {
        let mut flows = Vec::new();
        self.for_each(|key, record| {
            if !record.control().has(Control::MOVED) {
                flows.push((*key, *record));
            }
            Ok(())
        })?;
        Ok(flows)
    }

    /// How many entries there are, and how many of them are flows.
    pub fn count(&self) -> Result<(usize, usize), Failure> {
        let (mut entries, mut flows) = (0, 0);
        self.for_each(|_, record| {
            entries += 1;
            flows += usize::from(!record.control().has(Control::MOVED));
            Ok(())
        })?;
        Ok((entries, flows))
    }
}
