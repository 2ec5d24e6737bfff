//! A table of flows past the programs: slots and what lies beside them, to be read, filled and emptied.

use std::{ops::Range, os::fd::AsFd as _, sync::atomic::Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use aya::{
    Ebpf,
    maps::{Array, HashMap, Map, MapData},
};
use isn_common::{
    abi::{flow::Record, maps},
    expiry::Place,
    slots::{KEYS, New, Put, Spread, Spreading},
};
use isnguard::dataplane::{
    Key,
    slots::{Layout, Slots, range},
};

use super::clock;
use crate::fuzz::bpf::take_all;

/// Names of the maps of a family, and its index where both are counted.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Sets of slots, and what is in them.
    pub slots: [&'static str; 2],
    /// The hash table beside those of translated flows.
    pub beside: &'static str,
    /// Index of its flows there in [`Spreading::overflowing`].
    pub family: usize,
}

/// Those of IPv4.
pub const V4: Names = Names {
    slots: [maps::SLOTS_V4, maps::PRINTS_V4],
    beside: maps::TRANSLATED_V4,
    family: 0,
};

/// Those of IPv6.
pub const V6: Names = Names {
    slots: [maps::SLOTS_V6, maps::PRINTS_V6],
    beside: maps::TRANSLATED_V6,
    family: 1,
};

/// The table of one family in one place.
pub struct Flows<'a, K: Key> {
    slots: &'a Slots<K>,
    ebpf: &'a mut Ebpf,
    names: Names,
    place: Place,
}

/// The slots of a family in memory.
pub fn slots<K: Key>(ebpf: &Ebpf, names: Names) -> Result<Slots<K>> {
    let [sets, prints] = names.slots.map(|name| ebpf.map(name));
    match (sets, prints) {
        (Some(Map::Array(sets)), Some(Map::Array(prints))) => Ok(Slots::of(sets, prints)?),
        _ => bail!("the object has no slots {:?}", names.slots),
    }
}

/// How flows are spread over so many sets: the same way each time.
#[must_use]
pub fn spread(layout: &Layout) -> Spread {
    let mut random = fastrand::Rng::with_seed(1);
    layout.spread([(); KEYS].map(|()| random.u64(..)))
}

/// Writes down how they are spread, as the programs know it.
pub fn settle(ebpf: &mut Ebpf, spread: Spread) -> Result<()> {
    let spreading = Spreading {
        spread,
        overflowing: [0; 2],
    };
    Ok(spread_map(ebpf)?.set(0, spreading, 0)?)
}

fn spread_map(ebpf: &mut Ebpf) -> Result<Array<&mut MapData, Spreading<u64>>> {
    let map = ebpf
        .map_mut(maps::SPREAD)
        .context("the object does not spread flows")?;
    Ok(map.try_into()?)
}

impl<'a, K: Key + Eq + std::hash::Hash> Flows<'a, K> {
    /// Over what was loaded.
    pub fn new(slots: &'a Slots<K>, ebpf: &'a mut Ebpf, names: Names, place: Place) -> Self {
        Self {
            slots,
            ebpf,
            names,
            place,
        }
    }

    fn beside(&mut self) -> Result<HashMap<&mut MapData, K, Record>> {
        let map = self
            .ebpf
            .map_mut(self.names.beside)
            .with_context(|| format!("the object has no map {}", self.names.beside))?;
        Ok(map.try_into()?)
    }

    /// How flows are spread, and which sets are those of this table.
    fn sets(&mut self) -> Result<(Spread, Range<usize>)> {
        let spread = spread_map(self.ebpf)?.get(&0, 0)?.spread;
        Ok((spread, range(&spread, self.place)))
    }

    /// All flows.
    pub fn read(&mut self) -> Result<std::collections::HashMap<K, Record>> {
        let (_, sets) = self.sets()?;
        let mut flows: std::collections::HashMap<K, Record> = std::collections::HashMap::new();
        for (key, record) in self.slots.flows(sets) {
            ensure!(
                flows.insert(key, record).is_none(),
                "a flow is in two slots"
            );
        }
        if self.place == Place::Translated {
            for entry in &self.beside()? {
                let (key, record) = entry?;
                ensure!(
                    flows.insert(key, record).is_none(),
                    "a flow is in a slot and beside"
                );
            }
        }
        Ok(flows)
    }

    /// All flows, which are not there any more afterwards.
    pub fn take(&mut self) -> Result<std::collections::HashMap<K, Record>> {
        let (_, sets) = self.sets()?;
        let mut flows: std::collections::HashMap<K, Record> =
            self.slots.flows(sets.clone()).collect();
        let shelves = self.slots.sets(sets.clone()).iter();
        for (set, prints) in shelves.zip(self.slots.prints(sets)) {
            if prints.swap(0, Ordering::SeqCst) != 0 {
                set.clear();
            }
        }
        let is_beside = self.place == Place::Translated;
        if is_beside && self.overflowing()? != 0 {
            match self.ebpf.map(self.names.beside) {
                Some(Map::HashMap(data)) => flows.extend(take_all::<K, Record>(data.fd().as_fd())?),
                _ => bail!("the object has no map {}", self.names.beside),
            }
            self.overflow(|_| 0)?;
        }
        Ok(flows)
    }

    /// Makes these the flows.
    pub fn write(&mut self, wanted: impl IntoIterator<Item = (K, Record)>) -> Result<()> {
        self.take()?;
        self.put(wanted)
    }

    /// Puts flows in, or others in their places.
    pub fn put(&mut self, flows: impl IntoIterator<Item = (K, Record)>) -> Result<()> {
        let ((spread, _), now) = (self.sets()?, clock::now());
        for (key, record) in flows {
            let spot = spread.spot(self.place, key.words().as_ref());
            let set = self.slots.shelf(spot.set).context("a flow has no set")?;
            let new = New {
                key: &key,
                home: spot,
                record: &record,
            };
            match set.announce(self.place, &new, now) {
                Put::Announced(announcement) => {
                    ensure!(set.confirm(spot, announcement, false, now));
                }
                Put::Exists => set
                    .set
                    .find(spot.first, &key)
                    .context("a flow exists that is not found")?
                    .write(&record),
                Put::Full if self.place == Place::Translated => {
                    let mut beside = self.beside()?;
                    let is_new = beside.get(&key, 0).is_err();
                    beside
                        .insert(key, record, 0)
                        .context("a flow found no room")?;
                    if is_new {
                        self.overflow(|flows| flows + 1)?;
                    }
                }
                Put::Full => bail!("a flow found no room among {:?}", self.place),
            }
        }
        Ok(())
    }

    /// How many flows lie beside the slots, by the data plane's own count.
    pub fn overflowing(&mut self) -> Result<u64> {
        Ok(spread_map(self.ebpf)?.get(&0, 0)?.overflowing[self.names.family])
    }

    fn overflow(&mut self, change: impl Fn(u64) -> u64) -> Result<()> {
        let family = self.names.family;
        let mut map = spread_map(self.ebpf)?;
        let mut spreading = map.get(&0, 0)?;
        spreading.overflowing[family] = change(spreading.overflowing[family]);
        Ok(map.set(0, spreading, 0)?)
    }
}
