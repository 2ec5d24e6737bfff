//! A walk through all tables of flows, some pages at a time, for whoever looks again and again: however many flows there are, a
//! look costs as much.

use isn_common::{abi::flow::Control, expiry::Place};

use super::{Flow, Table, batch::Cursor, instance::Instance};
use crate::failure::Failure;

/// Tables: of two families, in the order of [`Place::ALL`].
const TABLES: usize = 6;

/// A walk under way.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    table: usize,
    cursor: Cursor,
    flows: [usize; TABLES],
    entries: usize,
}

impl Walk {
    /// Reads at most so many pages of some thousand entries; true once all tables were walked through.
    pub fn go_on(
        &mut self,
        instance: &Instance,
        pages: usize,
        mut each: impl FnMut(Flow),
    ) -> Result<bool, Failure> {
        let maps = &instance.maps;
        for _ in 0..pages {
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
        }
        Ok(self.table >= TABLES)
    }

    /// Flows met so far in each table: translated, half-open, history, each IPv4 and IPv6.
    #[must_use]
    pub const fn flows(&self) -> [usize; TABLES] {
        self.flows
    }

    /// Entries read so far, leftovers included.
    #[must_use]
    pub const fn entries(&self) -> usize {
        self.entries
    }

    fn page<K: aya::Pod>(
        &mut self,
        table: &Table<K>,
        place: Place,
        flow: impl Fn(Place, &(K, isn_common::abi::flow::Record)) -> Flow,
        each: &mut impl FnMut(Flow),
    ) -> Result<bool, Failure> {
        let (mut flows, mut entries) = (0, 0);
        let more = table.page(&mut self.cursor, |key, record| {
            entries += 1;
            if !record.control().has(Control::MOVED) {
                flows += 1;
                each(flow(place, &(*key, *record)));
            }
        })?;
        self.flows[self.table] += flows;
        self.entries += entries;
        Ok(more)
    }
}
