//! Removing entries of flows whose time is over.

use std::hash::Hash;

use isn_common::abi::{
    flow::Record,
    maps::{SWEPT_HISTORY, SWEPT_TRANSLATED},
};

use crate::{
    dataplane::{self, Maps, Table},
    failure::Failure,
};

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Flows of the table of translated ones.
    pub translated: u64,
    /// Flows with offset 0.
    pub history: u64,
    /// The history that applied, in ticks.
    pub history_ticks: u32,
}

/// Removes what may go from all tables, and counts it.
pub fn sweep(maps: &mut Maps) -> Result<Swept, Failure> {
    let history = maps.settings()?.history;
    let now = dataplane::now();
    let over = |record: &Record| dataplane::may_be_swept(record, now, history);
    let forgotten = |record: &Record| dataplane::is_forgotten(record, now, history);
    let translated =
        remove(&mut maps.translated_v4, over)? + remove(&mut maps.translated_v6, over)?;
    let remembered =
        remove(&mut maps.history_v4, forgotten)? + remove(&mut maps.history_v6, forgotten)?;
    maps.add_swept(SWEPT_TRANSLATED, translated)?;
    maps.add_swept(SWEPT_HISTORY, remembered)?;
    Ok(Swept {
        translated,
        history: remembered,
        history_ticks: history,
    })
}

/// Removes the flows to which `over` applies.
///
/// Each record is read again right before its removal. A SYN that reopens the flow in between is
/// not lost: to the data plane, too, an entry of that age is forgotten, so the SYN passes untouched
/// with offset 0, exactly as it would without an entry (S8).
fn remove<K: aya::Pod + Eq + Hash>(
    table: &mut Table<K>,
    over: impl Fn(&Record) -> bool,
) -> Result<u64, Failure> {
    let mut removed = 0;
    for key in table.keys()? {
        if table.get(&key)?.is_some_and(|record| over(&record)) && table.remove(&key) {
            removed += 1;
        }
    }
    Ok(removed)
}
