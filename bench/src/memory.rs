//! What the maps of an instance take of the kernel's memory, by the kernel's own account.

use std::{fs, os::fd::AsRawFd as _};

use anyhow::{Context as _, Result};
use aya::maps::MapData;
use isn_common::{abi::maps, expiry::Place};
use isnguard::dataplane::{Pins, slots};

/// A map and what it takes.
#[derive(Debug)]
pub struct Taken {
    /// Name of the map.
    pub name: &'static str,
    /// Octets.
    pub octets: u64,
}

/// The tables of flows: their slots with the prints, and what lies beside them.
const TABLES: [(&str, Place, [&str; 2], Option<&str>); 6] = [
    (
        "TRANSLATED_V4",
        Place::Translated,
        [maps::SLOTS_V4, maps::PRINTS_V4],
        Some(maps::TRANSLATED_V4),
    ),
    (
        "TRANSLATED_V6",
        Place::Translated,
        [maps::SLOTS_V6, maps::PRINTS_V6],
        Some(maps::TRANSLATED_V6),
    ),
    (
        "HALF_OPEN_V4",
        Place::HalfOpen,
        [maps::SLOTS_V4, maps::PRINTS_V4],
        None,
    ),
    (
        "HALF_OPEN_V6",
        Place::HalfOpen,
        [maps::SLOTS_V6, maps::PRINTS_V6],
        None,
    ),
    (
        "HISTORY_V4",
        Place::History,
        [maps::SLOTS_V4, maps::PRINTS_V4],
        None,
    ),
    (
        "HISTORY_V6",
        Place::History,
        [maps::SLOTS_V6, maps::PRINTS_V6],
        None,
    ),
];

/// What is kept beside them.
const MAPS: [&str; 7] = [
    maps::PREVIOUS_V4,
    maps::PREVIOUS_V6,
    maps::HOSTS_V4,
    maps::HOSTS_V6,
    maps::SHARES,
    maps::SAMPLES,
    maps::STORMS,
];

/// What each table and map takes now. Slots and prints of a family are shared out by the sets of its tables.
pub fn taken(pins: &Pins) -> Result<Vec<Taken>> {
    let one = |name| octets(pins, name).with_context(|| format!("of the map {name}"));
    let spread = slots::spread(pins)?;
    let all: u64 = spread.sets.iter().sum();
    let mut taken = Vec::new();
    for (name, place, shared, beside) in TABLES {
        let shared = one(shared[0])? + one(shared[1])?;
        let beside = beside.map(one).transpose()?.unwrap_or(0);
        taken.push(Taken {
            name,
            octets: shared * spread.sets[place as usize] / all + beside,
        });
    }
    for name in MAPS {
        taken.push(Taken {
            name,
            octets: one(name)?,
        });
    }
    Ok(taken)
}

fn octets(pins: &Pins, name: &str) -> Result<u64> {
    let map = MapData::from_pin(pins.map(name))?;
    let path = format!(
        "/proc/self/fdinfo/{}",
        std::os::fd::AsFd::as_fd(map.fd()).as_raw_fd()
    );
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("memlock:"));
    let number = line.with_context(|| format!("{path} does not tell the memory of a map"))?;
    Ok(number.trim().parse()?)
}
