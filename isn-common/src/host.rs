//! The data plane in ordinary memory: frames as octets, tables as hash maps, time as told.
//!
//! Tests run the same packets through this and through the kernel, and compare every octet and
//! every counter.

use core::{
    cell::{Cell, RefCell},
    hash::Hash,
    sync::atomic::{AtomicU64, Ordering},
};
use std::{collections::HashMap, rc::Rc};

use crate::{
    abi::{
        flow::{Flow, Previous, Record},
        maps::{SAMPLES_SIZE, SHARES_LENGTH, STORMS_LENGTH},
        policy::Policy,
        sample::{Sample, Told},
        settings::Settings,
    },
    counter::Counter,
    expiry::Place,
    flow::{Key4, Key6},
    packet::Packet,
    room::Admission,
    storm,
    tick::Tick,
    world::{Insertion, Tables, World},
};

/// A frame in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// From the first octet of the Ethernet header on.
    pub octets: Vec<u8>,
    /// A VLAN tag that was taken out.
    pub stripped_tag: Option<u16>,
}

impl Frame {
    /// A frame as it came from the wire.
    #[must_use]
    pub const fn new(octets: Vec<u8>) -> Self {
        Self {
            octets,
            stripped_tag: None,
        }
    }
}

impl Packet for Frame {
    fn length(&self) -> u32 {
        u32::try_from(self.octets.len()).unwrap_or(u32::MAX)
    }

    fn load<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.octets.get(at..)?.first_chunk().copied()
    }

    fn store<const N: usize>(&mut self, at: usize, octets: [u8; N]) -> Option<()> {
        *self.octets.get_mut(at..)?.first_chunk_mut()? = octets;
        Some(())
    }

    fn stripped_tag(&self) -> Option<u16> {
        self.stripped_tag
    }
}

type Shared = Rc<Flow<AtomicU64>>;

/// A table of one family, with a capacity.
pub struct Table<K> {
    entries: RefCell<HashMap<K, Shared>>,
    capacity: Cell<usize>,
}

impl<K: Copy + Eq + Hash> Table<K> {
    fn new() -> Self {
        Self {
            entries: RefCell::default(),
            capacity: Cell::new(65_536),
        }
    }

    /// What lies under `key`.
    #[must_use]
    pub fn record(&self, key: &K) -> Option<Record> {
        self.entries.borrow().get(key).map(|flow| flow.record())
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Room for this many entries and no more.
    pub fn limit(&self, capacity: usize) {
        self.capacity.set(capacity);
    }

    /// Puts `record` under `key`, whatever was there.
    pub fn put(&self, key: K, record: &Record) {
        self.entries.borrow_mut().insert(key, shared(record));
    }

    /// Removes what lies under `key`; false if nothing did.
    pub fn remove(&self, key: &K) -> bool {
        self.entries.borrow_mut().remove(key).is_some()
    }

    fn get(&self, key: &K) -> Option<Shared> {
        self.entries.borrow().get(key).cloned()
    }

    fn insert(&self, key: &K, record: &Record) -> Insertion {
        let mut entries = self.entries.borrow_mut();
        if entries.contains_key(key) {
            return Insertion::Exists;
        }
        if entries.len() >= self.capacity.get() {
            return Insertion::Full;
        }
        entries.insert(*key, shared(record));
        Insertion::Done
    }
}

fn shared(record: &Record) -> Shared {
    Rc::new(Flow {
        identity: AtomicU64::new(record.identity),
        sent: AtomicU64::new(record.sent),
        received: AtomicU64::new(record.received),
        stamps: AtomicU64::new(record.stamps),
        life: AtomicU64::new(record.life),
    })
}

/// A guarded prefix: address in network order, length in bits, and what applies.
struct Prefix {
    address: Vec<u8>,
    bits: u32,
    policy: Policy,
}

/// Maps, clock and counters in memory.
pub struct Memory {
    /// Translated IPv4 flows.
    pub translated_v4: Table<Key4>,
    /// Translated IPv6 flows.
    pub translated_v6: Table<Key6>,
    /// IPv4 flows whose handshake is not complete.
    pub half_open_v4: Table<Key4>,
    /// IPv6 flows whose handshake is not complete.
    pub half_open_v6: Table<Key6>,
    /// IPv4 flows with offset 0.
    pub history_v4: Table<Key4>,
    /// IPv6 flows with offset 0.
    pub history_v6: Table<Key6>,
    /// The incarnations before those in the records, IPv4.
    pub previous_v4: RefCell<HashMap<Key4, Previous>>,
    /// The incarnations before those in the records, IPv6.
    pub previous_v6: RefCell<HashMap<Key6, Previous>>,
    /// The samples that were told, the oldest first.
    pub samples: RefCell<Vec<Sample>>,
    /// How many samples there is room for.
    pub room_for_samples: Cell<usize>,
    storms: Vec<storm::Cell<AtomicU64>>,
    shares: Vec<AtomicU64>,
    settings: Settings,
    policies: Vec<Prefix>,
    now: Cell<Tick>,
    counters: RefCell<[u64; Counter::COUNT]>,
}

impl Memory {
    /// Empty tables of ample room, nothing guarded, time 0.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            translated_v4: Table::new(),
            translated_v6: Table::new(),
            half_open_v4: Table::new(),
            half_open_v6: Table::new(),
            history_v4: Table::new(),
            history_v6: Table::new(),
            previous_v4: RefCell::default(),
            previous_v6: RefCell::default(),
            samples: RefCell::default(),
            room_for_samples: Cell::new(SAMPLES_SIZE as usize / (Sample::SIZE + 8)),
            storms: (0..STORMS_LENGTH).map(|_| quiet()).collect(),
            shares: (0..SHARES_LENGTH).map(|_| AtomicU64::new(0)).collect(),
            settings,
            policies: Vec::new(),
            now: Cell::default(),
            counters: RefCell::new([0; Counter::COUNT]),
        }
    }

    /// Guards a prefix: 4 or 16 octets of address in network order, and its length in bits.
    pub fn guard(&mut self, address: &[u8], bits: u32, policy: Policy) {
        self.policies.push(Prefix {
            address: address.to_vec(),
            bits,
            policy,
        });
    }

    /// Replaces the settings.
    pub const fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Sets the clock.
    pub fn set_now(&self, now: Tick) {
        self.now.set(now);
    }

    /// The cells of [`crate::storm`] that are in use, with their indices.
    pub fn storms(&self) -> impl Iterator<Item = (u32, &storm::Cell<AtomicU64>)> {
        let used =
            |cell: &storm::Cell<AtomicU64>| cell.acknowledgments.load(Ordering::Relaxed) != 0;
        (0..).zip(&self.storms).filter(move |(_, cell)| used(cell))
    }

    /// Indices of the cells of [`crate::room`] that are in use.
    pub fn shares(&self) -> impl Iterator<Item = u32> {
        let used = |cell: &AtomicU64| cell.load(Ordering::Relaxed) != 0;
        (0..)
            .zip(&self.shares)
            .filter(move |(_, cell)| used(cell))
            .map(|(index, _)| index)
    }

    /// A counter's value.
    #[must_use]
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters.borrow()[counter.index()]
    }

    fn told(&self, sample: Sample) -> bool {
        let mut samples = self.samples.borrow_mut();
        let has_room = samples.len() < self.room_for_samples.get();
        if has_room {
            samples.push(sample);
        }
        has_room
    }

    fn longest(&self, host: &[u8]) -> Option<&Policy> {
        self.policies
            .iter()
            .filter(|prefix| prefix.address.len() == host.len())
            .filter(|prefix| covers(&prefix.address, prefix.bits, host))
            .max_by_key(|prefix| prefix.bits)
            .map(|prefix| &prefix.policy)
    }
}

