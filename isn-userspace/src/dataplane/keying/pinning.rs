//! Flows whose translation is about to be none that could be computed again: put among those that nothing evicts, or marked to
//! go there, before it is too late (S16). The walks go through the history and the half-open ones.

use std::{collections::HashMap, hash::Hash, net::IpAddr};

use isn_common::{
    abi::flow::{Control, Record},
    expiry::Place,
    flow::{Key4, Key6},
    room::Admission,
    tick::Tick,
    upkeep::may_speak,
};

use super::super::{
    clock,
    maps::Maps,
    table::Table,
    upkeep::{Key, Upkeep},
};
use crate::failure::Failure;

/// Between the walks before a switch flows go on opening: what is left after so many is left to the walk behind it.
const MOST_WALKS: u32 = 8;

/// Who speaks on a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The guarded host.
    pub host: IpAddr,
    /// Its port.
    pub host_port: u16,
    /// The peer's port.
    pub peer_port: u16,
}

/// A key of either family that tells who speaks.
pub trait Told {
    /// Who.
    fn ends(&self) -> Ends;
}

impl Told for Key4 {
    fn ends(&self) -> Ends {
        Ends {
            host: self.host.into(),
            host_port: u16::from_be_bytes(self.host_port),
            peer_port: u16::from_be_bytes(self.peer_port),
        }
    }
}

impl Told for Key6 {
    fn ends(&self) -> Ends {
        Ends {
            host: self.host.into(),
            host_port: u16::from_be_bytes(self.host_port),
            peer_port: u16::from_be_bytes(self.peer_port),
        }
    }
}

/// Says which flows are meant, of those that are live and have no translation of their own yet.
pub type Meant<'a> = dyn Fn(Ends, &Record) -> bool + 'a;

/// What walks have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pinned {
    /// Flows that stay now.
    pub done: u64,
    /// Flows for which there was no room.
    pub left: u64,
}

/// Whether the flow can be lost: somebody may still speak on it, and its entry may be evicted or overwritten.
fn can_be_lost(record: &Record, now: Tick) -> bool {
    !record.control().has(Control::OWN) && may_speak(record, now)
}

/// Walks until a walk finds nothing more, or nothing that there is room for.
pub fn pin(upkeep: &mut Upkeep, maps: &Maps, meant: &Meant<'_>) -> Result<Pinned, Failure> {
    let mut pinned = Pinned::default();
    for _ in 0..MOST_WALKS {
        let (found, done) = walk(upkeep, maps, meant)?;
        pinned.done += done;
        pinned.left = found.saturating_sub(done);
        if done == 0 {
            break;
        }
    }
    Ok(pinned)
}

fn walk(upkeep: &mut Upkeep, maps: &Maps, meant: &Meant<'_>) -> Result<(u64, u64), Failure> {
    let now = clock::now();
    let (mut found, mut done) = (0, 0);
    let mut wanted = |ends: Ends, record: &Record| {
        let wanted = can_be_lost(record, now) && meant(ends, record);
        found += u64::from(wanted);
        wanted
    };
    // Half-open ones first: those that are promoted meanwhile are marked then, or found in the history.
    for (place, v4, v6) in [
        (Place::HalfOpen, &maps.half_open_v4, &maps.half_open_v6),
        (Place::History, &maps.history_v4, &maps.history_v6),
    ] {
        done += upkeep.pin(place, v4, &mut |key, record| wanted(key.ends(), record))?;
        done += upkeep.pin(place, v6, &mut |key, record| wanted(key.ends(), record))?;
    }
    Ok((found, done))
}

/// Flows that are meant, and the room for them, in one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Flows that are meant.
    pub wanted: u64,
    /// Those of the host that has the most, if it has no room for all of them.
    pub of_one_host: Option<(IpAddr, u64)>,
    /// Places that are free.
    pub free: u64,
    /// Places that there are.
    pub most: u64,
}

impl Demand {
    /// Whether there is room for all.
    #[must_use]
    pub const fn is_met(&self) -> bool {
        self.wanted <= self.free && self.of_one_host.is_none()
    }
}

