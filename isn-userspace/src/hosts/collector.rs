//! Samples by host, the latest ones, in bounded memory.
//!
//! A host keeps at most [`Room::of_a_host`] samples, its latest. At the limit for all together the share of each host is
//! halved, so that those who have most give, and it grows again when there is room. At the limit of hosts an eighth goes at
//! once: first those of which too little is known to be graded, as a flood's invented senders, then those that are not
//! guarded, then those that were not seen for longest.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use isn_common::{
    abi::sample::{Flags, Sample},
    flow::Vlan,
};

use super::Host;
use crate::grading::ENOUGH;

/// A host: its address, and the VLAN that it lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostId {
    /// Its address, IPv4 as such.
    pub address: IpAddr,
    /// As [`isn_common::flow::Vlan`] has it; 0 for none.
    pub vlan: u32,
}

impl HostId {
    /// The host of a sample.
    #[must_use]
    pub fn of(sample: &Sample) -> Self {
        Self {
            address: Ipv6Addr::from(sample.host).to_canonical(),
            vlan: sample.vlan,
        }
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        match Vlan(self.vlan).identifiers() {
            (0, 0) => Ok(()),
            (0, id) => write!(f, " in VLAN {id}"),
            (outer, inner) => write!(f, " in VLAN {outer}.{inner}"),
        }
    }
}

/// A sample without what its host says. Addresses and ports in network order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Nanoseconds of the monotonic clock.
    pub at: u64,
    /// The peer's address, IPv4 mapped.
    pub peer: [u8; 16],
    /// The host's port and the peer's.
    pub ports: [[u8; 2]; 2],
    /// The number that the host chose.
    pub host_isn: u32,
    /// The number with which the SYN left.
    pub wire_isn: u32,
    /// End of the incarnation before in the host's numbers, with [`Flags::MARKED`].
    pub host_mark: u32,
    /// The same in the peer's numbers.
    pub wire_mark: u32,
    /// What else there is to know.
    pub flags: Flags,
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Samples of one host.
    pub of_a_host: usize,
    /// Samples of all hosts together.
    pub of_all: usize,
    /// Hosts.
    pub hosts: usize,
}

impl Room {
    /// Samples of 48 octets in queues that may be twice as long: 25 MB, and a megabyte for the hosts.
    pub const DEFAULT: Self = Self {
        of_a_host: 4_096,
        of_all: 1 << 18,
        hosts: 4_096,
    };
    /// What a host keeps in any case.
    const LEAST: usize = 32;
}

const _: () = assert!(size_of::<Kept>() == 48);
const _: () = assert!(Room::LEAST * Room::DEFAULT.hosts < Room::DEFAULT.of_all / 4 * 3);

#[derive(Debug, Default)]
struct Entry {
    samples: VecDeque<Kept>,
    syns: u64,
    rewritten: u64,
    seen: u64,
}

/// The samples of all hosts.
#[derive(Debug)]
pub struct Collector {
    hosts: HashMap<HostId, Entry>,
    room: Room,
    /// What one host may keep now.
    quota: usize,
    total: usize,
    forgotten: u64,
}

impl Default for Collector {
    fn default() -> Self {
        Self::with_room(Room::DEFAULT)
    }
}

impl Collector {
    /// Empty, with so much room.
    #[must_use]
    pub fn with_room(room: Room) -> Self {
        Self {
            hosts: HashMap::new(),
            quota: room.of_a_host,
            room,
            total: 0,
            forgotten: 0,
        }
    }

    /// Keeps a sample. A decision that is none tells nothing of a host's numbers.
    pub fn add(&mut self, sample: &Sample) {
        if !sample.flags.is_sample() {
            return;
        }
        let id = HostId::of(sample);
        if self.hosts.len() >= self.room.hosts && !self.hosts.contains_key(&id) {
            self.forget_hosts();
        }
        let roomy = self.total < self.room.of_all / 2;
        let entry = self.hosts.entry(id).or_default();
        if entry.samples.len() >= self.quota {
            if roomy && self.quota < self.room.of_a_host {
                self.quota = (self.quota * 2).min(self.room.of_a_host);
            } else {
                let over = entry.samples.len() + 1 - self.quota;
                entry.samples.drain(..over);
                self.total -= over;
            }
        }
        entry.samples.push_back(Kept::of(sample));
        entry.syns += 1;
        entry.rewritten += u64::from(sample.host_isn != sample.wire_isn);
        entry.seen = entry.seen.max(sample.at);
        self.total += 1;
        if self.total > self.room.of_all {
            self.halve();
        }
    }

