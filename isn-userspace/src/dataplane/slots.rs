//! The slots of translated flows (`isn_common::slots`), mapped into memory: user space reads them where the data plane writes them, without a
//! call into the kernel for each.

use std::sync::atomic::AtomicU64;

use aya::maps::{Array, MapData, MapError};
use isn_common::{
    abi::{flow::Record, maps as names},
    flow::FlowKey,
    slots::{self, Spread},
};

use super::{mapped::Mapped, maps, pins::Pins};
use crate::failure::{Explain as _, Failure};

/// A set of slots that the data plane uses too.
pub type Set<K> = slots::Set<AtomicU64, K>;

/// All sets of one address family.
pub struct Slots<K: FlowKey>(Mapped<Set<K>>);

impl<K: FlowKey> Slots<K> {
    /// Maps an array map of sets.
    pub fn of(map: &MapData) -> Result<Self, MapError> {
        Mapped::of(map).map(Self)
    }

    /// The sets, while the data plane goes on changing them.
    #[must_use]
    pub fn sets(&self) -> &[Set<K>] {
        self.0.values()
    }

    /// The flows of a set, each as it is when its turn comes.
    pub fn flows(set: &Set<K>) -> impl Iterator<Item = (K, Record)> {
        set.slots().iter().filter_map(slots::Slot::read)
    }

    /// The record of a flow that is in its slot.
    #[must_use]
    pub fn get(&self, spread: &Spread<u64>, key: &K) -> Option<Record> {
        let spot = spread.spot(key.words().as_ref());
        let set = self.sets().get(spot.set as usize)?;
        Some(set.find(spot.first, key)?.record())
    }
}

/// How flows are spread over the sets of an instance.
pub fn spread(pins: &Pins) -> Result<Spread<u64>, Failure> {
    let map: Array<MapData, Spread<u64>> = maps::open(pins, names::SPREAD)?;
    map.get(&0, 0).explain(
        "cannot read how flows are spread over their slots",
        "run it as root",
    )
}

/// Draws how flows are spread, if that is not settled yet: it is for the life of the instance.
pub fn settle<T>(map: &mut Array<T, Spread<u64>>, sets: u32) -> Result<(), Failure>
where
    T: std::borrow::BorrowMut<MapData>,
{
    let what = "cannot settle how flows are spread over their slots";
    let mut spread = map.get(&0, 0).explain(what, "run it as root")?;
    if spread.sets != 0 {
        return Ok(());
    }
    spread.sets = sets.into();
    for key in &mut spread.keys {
        *key = getrandom::u64().explain(what, "see whether getrandom(2) works")?;
    }
    map.set(0, spread, 0).explain(what, "run it as root")
}
