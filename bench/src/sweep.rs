//! What it takes to look through full tables for flows that are over, and to remove them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use isn_common::{
    abi::{flow::Record, settings::Settings},
    expiry::Place,
    flow::{Key4, Key6},
    tick::Tick,
};
use isnguard::dataplane::{self, Maps, Pins, Upkeep};

use crate::{
    flows::{CLOSED, OFFSET, OPEN, OTHER_SERVICE, SERVICE, key4, key6, record},
    stopwatch::{Took, timed},
};

/// How long room is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// After this long, slots that were given up can be had again; a tick more than a second, by the clock of the data plane.
const GIVEN_UP: Duration = Duration::from_millis(1200);
/// Flows that are put in at a time.
const AT_A_TIME: u32 = 100_000;

/// An instance's tables, with flows in them.
pub struct Tables {
    maps: Maps,
    upkeep: Upkeep,
    settings: Settings,
    /// When flows were last removed.
    swept: Option<Instant>,
}

/// Which of the tables of flows.
#[derive(Debug, Clone, Copy)]
pub struct Which {
    /// By their rights.
    pub place: Place,
    /// Of IPv6, not IPv4.
    pub is_v6: bool,
}

impl Tables {
    /// Opens them.
    pub fn open(pins: &Pins) -> Result<Self> {
        let maps = Maps::open(pins)?;
        Ok(Self {
            settings: maps.settings()?,
            upkeep: Upkeep::load(pins)?,
            maps,
            swept: None,
        })
    }

    /// Puts `count` flows into a table: open ones, or such as are over.
    pub fn fill(&mut self, which: Which, count: u32, are_over: bool) -> Result<()> {
        // Before that, what comes in would take the room beside the slots that others need later.
        if let Some(swept) = self.swept {
            std::thread::sleep(GIVEN_UP.saturating_sub(swept.elapsed()));
        }
        let now = dataplane::now();
        let long = self.settings.history.saturating_mul(3);
        let offset = if which.place == Place::Translated {
            OFFSET
        } else {
            0
        };
        let record = if are_over {
            record(CLOSED, offset, Tick(now.0.wrapping_sub(long)))
        } else {
            record(OPEN, offset, now)
        };
        let deadline = Instant::now() + PATIENCE;
        let mut put = 0;
        // Slots that were given up a moment ago are not to be had yet; what is there already is not put in again.
        while put < u64::from(count) && Instant::now() < deadline {
            put += self.put(which, count, record)?;
        }
        ensure!(
            put == u64::from(count),
            "{put} of {count} flows found room in {which:?}"
        );
        Ok(())
    }

    /// Puts in those of so many flows that are not there; how many.
    fn put(&mut self, which: Which, count: u32, record: Record) -> Result<u64> {
        let service = if which.place == Place::Translated {
            SERVICE
        } else {
            OTHER_SERVICE
        };
        let mut put = 0;
        for first in (0..count).step_by(AT_A_TIME as usize) {
            let numbers = first..count.min(first + AT_A_TIME);
            put += if which.is_v6 {
                let flows: Vec<(Key6, _)> = numbers.map(|it| (key6(it, service), record)).collect();
                self.upkeep.restore_v6(which.place, &flows)?
            } else {
                let flows: Vec<(Key4, _)> = numbers.map(|it| (key4(it, service), record)).collect();
                self.upkeep.restore_v4(which.place, &flows)?
            };
        }
        Ok(put)
    }

    /// Sweeps once; how many flows went, and what it took.
    pub fn sweep(&mut self) -> Result<(u64, Took)> {
        let ((swept, _), took) = timed(|| Ok(self.upkeep.sweep(&self.maps)?))?;
        self.swept = Some(Instant::now());
        Ok((swept.translated + swept.half_open + swept.history, took))
    }
}