const fn quiet() -> storm::Cell<AtomicU64> {
    storm::Cell {
        acknowledgments: AtomicU64::new(0),
        turns: AtomicU64::new(0),
    }
}

fn covers(prefix: &[u8], bits: u32, address: &[u8]) -> bool {
    (0..bits as usize).all(|bit| {
        let mask = 0x80u8 >> (bit % 8);
        prefix[bit / 8] & mask == address[bit / 8] & mask
    })
}

impl World for Memory {
    type Word = AtomicU64;
    type Found = Shared;

    fn now(&self) -> Tick {
        self.now.get()
    }

    fn settings(&self) -> Option<&Settings> {
        Some(&self.settings)
    }

    fn count(&self, counter: Counter, by: u64) {
        let value = &mut self.counters.borrow_mut()[counter.index()];
        *value = value.wrapping_add(by);
    }

    fn storm(&self, cell: u32) -> Option<&storm::Cell<AtomicU64>> {
        self.storms.get(cell as usize)
    }

    fn share(&self, cell: u32) -> Option<&AtomicU64> {
        self.shares.get(cell as usize)
    }
}

macro_rules! tables {
    ($address:ty, $key:ty, $translated:ident, $half_open:ident, $history:ident, $previous:ident) => {
        impl Tables<$address> for Memory {
            fn translated(&self, key: &$key) -> Option<Shared> {
                self.$translated.get(key)
            }

            fn half_open(&self, key: &$key) -> Option<Shared> {
                self.$half_open.get(key)
            }

            fn history(&self, key: &$key) -> Option<Shared> {
                self.$history.get(key)
            }

            fn insert_translated(&self, key: &$key, record: &Record) -> Insertion {
                self.$translated.insert(key, record)
            }

            fn insert_half_open(&self, key: &$key, record: &Record) -> Insertion {
                self.$half_open.insert(key, record)
            }

            fn replace_half_open(&self, key: &$key, record: &Record) -> bool {
                self.$half_open.put(*key, record);
                true
            }

            fn insert_history(&self, key: &$key, record: &Record) -> Insertion {
                self.$history.insert(key, record)
            }

            fn replace_history(&self, key: &$key, record: &Record) -> bool {
                self.$history.put(*key, record);
                true
            }

            fn remove(&self, key: &$key, place: Place) -> bool {
                match place {
                    Place::Translated => self.$translated.remove(key),
                    Place::HalfOpen => self.$half_open.remove(key),
                    Place::History => self.$history.remove(key),
                }
            }

            fn admission(&self, key: &$key) -> Admission {
                let entries = self.$translated.entries.borrow();
                let of_host = entries.keys().filter(|other| other.host == key.host);
                Admission::of(
                    entries.len() as u64,
                    of_host.count() as u64,
                    self.settings.limits.max_flows,
                )
            }

            fn account(&self, _: &$key, _: bool) {
                // Here the table itself is counted.
            }

            fn previous(&self, key: &$key) -> Option<Previous> {
                self.$previous.borrow().get(key).copied()
            }

            fn set_previous(&self, key: &$key, previous: &Previous) {
                self.$previous.borrow_mut().insert(*key, *previous);
            }

            fn policy(&self, host: $address) -> Option<&Policy> {
                self.longest(&host)
            }

            fn tell(&self, key: &$key, told: &Told) -> bool {
                let at = u64::from(self.now.get().0) << Tick::SHIFT;
                self.told(Sample::new(at, key, told))
            }
        }
    };
}

tables!(
    [u8; 4],
    Key4,
    translated_v4,
    half_open_v4,
    history_v4,
    previous_v4
);
tables!(
    [u8; 16],
    Key6,
    translated_v6,
    half_open_v6,
    history_v6,
    previous_v6
);
