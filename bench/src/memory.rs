//! What the maps of an instance take of the kernel's memory, by the kernel's own account.

use std::{fs, os::fd::AsRawFd as _};

use anyhow::{Context as _, Result};
use aya::maps::MapData;
use isn_common::abi::maps;
use isnguard::dataplane::Pins;

/// A map and what it takes.
#[derive(Debug)]
pub struct Taken {
    /// Name of the map.
    pub name: &'static str,
    /// Octets.
    pub octets: u64,
}

/// The tables of flows, translated ones with their slots; then what is kept beside them.
const MAPS: [&str; 13] = [
    maps::TRANSLATED_V4,
    maps::TRANSLATED_V6,
    maps::HALF_OPEN_V4,
    maps::HALF_OPEN_V6,
    maps::HISTORY_V4,
    maps::HISTORY_V6,
    maps::PREVIOUS_V4,
    maps::PREVIOUS_V6,
    maps::HOSTS_V4,
    maps::HOSTS_V6,
    maps::SHARES,
    maps::SAMPLES,
    maps::STORMS,
];

/// What each map takes now.
pub fn taken(pins: &Pins) -> Result<Vec<Taken>> {
    let one = |name| octets(pins, name).with_context(|| format!("of the map {name}"));
    let of = |name| {
        let slots = match name {
            maps::TRANSLATED_V4 => one(maps::SLOTS_V4)?,
            maps::TRANSLATED_V6 => one(maps::SLOTS_V6)?,
            _ => 0,
        };
        Ok(Taken {
            name,
            octets: slots + one(name)?,
        })
    };
    MAPS.into_iter().map(of).collect()
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
