//! What was saved, put back: into an instance that is there, or into one that is made for it and waits to be attached.
//!
//! The version in the settings of a new one is written last. Until then the maps are what an attach that was killed leaves
//! behind, and the next one removes them (S19).

use aya::{
    Pod,
    maps::{HashMap, MapError},
};
use isn_common::{
    abi::{
        ABI_VERSION,
        flow::{Previous, Record},
        maps as names,
        settings::Settings,
    },
    expiry::{self, Place as Where},
    flow::{Key4, Key6},
    tick::Tick,
};

use super::{
    Table, Upkeep,
    attach::occupy,
    bpffs, existing,
    lock::Lock,
    maps::{self, Maps},
    namespace,
    pins::Pins,
    privileges,
    programs::{Capacities, Programs},
    remembered::{Family, Remembered},
    undo::Undo,
};
use crate::{
    failure::{Explain as _, Failure},
    settings::{Place, PolicyTable, Request},
};

/// Flows handed over at a time: between two of these, progress is told.
const AT_A_TIME: usize = 4096;
/// `BPF_NOEXIST` of linux/bpf.h.
const UNLESS_THERE: u64 = 1;

/// What an instance is made of where none is there.
#[derive(Clone)]
pub struct Seed {
    /// Its settings; the network namespace is this process's own.
    pub settings: Settings,
    /// Its guarded prefixes.
    pub policy: PolicyTable,
    /// The room in its tables.
    pub capacities: Capacities,
}

/// What became of saved flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Put in among the translated ones.
    pub translated: u64,
    /// Put in among the half-open ones.
    pub half_open: u64,
    /// Put into the history.
    pub history: u64,
    /// Previous incarnations put in.
    pub previous: u64,
    /// Flows whose time was over.
    pub expired: u64,
    /// Flows of which something was known already.
    pub known: u64,
    /// Flows for which there was no room.
    pub left_out: u64,
}

/// An instance that flows are being put into: nobody else can change it meanwhile. Dropped before [`Restoring::finish`], an
/// instance that was made for them is taken away again.
pub struct Restoring {
    // Before the lock: what is taken back is taken back while it is held.
    undo: Undo,
    pins: Pins,
    maps: Maps,
    upkeep: Upkeep,
    settings: Settings,
    created: bool,
    mounted: bool,
    _lock: Lock,
}

impl Restoring {
    /// Opens the instance, or makes it from the seed.
    pub fn begin(place: &Place, seed: &Seed) -> Result<Self, Failure> {
        privileges::check(&privileges::TO_ATTACH)?;
        let pins = Pins::new(place);
        let mut undo = Undo::default();
        let mounted = bpffs::ensure(&place.bpffs, &mut undo)?;
        let (lock, _) = occupy(&pins, false, &mut undo)?;
        let existing = existing::read(&pins, &nothing_said(place))?;
        let created = existing.is_none();
        let settings = match existing {
            Some(existing) => existing.settings,
            None => create(&pins, seed, &mut undo)?,
        };
        Ok(Self {
            maps: Maps::open(&pins)?,
            upkeep: Upkeep::load(&pins)?,
            undo,
            pins,
            settings,
            created,
            mounted,
            _lock: lock,
        })
    }

    /// Whether the instance was made for the flows.
    #[must_use]
    pub const fn created(&self) -> bool {
        self.created
    }

    /// Whether a BPF file system had to be mounted.
    #[must_use]
    pub const fn mounted(&self) -> bool {
        self.mounted
    }

    /// Puts in what is not over and of which nothing is known. `tell` hears how many flows have had their turn.
    pub fn put(
        &mut self,
        remembered: Remembered,
        now: Tick,
        tell: &mut dyn FnMut(usize),
    ) -> Result<Restored, Failure> {
        let mut done = Restored::default();
        if self.created {
            done.previous += previous(&self.pins, names::PREVIOUS_V4, &remembered.v4.previous)?;
            done.previous += previous(&self.pins, names::PREVIOUS_V6, &remembered.v6.previous)?;
        }
        let Self {
            maps,
            upkeep,
            settings,
            created,
            ..
        } = self;
        let merges = !*created;
        let mut turns = 0;
        let mut putting = Putting::<Key4> {
            tables: [&maps.translated_v4, &maps.half_open_v4, &maps.history_v4],
            put: &mut |place, flows| upkeep.restore_v4(place, flows),
            settings,
            now,
            merges,
            done: &mut done,
            turns: &mut turns,
            tell,
        };
        putting.family(remembered.v4)?;
        let mut putting = Putting::<Key6> {
            tables: [&maps.translated_v6, &maps.half_open_v6, &maps.history_v6],
            put: &mut |place, flows| upkeep.restore_v6(place, flows),
            settings,
            now,
            merges,
            done: &mut done,
            turns: &mut turns,
            tell,
        };
        putting.family(remembered.v6)?;
        Ok(done)
    }

