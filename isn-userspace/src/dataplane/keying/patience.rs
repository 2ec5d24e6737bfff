//! Adopting, looked after by the process that stays: it does not end while connections find no room to be adopted, and what a
//! rotation that was broken off has left is pinned.

use isn_common::{abi::settings::Settings, counter::Counter};

use super::{
    super::{clock, instance::Instance, lock, upkeep::Upkeep},
    Adopting, adopting, is_of_older_key,
    pinning::{Pinned, pin},
};
use crate::failure::Failure;

/// What was counted at the last look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    not_adopted: u64,
}

/// What a look has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waited {
    /// Segments since the last look of connections that found no room.
    pub without_room: u64,
    /// Whether adopting was extended.
    pub extended: bool,
    /// Flows of the key before.
    pub pinned: Pinned,
}

impl Patience {
    /// Looks at an instance; nothing is done while another process changes it.
    pub fn look(
        &mut self,
        instance: &mut Instance,
        upkeep: &mut Upkeep,
    ) -> Result<Waited, Failure> {
        let mut waited = Waited::default();
        let counted = instance.maps.counters()?[Counter::AdoptionFull.index()];
        let before = std::mem::replace(&mut self.not_adopted, counted);
        waited.without_room = counted.saturating_sub(before);
        let Some(adopting) = Adopting::of(&instance.maps.settings()?.keyed, clock::now()) else {
            return Ok(waited);
        };
        if waited.without_room > 0 {
            waited.extended = extend(instance)?;
        }
        if adopting.after_key {
            let generation = instance.maps.settings()?.keyed.generation;
            let older = |_, record: &_| is_of_older_key(record, generation);
            waited.pinned = pin(upkeep, &instance.maps, &older)?;
        }
        Ok(waited)
    }
}

fn extend(instance: &mut Instance) -> Result<bool, Failure> {
    let Some(_lock) = lock::try_lock(instance.home())? else {
        return Ok(false);
    };
    let settings = instance.maps.settings()?;
    let Some(keyed) = adopting::extended(settings.keyed, clock::now()) else {
        return Ok(false);
    };
    instance
        .maps
        .write_settings(&Settings { keyed, ..settings })?;
    Ok(true)
}
