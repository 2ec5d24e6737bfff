//! How keyed mode stands: what `key status` tells, and what is wrong with it.

use isn_common::{
    abi::{flow::Control, settings::Keyed},
    counter::Counter,
};

use super::{
    super::{clock, instance::Instance, maps::Maps},
    Adopting, span,
};
use crate::{failure::Failure, key::Fingerprint};

/// Keyed mode of an instance.
#[derive(Clone, Copy, Debug)]
pub struct KeyState {
    /// Number of its key.
    pub generation: u32,
    /// Of its key.
    pub fingerprint: Option<Fingerprint>,
    /// Whether a rule of it is keyed.
    pub in_use: bool,
    /// Whether connections of before are being adopted.
    pub adopting: Option<Adopting>,
    /// Segments whose offset was computed again.
    pub recomputed: u64,
    /// Connections that were adopted.
    pub adopted: u64,
    /// Segments of connections that could not be.
    pub not_adopted: u64,
}

impl KeyState {
    /// Of an instance with these settings.
    pub fn read(maps: &Maps, keyed: &Keyed) -> Result<Self, Failure> {
        let counters = maps.counters()?;
        let count = |counter: Counter| counters[counter.index()];
        Ok(Self {
            generation: keyed.generation,
            fingerprint: Fingerprint::of(keyed.key()),
            in_use: keyed.is_in_use(),
            adopting: Adopting::of(keyed, clock::now()),
            recomputed: count(Counter::KeyedRecomputed),
            adopted: count(Counter::FlowsAdopted),
            not_adopted: count(Counter::AdoptionFull),
        })
    }

    /// What is wrong, in a sentence.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let adopting = self.adopting.filter(|_| self.not_adopted > 0)?;
        Some(format!(
            "{} segments of connections that could not be adopted, since the table of translated flows has no room for \
             them: unless they find some, these connections break when adopting ends in {}. Let others end, or attach anew \
             with a larger --max-flows",
            self.not_adopted,
            span(adopting.left)
        ))
    }
}

impl Instance {
    /// How keyed mode stands.
    pub fn key_state(&self) -> Result<KeyState, Failure> {
        KeyState::read(&self.maps, &self.settings.keyed)
    }

    /// Live flows of which only the entry knows what is done to them.
    pub fn own_flows(&self) -> Result<usize, Failure> {
        let flows = self.flows()?;
        let own = flows
            .iter()
            .filter(|flow| flow.record.control().has(Control::OWN));
        Ok(own.count())
    }
}
