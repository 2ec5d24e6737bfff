//! What was saved, put back: into an instance that is there, or into one that is made for it and waits to be attached.
//!
//! The version in the settings of a new one is written last. Until then the maps are what an attach that was killed leaves
//! behind, and the next one removes them (S19).

use isn_common::{
    abi::{ABI_VERSION, maps as names, settings::Settings},
    expiry::Place as Where,
    tick::Tick,
};

use super::{
    Upkeep,
    attach::occupy,
    bpffs, clock, existing,
    keying::{self, KeyedBefore},
    lock::Lock,
    maps::Maps,
    namespace,
    pins::Pins,
    privileges,
    programs::{Capacities, Programs},
    putting::{Putting, Restored, Tally, previous},
    remembered::Remembered,
    undo::Undo,
};
use crate::{
    failure::Failure,
    key::KeyFile,
    settings::{Place, PolicyTable, Request},
};

/// What an instance is made of where none is there.
#[derive(Clone)]
pub struct Seed {
    /// Its settings; the network namespace is this process's own.
    pub settings: Settings,
    /// Its guarded prefixes.
    pub policy: PolicyTable,
    /// The room in its tables.
    pub capacities: Capacities,
    /// Keyed mode, where it was in use.
    pub keyed: Option<KeyedBefore>,
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
    keyed: Option<KeyedBefore>,
    warnings: Vec<String>,
    _lock: Lock,
}

impl Restoring {
    /// Opens the instance, or makes it from the seed, with the key in `file` if a rule is keyed.
    pub fn begin(place: &Place, seed: &Seed, file: &KeyFile) -> Result<Self, Failure> {
        privileges::check(&privileges::TO_ATTACH)?;
        let pins = Pins::new(place);
        let mut undo = Undo::default();
        let mounted = bpffs::ensure(&place.bpffs, &mut undo)?;
        let (lock, _) = occupy(&pins, false, &mut undo)?;
        let existing = existing::read(&pins, &nothing_said(place))?;
        let created = existing.is_none();
        let (settings, warnings) = match existing {
            Some(existing) => (existing.settings, Vec::new()),
            None => create(&pins, seed, file, &mut undo)?,
        };
        Ok(Self {
            maps: Maps::open(&pins)?,
            upkeep: Upkeep::load(&pins)?,
            undo,
            pins,
            settings,
            created,
            mounted,
            keyed: seed.keyed,
            warnings,
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

    /// What the operator should know.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Puts in what is not over and of which nothing is known. `tell` hears how many flows have had their turn.
    pub fn put(
        &mut self,
        mut remembered: Remembered,
        now: Tick,
        tell: &mut dyn FnMut(usize),
    ) -> Result<Restored, Failure> {
        let same_key = (self.keyed).is_some_and(|before| before.is_of(&self.settings.keyed));
        keying::own(&mut remembered, &self.maps.policy()?, same_key, now);
        let mut done = Restored::default();
        if self.created {
            done.previous += previous(&self.pins, names::PREVIOUS_V4, &remembered.v4.previous)?;
            done.previous += previous(&self.pins, names::PREVIOUS_V6, &remembered.v6.previous)?;
        }
        let Self {
            maps,
            upkeep,
            settings,
            ..
        } = self;
        let mut tally = Tally {
            settings,
            now,
            merges: !self.created,
            done,
            turns: 0,
            tell,
        };
        let tables = [&maps.translated_v4, &maps.half_open_v4, &maps.history_v4];
        let mut put = |place: Where, flows: &[_]| upkeep.restore_v4(place, flows);
        Putting::new(tables, &mut put, &mut tally).family(remembered.v4)?;
        let tables = [&maps.translated_v6, &maps.half_open_v6, &maps.history_v6];
        let mut put = |place: Where, flows: &[_]| upkeep.restore_v6(place, flows);
        Putting::new(tables, &mut put, &mut tally).family(remembered.v6)?;
        Ok(tally.done)
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
fn create(
    pins: &Pins,
    seed: &Seed,
    file: &KeyFile,
    undo: &mut Undo,
) -> Result<(Settings, Vec<String>), Failure> {
    let mut settings = seed.settings;
    let mut warnings = Vec::new();
    if seed.policy.has_keyed() {
        (settings.keyed, warnings) = keying::begun(seed.keyed, file, clock::now())?;
    }
    Programs::prepare(pins, seed.capacities, false, undo)?;
    settings.abi_version = 0;
    settings.network_namespace = namespace::current()?;
    settings.limits = seed.capacities.limits(settings.limits);
    let mut maps = Maps::open(pins)?;
    maps.write_settings(&settings)?;
    maps.write_policy(&seed.policy)?;
    Ok((settings, warnings))
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
        samples: None,
        on_full: None,
        key_file: None,
        adopt: None,
        forward: None,
        forward_past_rules: None,
        verbose: false,
    }
}
