//! A table of flows as user space sees it: while the data plane goes on changing it.

use std::{collections::HashSet, hash::Hash};

use aya::{
    Pod,
    maps::{HashMap, MapData, MapError},
};
use isn_common::abi::flow::Record;

use crate::failure::{Explain as _, Failure};

/// A hash map from flow keys to records.
pub struct Table<K> {
    name: &'static str,
    map: HashMap<MapData, K, Record>,
    capacity: u32,
}

impl<K: Pod> Table<K> {
    pub(super) fn new(name: &'static str, map: HashMap<MapData, K, Record>, capacity: u32) -> Self {
        Self {
            name,
            map,
            capacity,
        }
    }

    /// Name of the map.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Most entries it can have.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.capacity
    }
}

impl<K: Pod + Eq + Hash> Table<K> {
    /// The keys that are there now.
    ///
    /// The kernel walks the table from key to key and starts again when the key it stands on has
    /// been removed meanwhile, so keys may come twice, and in a busy table for ever: each is taken
    /// once, and the walk ends after twice the capacity.
    pub fn keys(&self) -> Result<HashSet<K>, Failure> {
        let most = (self.capacity as usize).saturating_mul(2);
        let walk: Result<_, MapError> = self.map.keys().take(most).collect();
        walk.explain(
            format!("cannot read the table {}", self.name),
            "run it as root",
        )
    }

    /// The record of a flow, or `None` if it is not there any more.
    pub fn get(&self, key: &K) -> Result<Option<Record>, Failure> {
        match self.map.get(key, 0) {
            Ok(record) => Ok(Some(record)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error).explain(
                format!("cannot read the table {}", self.name),
                "run it as root",
            ),
        }
    }

    /// Every flow that is there now.
    pub fn flows(&self) -> Result<Vec<(K, Record)>, Failure> {
        let mut flows = Vec::new();
        for key in self.keys()? {
            if let Some(record) = self.get(&key)? {
                flows.push((key, record));
            }
        }
        Ok(flows)
    }

    /// Removes a flow; false if it was not there any more.
    pub fn remove(&mut self, key: &K) -> bool {
        self.map.remove(key).is_ok()
    }
}
