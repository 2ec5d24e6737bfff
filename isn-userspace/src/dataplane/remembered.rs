//! Everything that an instance remembers of flows, read while the data plane goes on changing it: what a snapshot saves.
//!
//! A flow may move from one table to another between the reading of the two. So the half-open ones, from which and to which
//! they move, are read twice, and each flow is taken from where it is most certain to be.

use std::{collections::HashSet, hash::Hash, os::fd::AsFd as _};

use aya::{Pod, maps::MapData};
use isn_common::{
    abi::{
        flow::{Control, Previous, Record, pack, unpack},
        maps as names,
    },
    flow::{Key4, Key6},
};

use super::{Table, batch::Batches, instance::Instance, programs::Capacities, upkeep::Key};
use crate::failure::{Explain as _, Failure};

/// What is remembered of both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// IPv4.
    pub v4: Family<Key4>,
    /// IPv6.
    pub v6: Family<Key6>,
}

/// What is remembered of one family. No flow is there twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family<K> {
    /// Flows that may have an offset.
    pub translated: Vec<(K, Record)>,
    /// Flows whose handshake is not complete.
    pub half_open: Vec<(K, Record)>,
    /// Flows with offset 0.
    pub history: Vec<(K, Record)>,
    /// Incarnations before those of the flows.
    pub previous: Vec<(K, Previous)>,
}

impl<K> Default for Family<K> {
    fn default() -> Self {
        Self {
            translated: Vec::new(),
            half_open: Vec::new(),
            history: Vec::new(),
            previous: Vec::new(),
        }
    }
}

impl<K> Family<K> {
    /// How many flows it has; previous incarnations are none of their own.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.translated.len() + self.half_open.len() + self.history.len()
    }

    /// Whether it has no flow.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Remembered {
    /// How many flows there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there is no flow.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Instance {
    /// Everything that is remembered now. Nothing is changed, and traffic goes on.
    pub fn remembered(&self) -> Result<Remembered, Failure> {
        let maps = &self.maps;
        Ok(Remembered {
            v4: Family {
                previous: self.previous(names::PREVIOUS_V4)?,
                ..read(&maps.translated_v4, &maps.half_open_v4, &maps.history_v4)?
            },
            v6: Family {
                previous: self.previous(names::PREVIOUS_V6)?,
                ..read(&maps.translated_v6, &maps.half_open_v6, &maps.history_v6)?
            },
        })
    }

    /// For how many flows the tables have room.
    #[must_use]
    pub const fn capacities(&self) -> Capacities {
        Capacities {
            flows: self.maps.translated_v4.capacity(),
            half_open: self.maps.half_open_v4.capacity(),
            history: self.maps.history_v4.capacity(),
        }
    }

    fn previous<K: Pod>(&self, name: &str) -> Result<Vec<(K, Previous)>, Failure> {
        let what = || format!("cannot read the table {name}");
        let map = MapData::from_pin(self.pins.map(name)).explain(what(), "run it as root")?;
        let mut batches = Batches::of(map.fd().as_fd());
        let mut found = Vec::new();
        while let Some(batch) = batches.next().explain(what(), "run it as root")? {
            found.extend(batch.map(|(key, previous)| (*key, *previous)));
        }
        Ok(found)
    }
}

fn read<K: Key + Eq + Hash>(
    translated: &Table<K>,
    half_open: &Table<K>,
    history: &Table<K>,
) -> Result<Family<K>, Failure> {
    let mut earlier = half_open.flows()?;
    let mut translated = translated.flows()?;
    let (mut history, mut left) = with_leftovers(history)?;
    let mut later = half_open.flows()?;
    let mut seen = HashSet::new();
    for flows in [
        &mut translated,
        &mut later,
        &mut history,
        &mut earlier,
        &mut left,
    ] {
        flows.retain(|(key, _)| seen.insert(*key));
    }
    later.append(&mut earlier);
    history.append(&mut left);
    Ok(Family {
        translated,
        half_open: later,
        history,
        previous: Vec::new(),
    })
}

/// Flows of one table.
type Flows<K> = Vec<(K, Record)>;

/// The flows of the history, and apart from them what they have left there when they moved on.
fn with_leftovers<K: Key>(history: &Table<K>) -> Result<(Flows<K>, Flows<K>), Failure> {
    let (mut flows, mut left) = (Vec::new(), Vec::new());
    history.for_each(|key, record| {
        if record.control().has(Control::MOVED) {
            left.push((*key, settled(*record)));
        } else {
            flows.push((*key, *record));
        }
        Ok(())
    })?;
    Ok((flows, left))
}

/// A leftover in the history whose successor is gone is what is known of the flow.
const fn settled(record: Record) -> Record {
    let (control, seen) = unpack(record.life);
    Record {
        life: pack(Control(control).without(Control::MOVED).0, seen),
        ..record
    }
}
