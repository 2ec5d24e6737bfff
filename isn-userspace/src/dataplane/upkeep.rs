//! Entries removed from the tables after their time, put where nothing evicts them, and put back from what was saved: by the
//! data plane's own program, as one CPU among several, so that no SYN can come in between (`isn_common::upkeep`).

use aya::{Pod, TestRun as _, TestRunOptions};
use isn_common::{
    abi::flow::Record,
    expiry::{self, Place},
    flow::{FlowKey, Key4, Key6},
    upkeep::{Header, Task},
};

use super::{
    census::{Census, Count},
    clock::now,
    maps::Maps,
    pins::Pins,
    programs::{Capacities, Programs},
    table::Table,
    undo::Undo,
};
use crate::failure::{Explain as _, Failure};

/// The program for upkeep, loaded over an instance's maps.
pub struct Upkeep(Programs);

/// How many flows a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Of the table of translated ones.
    pub translated: u64,
    /// Half-open ones, and what promotion has left.
    pub half_open: u64,
    /// Of the history.
    pub history: u64,
}

/// A key of either family.
pub trait Key: Pod + FlowKey {
    /// Which.
    const IS_V6: bool;
}

impl Key for Key4 {
    const IS_V6: bool = false;
}

impl Key for Key6 {
    const IS_V6: bool = true;
}

impl Upkeep {
    /// Loads it. The maps must be there.
    pub fn load(pins: &Pins) -> Result<Self, Failure> {
        let mut undo = Undo::default();
        let mut programs = Programs::prepare(pins, Capacities::default(), false, &mut undo)?;
        programs.upkeep()?;
        undo.keep();
        Ok(Self(programs))
    }

    /// Removes what may go from all tables, and counts what stays.
    pub fn sweep(&mut self, maps: &Maps) -> Result<(Swept, Census), Failure> {
        let mut count = Count::begin(maps)?;
        let each = &mut count;
        let swept = Swept {
            translated: self.expire(maps, Place::Translated, &maps.translated_v4, each)?
                + self.expire(maps, Place::Translated, &maps.translated_v6, each)?,
            half_open: self.expire(maps, Place::HalfOpen, &maps.half_open_v4, each)?
                + self.expire(maps, Place::HalfOpen, &maps.half_open_v6, each)?,
            history: self.expire(maps, Place::History, &maps.history_v4, each)?
                + self.expire(maps, Place::History, &maps.history_v6, each)?,
        };
        Ok((swept, count.end(maps)?))
    }

    fn expire<K: Key>(
        &mut self,
        maps: &Maps,
        place: Place,
        table: &Table<K>,
        count: &mut Count,
    ) -> Result<u64, Failure> {
        let (settings, now) = (maps.settings()?, now());
        let mut request = Request::new(Task::Expire, place, K::IS_V6);
        let mut removed = 0;
        table.for_each(|key, record| {
            let goes = expiry::is_over(place, record, &settings, now);
            count.met(place, K::IS_V6, record, goes);
            if goes && request.add(&[octets(key)]) {
                removed += self.send(&mut request)?;
            }
            Ok(())
        })?;
        Ok(removed + self.send(&mut request)?)
    }

    /// Sees to it that nothing evicts the flows of a table that are wanted; of how many.
    pub fn pin<K: Key>(
        &mut self,
        place: Place,
        table: &Table<K>,
        wanted: &mut dyn FnMut(&K, &Record) -> bool,
    ) -> Result<u64, Failure> {
        let mut request = Request::new(Task::Pin, place, K::IS_V6);
        let mut pinned = 0;
        table.for_each(|key, record| {
            if wanted(key, record) && request.add(&[octets(key)]) {
                pinned += self.send(&mut request)?;
            }
            Ok(())
        })?;
        Ok(pinned + self.send(&mut request)?)
    }

    /// Puts IPv4 flows into a table where nothing is known of them; how many.
    pub fn restore_v4(&mut self, place: Place, flows: &[(Key4, Record)]) -> Result<u64, Failure> {
        self.restore(place, flows)
    }

    /// Puts IPv6 flows into a table where nothing is known of them; how many.
    pub fn restore_v6(&mut self, place: Place, flows: &[(Key6, Record)]) -> Result<u64, Failure> {
        self.restore(place, flows)
    }

    fn restore<K: Key>(&mut self, place: Place, flows: &[(K, Record)]) -> Result<u64, Failure> {
        let mut request = Request::new(Task::Restore, place, K::IS_V6);
        let mut restored = 0;
        for (key, record) in flows {
            if request.add(&[octets(key), octets(record)]) {
                restored += self.send(&mut request)?;
            }
        }
        Ok(restored + self.send(&mut request)?)
    }

    /// Has a request carried out and empties it; how many flows it was done to.
    fn send(&mut self, request: &mut Request) -> Result<u64, Failure> {
        if request.flows == 0 {
            return Ok(0);
        }
        let options = TestRunOptions {
            data_in: Some(&request.octets),
            ..TestRunOptions::new()
        };
        let done = self.0.upkeep()?.test_run(options).explain(
            format!("cannot keep the tables, {} flows at a time", request.flows),
            "run it as root",
        )?;
        request.clear();
        Ok(done.return_value.into())
    }
}

/// A request as it is built up.
struct Request {
    octets: Vec<u8>,
    flows: usize,
}

impl Request {
    fn new(task: Task, place: Place, is_v6: bool) -> Self {
        let header = Header { task, place, is_v6 };
        Self {
            octets: header.to_octets().to_vec(),
            flows: 0,
        }
    }

    /// Adds a flow; whether the request is full now.
    fn add(&mut self, parts: &[&[u8]]) -> bool {
        for part in parts {
            self.octets.extend_from_slice(part);
        }
        self.flows += 1;
        self.flows == Header::MOST_FLOWS
    }

    fn clear(&mut self) {
        self.octets.truncate(Header::LENGTH);
        self.flows = 0;
    }
}

/// A value as it lies in memory, which is how the program reads it.
#[allow(unsafe_code, reason = "plain octets, as a `Pod` promises")]
fn octets<T: Pod>(value: &T) -> &[u8] {
    // SAFETY: a `Pod` is made of initialized octets only.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}