    /// Which hosts are known.
    #[must_use]
    pub fn ids(&self) -> Vec<HostId> {
        self.hosts.keys().copied().collect()
    }

    /// How many hosts were forgotten for want of room. One that comes again and goes again counts again.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// A host as far as it is known; `None` if it was forgotten.
    #[must_use]
    pub fn host(&self, id: HostId) -> Option<Host> {
        let entry = self.hosts.get(&id)?;
        let mut samples: Vec<Kept> = entry.samples.iter().copied().collect();
        // Those of several CPUs need not be in order.
        samples.sort_by_key(|sample| sample.at);
        Some(Host {
            id,
            syns: entry.syns,
            rewritten: entry.rewritten,
            samples,
        })
    }

    /// All hosts.
    #[must_use]
    pub fn hosts(&self) -> Vec<Host> {
        let ids = self.ids();
        ids.into_iter().filter_map(|id| self.host(id)).collect()
    }

    fn halve(&mut self) {
        while self.total > self.room.of_all / 4 * 3 && self.quota > Room::LEAST {
            self.quota = (self.quota / 2).max(Room::LEAST);
            for entry in self.hosts.values_mut() {
                let over = entry.samples.len().saturating_sub(self.quota);
                entry.samples.drain(..over);
                entry.samples.shrink_to(self.quota);
                self.total -= over;
            }
        }
    }

    fn forget_hosts(&mut self) {
        let mut ranks: Vec<_> = self
            .hosts
            .iter()
            .map(|(id, entry)| (entry.rank(), *id))
            .collect();
        let going = (ranks.len() / 8).max(1);
        ranks.select_nth_unstable(going - 1);
        for (_, id) in &ranks[..going] {
            if let Some(entry) = self.hosts.remove(id) {
                self.total -= entry.samples.len();
            }
        }
        self.forgotten += going as u64;
    }
}

impl Entry {
    /// Who goes first.
    fn rank(&self) -> (bool, bool, u64) {
        let guarded = self
            .samples
            .back()
            .is_some_and(|sample| sample.flags.mode().is_some());
        (self.samples.len() >= ENOUGH, guarded, self.seen)
    }
}

impl Kept {
    /// What is kept of a sample.
    #[must_use]
    pub const fn of(sample: &Sample) -> Self {
        Self {
            at: sample.at,
            peer: sample.peer,
            ports: [sample.host_port, sample.peer_port],
            host_isn: sample.host_isn,
            wire_isn: sample.wire_isn,
            host_mark: sample.host_mark,
            wire_mark: sample.wire_mark,
            flags: sample.flags,
        }
    }