/// Counts the flows that are meant, and the room for them: of IPv4, of IPv6.
pub fn demand(maps: &Maps, meant: &Meant<'_>) -> Result<[Demand; 2], Failure> {
    Ok([
        of_family(
            &maps.translated_v4,
            [&maps.half_open_v4, &maps.history_v4],
            meant,
        )?,
        of_family(
            &maps.translated_v6,
            [&maps.half_open_v6, &maps.history_v6],
            meant,
        )?,
    ])
}

fn of_family<K: Key + Eq + Hash + Told>(
    translated: &Table<K>,
    tables: [&Table<K>; 2],
    meant: &Meant<'_>,
) -> Result<Demand, Failure> {
    let now = clock::now();
    // Of each host: flows among the translated ones, and flows that are meant.
    let mut hosts: HashMap<IpAddr, (u64, u64)> = HashMap::new();
    for table in tables {
        table.for_each(|key, record| {
            if can_be_lost(record, now) && meant(key.ends(), record) {
                hosts.entry(key.ends().host).or_default().1 += 1;
            }
            Ok(())
        })?;
    }
    let mut taken = 0;
    translated.for_each(|key, _| {
        taken += 1;
        if let Some((there, _)) = hosts.get_mut(&key.ends().host) {
            *there += 1;
        }
        Ok(())
    })?;
    Ok(sum(hosts, taken, translated.capacity()))
}

fn sum(hosts: HashMap<IpAddr, (u64, u64)>, taken: u64, most: u32) -> Demand {
    let wanted: u64 = hosts.values().map(|(_, wanted)| wanted).sum();
    // As the data plane asks for the last one of a host, when all others have come in.
    let refused = |(there, wanted_of_host): (u64, u64)| {
        let all = (taken + wanted).saturating_sub(1);
        let of_host = (there + wanted_of_host).saturating_sub(1);
        wanted_of_host > 0 && Admission::of(all, of_host, most) == Admission::Share
    };
    let largest = hosts
        .into_iter()
        .filter(|(_, counts)| refused(*counts))
        .max_by_key(|(_, counts)| counts.1);
    Demand {
        wanted,
        of_one_host: largest.map(|(host, (_, wanted))| (host, wanted)),
        free: u64::from(most).saturating_sub(taken),
        most: most.into(),
    }
}

#[cfg(test)]
mod tests {
    use isn_common::abi::flow::pack;

    use super::*;

    const NOW: Tick = Tick(1_000_000);
    const OPEN: u32 = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;

    #[test]
    fn only_what_is_live_and_not_pinned_can_be_lost() {
        let lost = |control: u32, idle| {
            let record = Record {
                life: pack(control, NOW.0 - idle),
                ..Record::EMPTY
            };
            can_be_lost(&record, NOW)
        };
        assert!(lost(OPEN, 0) && lost(OPEN, 900_000) && lost(Control::HOST_SYN, 0));
        assert!(!lost(OPEN | Control::OWN, 0) && !lost(OPEN | Control::MOVED, 0));
        let closed = OPEN | Control::HOST_FIN | Control::PEER_FIN;
        assert!(lost(closed, 0) && !lost(closed, Tick::in_seconds(121)));
    }

    fn summed(hosts: &[(u64, u64)], taken: u64, most: u32) -> Demand {
        let hosts = hosts.iter().zip(1u8..);
        let hosts = hosts.map(|(counts, last)| ([192, 0, 2, last].into(), *counts));
        sum(hosts.collect(), taken, most)
    }

    #[test]
    fn room_is_asked_for_as_the_data_plane_gives_it() {
        assert!(summed(&[], 100, 100).is_met());
        assert!(summed(&[(0, 5), (0, 5)], 90, 100).is_met());
        let full = summed(&[(0, 6), (0, 5)], 90, 100);
        assert_eq!((full.wanted, full.free, full.most), (11, 10, 100));
        assert!(!full.is_met());
        // A host alone may have four fifths.
        assert!(summed(&[(0, 80)], 0, 100).is_met());
        let alone = summed(&[(0, 90), (0, 1)], 0, 100);
        assert_eq!(alone.of_one_host, Some(([192, 0, 2, 1].into(), 90)));
        assert!(!alone.is_met());
    }
}
