//! A table of flows as user space sees it: while the data plane goes on changing it.

use std::{ops::Range, os::fd::AsFd as _, sync::Arc};

use aya::maps::{HashMap, MapData, MapError};
use isn_common::{
    abi::flow::{Control, Record},
    expiry::Place,
    slots::Spread,
};

use super::{
    batch::{self, Batches},
    slots::{self, Slots, Unmapped},
    upkeep::Key,
};
use crate::failure::{Explain as _, Failure};

/// Sets of slots that make a page.
const SETS: usize = 512;

/// The sets of slots of a table, and for translated flows the hash table beside them.
pub struct Table<K: Key> {
    name: &'static str,
    place: Place,
    slots: Arc<Unmapped<K>>,
    spread: Spread,
    sets: Range<usize>,
    capacity: u32,
    beside: Option<Beside<K>>,
}

/// A hash table from flow keys to records, open twice: as a table, and as it is.
pub(super) struct Beside<K: Key> {
    pub map: HashMap<MapData, K, Record>,
    pub data: MapData,
}

/// Where a walk through a table has come to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    sets: usize,
    entries: batch::Cursor,
}

impl<K: Key> Table<K> {
    /// Over the slots of its family.
    pub(super) fn new(
        name: &'static str,
        place: Place,
        slots: Arc<Unmapped<K>>,
        spread: Spread,
    ) -> Self {
        let capacity = u32::try_from(spread.flows[place as usize]).unwrap_or(u32::MAX);
        Self {
            name,
            place,
            slots,
            spread,
            sets: slots::range(&spread, place),
            capacity,
            beside: None,
        }
    }

    /// The same with a hash table beside the slots, and so many flows as the most there are to be in both.
    pub(super) fn with(self, beside: Beside<K>, capacity: u32) -> Self {
        Self {
            beside: Some(beside),
            capacity,
            ..self
        }
    }

    /// Name of the table.
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
        for (key, record) in self.slots()?.flows(self.sets.clone()) {
            handle(&key, &record)?;
        }
        let Some(beside) = &self.beside else {
            return Ok(());
        };
        let mut batches = Batches::of(beside.data.fd().as_fd());
        while let Some(batch) = batches
            .next()
            .explain(self.cannot_read(), "run it as root")?
        {
            for (key, record) in batch {
                handle(key, record)?;
            }
        }
        Ok(())
    }

    /// Hands over the next few thousand entries, leftovers too, and moves on behind them; false at the end.
    pub fn page(
        &self,
        cursor: &mut Cursor,
        mut handle: impl FnMut(&K, &Record),
    ) -> Result<bool, Failure> {
        let start = self.sets.start.saturating_add(cursor.sets);
        if start < self.sets.end {
            let end = start.saturating_add(SETS).min(self.sets.end);
            for (key, record) in self.slots()?.flows(start..end) {
                handle(&key, &record);
            }
            cursor.sets += end - start;
            return Ok(true);
        }
        let Some(beside) = &self.beside else {
            return Ok(false);
        };
        let mut batches = Batches::from(beside.data.fd().as_fd(), cursor.entries);
        {
            let batch = batches
                .next()
                .explain(self.cannot_read(), "run it as root")?;
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
        let in_slot = self.slots()?.get(&self.spread, self.place, key);
        let Some(beside) = &self.beside else {
            return Ok(in_slot);
        };
        if in_slot.is_some() {
            return Ok(in_slot);
        }
        match beside.map.get(key, 0) {
            Ok(record) => Ok(Some(record)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error).explain(self.cannot_read(), "run it as root"),
        }
    }

    fn slots(&self) -> Result<&Slots<K>, Failure> {
        self.slots
            .mapped()
            .explain(self.cannot_read(), "run it as root")
    }

    fn cannot_read(&self) -> String {
        format!("cannot read the table {}", self.name)
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
