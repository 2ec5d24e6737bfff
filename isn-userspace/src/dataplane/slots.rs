//! The slots of all flows (`isn_common::slots`), mapped into memory: user space reads them where the data plane writes them, without a
//! call into the kernel for each.

use std::{
    borrow::{Borrow, BorrowMut},
    ops::Range,
    sync::{OnceLock, atomic::AtomicU64},
};

use aya::maps::{Array, MapData, MapError};
use isn_common::{
    abi::{flow::Record, maps as names},
    expiry::Place,
    flow::FlowKey,
    slots::{self, KEYS, PLACES, Shelf, Spread, Spreading, prints::Prints},
};

use super::{mapped::Mapped, maps, pins::Pins, rows};
use crate::failure::{Explain as _, Failure};

/// A set of slots that the data plane uses too.
pub type Set<K> = slots::Set<AtomicU64, K>;

/// What fails where it cannot be settled how flows are spread.
const WHAT: &str = "cannot settle how flows are spread over their slots";

/// All sets of one address family, and what is in them.
pub struct Slots<K: FlowKey> {
    sets: Mapped<Set<K>>,
    prints: Mapped<AtomicU64>,
}

impl<K: FlowKey> Slots<K> {
    /// Maps an array map of sets, and that of their prints.
    pub fn of(sets: &MapData, prints: &MapData) -> Result<Self, MapError> {
        Ok(Self {
            sets: Mapped::of(sets)?,
            prints: Mapped::of(prints)?,
        })
    }

    /// A set with its prints, by its index.
    #[must_use]
    pub fn shelf(&self, index: u32) -> Option<Shelf<'_, AtomicU64, K>> {
        let index = index as usize;
        let (set, prints) = (
            self.sets.values().get(index)?,
            self.prints.values().get(index)?,
        );
        Some(Shelf { set, prints })
    }

    /// The sets of a table, while the data plane goes on changing them.
    #[must_use]
    pub fn sets(&self, range: Range<usize>) -> &[Set<K>] {
        self.sets.values().get(range).unwrap_or_default()
    }

    /// The prints of the sets of a table.
    #[must_use]
    pub fn prints(&self, range: Range<usize>) -> &[AtomicU64] {
        self.prints.values().get(range).unwrap_or_default()
    }

    /// The flows of some sets, each as it is when its turn comes. Sets without prints are not looked at.
    pub fn flows(&self, range: Range<usize>) -> impl Iterator<Item = (K, Record)> {
        let prints = self.prints(range.clone());
        let sets = self.sets(range).iter().zip(prints);
        sets.filter(|(_, prints)| !Prints::of(*prints).are_none())
            .flat_map(|(set, _)| set.slots().iter().filter_map(slots::Slot::read))
    }

    /// The record of a flow that is in its slot.
    #[must_use]
    pub fn get(&self, spread: &Spread, place: Place, key: &K) -> Option<Record> {
        let spot = spread.spot(place, key.words().as_ref());
        let set = self.sets.values().get(spot.set as usize)?;
        Some(set.find(spot.first, key)?.record())
    }
}

/// The slots of one address family, mapped once somebody wants to read a flow: the kernel takes a while to lay large tables into a process, and most
/// readers of an instance have no use for them.
pub struct Unmapped<K: FlowKey> {
    sets: MapData,
    prints: MapData,
    mapped: OnceLock<Slots<K>>,
}

impl<K: FlowKey> Unmapped<K> {
    /// In these maps.
    #[must_use]
    pub const fn new(sets: MapData, prints: MapData) -> Self {
        Self {
            sets,
            prints,
            mapped: OnceLock::new(),
        }
    }

    /// The slots, mapped now if they were not yet.
    pub fn mapped(&self) -> Result<&Slots<K>, MapError> {
        if let Some(slots) = self.mapped.get() {
            return Ok(slots);
        }
        let slots = Slots::of(&self.sets, &self.prints)?;
        Ok(self.mapped.get_or_init(|| slots))
    }
}

/// Which sets are those of a table.
#[must_use]
pub fn range(spread: &Spread, place: Place) -> Range<usize> {
    let number = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
    let start = number(spread.starts[place as usize]);
    start..start.saturating_add(number(spread.sets[place as usize]))
}

/// How flows are spread over the sets of an instance.
pub fn spread(pins: &Pins) -> Result<Spread, Failure> {
    let map: Array<MapData, Spreading<u64>> = maps::open(pins, names::SPREAD)?;
    Ok(read(&map)?.spread)
}

fn read<T: Borrow<MapData>>(map: &Array<T, Spreading<u64>>) -> Result<Spreading<u64>, Failure> {
    map.get(&0, 0).explain(
        "cannot read how flows are spread over their slots",
        "run it as root",
    )
}

/// How many sets each table has, and most flows it is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Sets, by the number of the table's [`Place`].
    pub sets: [u32; PLACES],
    /// Flows, likewise.
    pub flows: [u32; PLACES],
}

impl Layout {
    /// Sets of all tables.
    #[must_use]
    pub fn all_sets(&self) -> u32 {
        self.sets.iter().fold(0, |sum, it| sum.saturating_add(*it))
    }

    /// How flows are spread by these keys.
    #[must_use]
    pub fn spread(&self, keys: [u64; KEYS]) -> Spread {
        let sets = self.sets.map(u64::from);
        Spread {
            sets,
            starts: slots::starts(sets),
            flows: self.flows.map(u64::from),
            keys,
        }
    }
}

/// How flows are spread over the sets of an instance: as it is settled, for the instance's whole life, or drawn now.
pub fn settled_or_drawn(pins: &Pins, layout: &Layout) -> Result<Spread, Failure> {
    if pins.map(names::SPREAD).exists() {
        let settled = spread(pins)?;
        if settled.sets != [0; PLACES] {
            return Ok(settled);
        }
    }
    rows::choose(|| {
        let mut keys = [0; KEYS];
        for key in &mut keys {
            *key = getrandom::u64().explain(WHAT, "see whether getrandom(2) works")?;
        }
        Ok(layout.spread(keys))
    })
}

/// Settles how flows are spread, if that is not settled yet.
pub fn settle<T: BorrowMut<MapData>>(
    map: &mut Array<T, Spreading<u64>>,
    spread: Spread,
) -> Result<(), Failure> {
    let there = read(map)?;
    if there.spread == spread {
        return Ok(());
    }
    let settled = Spreading { spread, ..there };
    map.set(0, settled, 0).explain(WHAT, "run it as root")
}