    /// The sample of `host` that this was.
    #[must_use]
    pub fn sample(&self, host: HostId) -> Sample {
        let address = match host.address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        Sample {
            at: self.at,
            host: address.octets(),
            peer: self.peer,
            host_port: self.ports[0],
            peer_port: self.ports[1],
            vlan: host.vlan,
            host_isn: self.host_isn,
            wire_isn: self.wire_isn,
            host_mark: self.host_mark,
            wire_mark: self.wire_mark,
            flags: self.flags,
            // No grade depends on it.
            timestamp_offset: 0,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use isn_common::abi::policy::Mode;

    use super::*;

    pub(crate) fn sample(host: u32, at: u64) -> Sample {
        Kept {
            at,
            peer: Ipv6Addr::LOCALHOST.octets(),
            ports: [[0, 1], [0, 2]],
            host_isn: 7,
            wire_isn: 8,
            host_mark: 0,
            wire_mark: 0,
            flags: Flags::of_mode(Some(Mode::Monotonic)),
        }
        .sample(id(host))
    }

    pub(crate) fn id(host: u32) -> HostId {
        HostId {
            address: IpAddr::V4(host.into()),
            vlan: 0,
        }
    }

    const SMALL: Room = Room {
        of_a_host: 100,
        of_all: 1_000,
        hosts: 16,
    };

    fn bounded(collector: &Collector, room: Room) {
        let entries = collector.hosts.values();
        let held: usize = entries.clone().map(|entry| entry.samples.len()).sum();
        let places: usize = entries.map(|entry| entry.samples.capacity()).sum();
        assert_eq!(held, collector.total);
        assert!(held <= room.of_all, "{held} samples");
        assert!(collector.hosts.len() <= room.hosts);
        assert!(
            places <= 2 * room.of_all + 4 * room.hosts,
            "{places} places"
        );
    }

    #[test]
    fn a_sample_comes_back_as_it_was_and_in_order_of_time() {
        let mut collector = Collector::default();
        let samples = [sample(9, 5), sample(9, 4), sample(9, 6)];
        for sample in &samples {
            collector.add(sample);
        }
        let host = collector.host(id(9)).unwrap();
        assert_eq!((host.syns, host.rewritten), (3, 3));
        let back: Vec<Sample> = host.samples.iter().map(|kept| kept.sample(id(9))).collect();
        assert_eq!(back, [samples[1], samples[0], samples[2]]);
        assert!(collector.host(id(8)).is_none());
    }

    #[test]
    fn one_address_in_two_vlans_is_two_hosts() {
        let mut collector = Collector::default();
        let other = Sample {
            vlan: 7,
            ..sample(1, 1)
        };
        collector.add(&sample(1, 1));
        collector.add(&other);
        assert_eq!(collector.hosts().len(), 2);
    }

    #[test]
    fn a_host_keeps_its_latest_and_counts_all() {
        let mut collector = Collector::with_room(SMALL);
        for at in 0..250 {
            collector.add(&sample(1, at));
        }
        let host = collector.host(id(1)).unwrap();
        let times: Vec<u64> = host.samples.iter().map(|sample| sample.at).collect();
        assert_eq!(times, (150..250).collect::<Vec<_>>());
        assert_eq!(host.syns, 250);
        bounded(&collector, SMALL);
    }

    #[test]
    fn those_with_most_give_and_get_it_back_when_there_is_room() {
        let mut collector = Collector::with_room(SMALL);
        for at in 0..20 {
            collector.add(&sample(1, at));
        }
        for at in 0..100 {
            for host in 2..16 {
                collector.add(&sample(host, at));
            }
            bounded(&collector, SMALL);
        }
        assert_eq!(collector.host(id(1)).unwrap().samples.len(), 20);
        assert!(collector.host(id(2)).unwrap().samples.len() >= 50);
        // The others are driven out, and the one that stays may keep as much as ever.
        for host in 100..130 {
            for _ in 0..ENOUGH {
                collector.add(&sample(host, u64::from(host)));
                collector.add(&sample(1, 1_000));
            }
        }
        for at in 2_000..2_100 {
            collector.add(&sample(1, at));
        }
        let fresh = collector.host(id(1)).unwrap();
        assert_eq!(fresh.samples.len(), 100);
        bounded(&collector, SMALL);
    }

    #[test]
    fn a_flood_of_invented_hosts_drives_out_its_like() {
        let mut collector = Collector::with_room(SMALL);
        for at in 0..ENOUGH as u64 {
            collector.add(&sample(1, at));
        }
        for host in 1_000..6_000 {
            collector.add(&sample(host, u64::from(host)));
            bounded(&collector, SMALL);
        }
        assert_eq!(collector.host(id(1)).unwrap().samples.len(), ENOUGH);
        let kept = collector.hosts().len() as u64;
        assert_eq!(kept + collector.forgotten(), 5_001);
    }

    #[test]
    fn strangers_go_before_guarded_hosts_and_the_latest_stay() {
        let mut collector = Collector::with_room(SMALL);
        for host in 0..16 {
            let flags = if host == 3 {
                Flags::of_mode(Some(Mode::Keyed))
            } else {
                Flags::of_mode(None)
            };
            collector.add(&Sample {
                flags,
                ..sample(host, u64::from(host))
            });
        }
        for host in 16..28 {
            collector.add(&Sample {
                flags: Flags::of_mode(None),
                ..sample(host, u64::from(host))
            });
        }
        let left: Vec<u32> = (0..28)
            .filter(|host| collector.host(id(*host)).is_some())
            .collect();
        assert!(left.contains(&3), "{left:?}");
        assert!(!left.contains(&0) && left.contains(&27), "{left:?}");
        bounded(&collector, SMALL);
    }

    /// What the documentation says of memory, with as much as can be put in.
    #[test]
    fn the_default_room_is_no_more_than_is_said() {
        let mut collector = Collector::default();
        for at in 0..80 {
            for host in 0..8_192 {
                collector.add(&sample(host, at));
            }
        }
        bounded(&collector, Room::DEFAULT);
        let places = 2 * Room::DEFAULT.of_all + 4 * Room::DEFAULT.hosts;
        let octets = places * size_of::<Kept>();
        assert!(octets <= 26 << 20, "{octets}");
    }
}