    /// Makes the instance whole.
    pub fn finish(mut self) -> Result<(), Failure> {
        if self.created {
            self.settings.abi_version = ABI_VERSION;
            self.maps.write_settings(&self.settings)?;
        }
        self.undo.keep();
        Ok(())
    }
}

/// Makes the maps; the settings tell no version yet.
fn create(pins: &Pins, seed: &Seed, undo: &mut Undo) -> Result<Settings, Failure> {
    Programs::prepare(pins, seed.capacities, false, undo)?;
    let mut settings = seed.settings;
    settings.abi_version = 0;
    settings.network_namespace = namespace::current()?;
    settings.limits = seed.capacities.limits(settings.limits);
    let mut maps = Maps::open(pins)?;
    maps.write_settings(&settings)?;
    maps.write_policy(&seed.policy)?;
    Ok(settings)
}

/// Adopts what is there as it is.
fn nothing_said(place: &Place) -> Request {
    Request {
        place: place.clone(),
        placed: Vec::new(),
        protect: Vec::new(),
        mode: None,
        hook: None,
        tc_flavour: None,
        history: None,
        max_flows: None,
        max_half_open: None,
        max_history: None,
        idle: None,
        closing: None,
        on_full: None,
        verbose: false,
    }
}

/// Puts previous incarnations into a table that nobody else uses yet; how many.
fn previous<K: Pod>(pins: &Pins, name: &str, all: &[(K, Previous)]) -> Result<u64, Failure> {
    let mut map: HashMap<_, K, Previous> = maps::open(pins, name)?;
    let mut done = 0;
    for (key, previous) in all {
        match map.insert(key, previous, UNLESS_THERE) {
            Ok(()) => done += 1,
            Err(MapError::ElementNotFound) => {}
            Err(error) => {
                return Err(error)
                    .explain(format!("cannot write the table {name}"), "run it as root");
            }
        }
    }
    Ok(done)
}

/// Flows of one family on their way in.
struct Putting<'a, K> {
    tables: [&'a Table<K>; 3],
    put: &'a mut dyn FnMut(Where, &[(K, Record)]) -> Result<u64, Failure>,
    settings: &'a Settings,
    now: Tick,
    merges: bool,
    done: &'a mut Restored,
    turns: &'a mut usize,
    tell: &'a mut dyn FnMut(usize),
}

impl<K: Pod> Putting<'_, K> {
    fn family(&mut self, family: Family<K>) -> Result<(), Failure> {
        self.done.translated += self.table(Where::Translated, family.translated)?;
        self.done.half_open += self.table(Where::HalfOpen, family.half_open)?;
        self.done.history += self.table(Where::History, family.history)?;
        Ok(())
    }

    /// Puts flows into one table, those that were silent for the longest time first: where entries make room for others, it is
    /// these. What does not fit is left out beforehand, so that it costs nobody a place.
    fn table(&mut self, place: Where, mut flows: Vec<(K, Record)>) -> Result<u64, Failure> {
        let all = flows.len();
        flows.retain(|(_, record)| !expiry::is_over(place, record, self.settings, self.now));
        self.done.expired += (all - flows.len()) as u64;
        let fresh = flows.len();
        if self.merges {
            let mut unknown = Vec::new();
            for (key, record) in flows {
                if !self.is_known(&key)? {
                    unknown.push((key, record));
                }
            }
            flows = unknown;
        }
        self.done.known += (fresh - flows.len()) as u64;
        let too_many = flows.len().saturating_sub(self.room(place)?);
        flows.sort_by_key(|(_, record)| std::cmp::Reverse(self.now.since(record.last_seen())));
        self.done.left_out += too_many as u64;
        *self.turns += all - (flows.len() - too_many);
        let mut restored = 0;
        for some in flows[too_many..].chunks(AT_A_TIME) {
            restored += self.some(place, some)?;
            *self.turns += some.len();
            (self.tell)(*self.turns);
        }
        Ok(restored)
    }

    fn some(&mut self, place: Where, flows: &[(K, Record)]) -> Result<u64, Failure> {
        let restored = (self.put)(place, flows)?;
        let refused = (flows.len() as u64).saturating_sub(restored);
        if refused > 0 {
            let mut absent = 0;
            for (key, _) in flows {
                absent += u64::from(!self.is_known(key)?);
            }
            self.done.left_out += absent;
            self.done.known += refused.saturating_sub(absent);
        }
        Ok(restored)
    }

    fn room(&self, place: Where) -> Result<usize, Failure> {
        let table = self.tables[place as usize];
        let (entries, flows) = table.count()?;
        let taken = if place == Where::Translated {
            flows
        } else {
            entries
        };
        Ok((table.capacity() as usize).saturating_sub(taken))
    }

    fn is_known(&self, key: &K) -> Result<bool, Failure> {
        for table in self.tables {
            if table.get(key)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
