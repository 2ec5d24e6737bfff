//! A walk through all tables of flows, for so long at a time, for whoever looks again and again: however many flows there are,
//! a look costs no more than that.

use std::time::{Duration, Instant};

use isn_common::{abi::flow::Control, expiry::Place};

use super::{Flow, Table, instance::Instance, table::Cursor, upkeep::Key};
use crate::failure::Failure;

/// Tables: of two families, in the order of [`Place::ALL`].
const TABLES: usize = 6;

/// A walk under way.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    table: usize,
    cursor: Cursor,
    flows: [usize; TABLES],
}

impl Walk {
    /// Reads for about so long, and a page of some thousand entries at least; true once all tables were walked through.
    pub fn go_on(
        &mut self,
        instance: &Instance,
        time: Duration,
        mut each: impl FnMut(Flow),
    ) -> Result<bool, Failure> {
        let maps = &instance.maps;
        let begun = Instant::now();
        loop {
            let more = match self.table {
                0 => self.page(&maps.translated_v4, Place::Translated, Flow::v4, &mut each)?,
                1 => self.page(&maps.translated_v6, Place::Translated, Flow::v6, &mut each)?,
                2 => self.page(&maps.half_open_v4, Place::HalfOpen, Flow::v4, &mut each)?,
                3 => self.page(&maps.half_open_v6, Place::HalfOpen, Flow::v6, &mut each)?,
                4 => self.page(&maps.history_v4, Place::History, Flow::v4, &mut each)?,
                5 => self.page(&maps.history_v6, Place::History, Flow::v6, &mut each)?,
                _ => return Ok(true),
            };
            if !more {
                self.table += 1;
                self.cursor = Cursor::default();
            }
            if self.table < TABLES && begun.elapsed() >= time {
                return Ok(false);
            }
        }
    }

    /// Flows met so far in each table: translated, half-open, history, each IPv4 and IPv6.
    #[must_use]
    pub const fn flows(&self) -> [usize; TABLES] {
        self.flows
    }

    fn page<K: Key>(
        &mut self,
        table: &Table<K>,
        place: Place,
        flow: impl Fn(Place, &(K, isn_common::abi::flow::Record)) -> Flow,
        each: &mut impl FnMut(Flow),
    ) -> Result<bool, Failure> {
        let mut flows = 0;
        let more = table.page(&mut self.cursor, |key, record| {
            if !record.control().has(Control::MOVED) {
                flows += 1;
                each(flow(place, &(*key, *record)));
            }
        })?;
        self.flows[self.table] += flows;
        Ok(more)
    }
}
