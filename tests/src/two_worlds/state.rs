//! All flows of a world as plain data: read, compared, made older, written back.

use std::{
    collections::HashMap,
    fmt::{Debug, Write as _},
    hash::Hash,
};

use anyhow::Result;
use aya::{Pod, maps::MapData};
use isn_common::{
    abi::flow::{Previous, Record, pack, unpack},
    expiry::Place,
    flow::{Key4, Key6},
    host::{Memory, Table},
};

use crate::test_run::Kernel;

/// The contents of the eight tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Translated IPv4 flows.
    pub translated_v4: HashMap<Key4, Record>,
    /// Translated IPv6 flows.
    pub translated_v6: HashMap<Key6, Record>,
    /// IPv4 flows whose handshake is not complete.
    pub half_open_v4: HashMap<Key4, Record>,
    /// IPv6 flows whose handshake is not complete.
    pub half_open_v6: HashMap<Key6, Record>,
    /// IPv4 flows with offset 0.
    pub history_v4: HashMap<Key4, Record>,
    /// IPv6 flows with offset 0.
    pub history_v6: HashMap<Key6, Record>,
    /// The incarnations before those in the records, IPv4.
    pub previous_v4: HashMap<Key4, Previous>,
    /// The incarnations before those in the records, IPv6.
    pub previous_v6: HashMap<Key6, Previous>,
}

impl State {
    /// What lies in the maps.
    pub fn read(kernel: &mut Kernel) -> Result<Self> {
        Ok(Self {
            translated_v4: kernel.flows4(Place::Translated).read()?,
            translated_v6: kernel.flows6(Place::Translated).read()?,
            half_open_v4: kernel.flows4(Place::HalfOpen).read()?,
            half_open_v6: kernel.flows6(Place::HalfOpen).read()?,
            history_v4: kernel.flows4(Place::History).read()?,
            history_v6: kernel.flows6(Place::History).read()?,
            previous_v4: read(&kernel.previous4()?)?,
            previous_v6: read(&kernel.previous6()?)?,
        })
    }

    /// Makes this what lies in the maps.
    pub fn write_to(&self, kernel: &mut Kernel) -> Result<()> {
        for (place, flows) in [
            (Place::Translated, &self.translated_v4),
            (Place::HalfOpen, &self.half_open_v4),
            (Place::History, &self.history_v4),
        ] {
            kernel.flows4(place).write(owned(flows))?;
        }
        for (place, flows) in [
            (Place::Translated, &self.translated_v6),
            (Place::HalfOpen, &self.half_open_v6),
            (Place::History, &self.history_v6),
        ] {
            kernel.flows6(place).write(owned(flows))?;
        }
        kernel.set_load(&self.translated_v4, &self.translated_v6)?;
        write(&mut kernel.previous4()?, &self.previous_v4)?;
        write(&mut kernel.previous6()?, &self.previous_v6)
    }

    /// Makes this what lies in memory, instead of `before`.
    pub fn write_to_memory(&self, before: &Self, memory: &Memory) {
        replace(
            &memory.translated_v4,
            &before.translated_v4,
            &self.translated_v4,
        );
        replace(
            &memory.translated_v6,
            &before.translated_v6,
            &self.translated_v6,
        );
        replace(
            &memory.half_open_v4,
            &before.half_open_v4,
            &self.half_open_v4,
        );
        replace(
            &memory.half_open_v6,
            &before.half_open_v6,
            &self.half_open_v6,
        );
        replace(&memory.history_v4, &before.history_v4, &self.history_v4);
        replace(&memory.history_v6, &before.history_v6, &self.history_v6);
        memory
            .previous_v4
            .borrow_mut()
            .clone_from(&self.previous_v4);
        memory
            .previous_v6
            .borrow_mut()
            .clone_from(&self.previous_v6);
    }

    /// The same flows, all of them `ticks` older.
    #[must_use]
    pub fn aged(&self, ticks: u32) -> Self {
        let succeeded = |previous: &Previous| Previous {
            ended: previous.ended.wrapping_sub(ticks),
            ..*previous
        };
        Self {
            previous_v4: changed(&self.previous_v4, &succeeded),
            previous_v6: changed(&self.previous_v6, &succeeded),
            ..self.each(|record| Record {
                sent: older(record.sent, ticks),
                life: older(record.life, ticks),
                ..*record
            })
        }
    }

    /// Number of entries in all tables.
    #[must_use]
    pub fn len(&self) -> usize {
        self.translated_v4.len()
            + self.translated_v6.len()
            + self.half_open_v4.len()
            + self.half_open_v6.len()
            + self.history_v4.len()
            + self.history_v6.len()
            + self.previous_v4.len()
            + self.previous_v6.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The flows that differ, or `None`; the two states under these names.
    #[must_use]
    pub fn difference(&self, other: &Self, names: [&str; 2]) -> Option<String> {
        let mut text = String::new();
        compare(
            &self.translated_v4,
            &other.translated_v4,
            parts,
            names,
            &mut text,
        );
        compare(
            &self.translated_v6,
            &other.translated_v6,
            parts,
            names,
            &mut text,
        );
        compare(
            &self.half_open_v4,
            &other.half_open_v4,
            parts,
            names,
            &mut text,
        );
        compare(
            &self.half_open_v6,
            &other.half_open_v6,
            parts,
            names,
            &mut text,
        );
        compare(&self.history_v4, &other.history_v4, parts, names, &mut text);
        compare(&self.history_v6, &other.history_v6, parts, names, &mut text);
        let before = |previous: &Previous| format!("before that: {previous:?}");
        compare(
            &self.previous_v4,
            &other.previous_v4,
            before,
            names,
            &mut text,
        );
        compare(
            &self.previous_v6,
            &other.previous_v6,
            before,
            names,
            &mut text,
        );
        (!text.is_empty()).then_some(text)
    }

    /// The same keys with changed records.
    #[must_use]
    pub fn each(&self, change: impl Fn(&Record) -> Record) -> Self {
        Self {
            translated_v4: changed(&self.translated_v4, &change),
            translated_v6: changed(&self.translated_v6, &change),
            half_open_v4: changed(&self.half_open_v4, &change),
            half_open_v6: changed(&self.half_open_v6, &change),
            history_v4: changed(&self.history_v4, &change),
            history_v6: changed(&self.history_v6, &change),
            previous_v4: self.previous_v4.clone(),
            previous_v6: self.previous_v6.clone(),
        }
    }
}

/// What lies in memory under the keys of `other`, and the number of entries there.
#[must_use]
pub fn memory_state(memory: &Memory, other: &State) -> (State, usize) {
    let state = State {
        translated_v4: pick(&memory.translated_v4, &other.translated_v4),
        translated_v6: pick(&memory.translated_v6, &other.translated_v6),
        half_open_v4: pick(&memory.half_open_v4, &other.half_open_v4),
        half_open_v6: pick(&memory.half_open_v6, &other.half_open_v6),
        history_v4: pick(&memory.history_v4, &other.history_v4),
        history_v6: pick(&memory.history_v6, &other.history_v6),
        previous_v4: memory.previous_v4.borrow().clone(),
        previous_v6: memory.previous_v6.borrow().clone(),
    };
    let translated = memory.translated_v4.len() + memory.translated_v6.len();
    let history = memory.history_v4.len() + memory.history_v6.len();
    let half_open = memory.half_open_v4.len() + memory.half_open_v6.len();
    let previous = state.previous_v4.len() + state.previous_v6.len();
    (state, translated + half_open + history + previous)
}

/// A record as its parts.
#[must_use]
pub fn parts(record: &Record) -> String {
    let control = record.control();
    format!(
        "{:?} ({:?}), control {:#x}, host ISN {}, offset {}, high-water mark {}, right edge {}, peer's next {}, timestamp offset {}, latest TSval {}, opened {}, seen {}",
        control.phase(),
        control.reason(),
        control.0,
        record.host_isn().0,
        record.offset().0,
        record.high_water().0,
        record.right_edge().0,
        record.peer_next().0,
        record.timestamp_offset().0,
        record.latest_stamp().0,
        record.opened().0,
        record.last_seen().0,
    )
}

fn compare<K: Debug + Eq + Hash, V: PartialEq>(
    one: &HashMap<K, V>,
    other: &HashMap<K, V>,
    parts: impl Fn(&V) -> String,
    names: [&str; 2],
    text: &mut String,
) {
    let mut keys: Vec<&K> = one.keys().collect();
    keys.extend(other.keys().filter(|key| !one.contains_key(key)));
    for key in keys
        .into_iter()
        .filter(|key| one.get(key) != other.get(key))
    {
        let _ = writeln!(text, "  {key:?}");
        for (name, state) in names.iter().zip([one, other]) {
            let _ = writeln!(
                text,
                "    {name}: {}",
                state.get(key).map_or_else(|| "none".to_owned(), &parts)
            );
        }
    }
}

/// Both words that hold a tick hold it in their upper half.
#[must_use]
pub const fn older(word: u64, ticks: u32) -> u64 {
    let (low, tick) = unpack(word);
    pack(low, tick.wrapping_sub(ticks))
}

type Map<'a, K, V> = aya::maps::HashMap<&'a mut MapData, K, V>;

fn owned<K: Copy>(flows: &HashMap<K, Record>) -> impl Iterator<Item = (K, Record)> {
    flows.iter().map(|(key, record)| (*key, *record))
}

fn read<K: Pod + Eq + Hash, V: Pod>(map: &Map<'_, K, V>) -> Result<HashMap<K, V>> {
    Ok(map.iter().collect::<Result<_, _>>()?)
}

fn write<K: Pod + Eq + Hash, V: Pod>(
    map: &mut Map<'_, K, V>,
    wanted: &HashMap<K, V>,
) -> Result<()> {
    for key in map.keys().collect::<Result<Vec<_>, _>>()? {
        if !wanted.contains_key(&key) {
            map.remove(&key)?;
        }
    }
    for (key, value) in wanted {
        map.insert(key, value, 0)?;
    }
    Ok(())
}

fn changed<K: Copy + Eq + Hash, V>(
    flows: &HashMap<K, V>,
    change: &impl Fn(&V) -> V,
) -> HashMap<K, V> {
    flows
        .iter()
        .map(|(key, value)| (*key, change(value)))
        .collect()
}

fn replace<K: Copy + Eq + Hash>(
    table: &Table<K>,
    before: &HashMap<K, Record>,
    wanted: &HashMap<K, Record>,
) {
    for key in before.keys() {
        table.remove(key);
    }
    for (key, record) in wanted {
        table.put(*key, record);
    }
}

fn pick<K: Copy + Eq + Hash>(table: &Table<K>, keys: &HashMap<K, Record>) -> HashMap<K, Record> {
    keys.keys()
        .filter_map(|key| Some((*key, table.record(key)?)))
        .collect()
}
