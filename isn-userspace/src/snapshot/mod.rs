//! Flows that survive what the kernel's memory does not, a reboot of the gateway above all: saved to a file, and put back.
//!
//! `contents` says what is in such a file, `envelope` how it is told from others and from damaged ones, `file` who may write
//! it, `age` what becomes of its times. The file has the secret of the instance's jumps in it and is kept as a secret; the key of
//! keyed mode is not in it, only its fingerprint.

mod age;
mod contents;
mod envelope;
mod file;
mod keyed;

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use contents::Contents;

use crate::{
    dataplane::{self, Capacities, Instance, Remembered, Restored, Restoring, Seed},
    failure::{Explain as _, Failure},
    key::KeyFile,
    settings::Place,
};

/// What was saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Flows that may have an offset.
    pub translated: usize,
    /// Flows whose handshake is not complete.
    pub half_open: usize,
    /// Flows with offset 0.
    pub history: usize,
    /// Previous incarnations.
    pub previous: usize,
    /// Size of the file.
    pub octets: u64,
}

impl Saved {
    fn counted(remembered: &Remembered) -> Self {
        let Remembered { v4, v6 } = remembered;
        Self {
            translated: v4.translated.len() + v6.translated.len(),
            half_open: v4.half_open.len() + v6.half_open.len(),
            history: v4.history.len() + v6.history.len(),
            previous: v4.previous.len() + v6.previous.len(),
            octets: 0,
        }
    }
}

/// How a snapshot is to be loaded.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Room for translated flows, where the instance is to be made and another is wanted than it had.
    pub max_flows: Option<u32>,
    /// The same for half-open flows.
    pub max_half_open: Option<u32>,
    /// The same for the history.
    pub max_history: Option<u32>,
    /// Remove the file when its flows are put in.
    pub consume: bool,
    /// File of the key, where the instance is to be made and a rule of it is keyed.
    pub key_file: Option<PathBuf>,
}

/// What was loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// Whether the instance was made for it.
    pub created: bool,
    /// Whether a BPF file system had to be mounted.
    pub mounted: bool,
    /// Time since it was saved, by the wall clock.
    pub age: Duration,
    /// Flows in the file.
    pub flows: usize,
    /// What became of them.
    pub restored: Restored,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Saves what an instance remembers. Nothing is changed, and traffic goes on. `tell` hears what is being done.
pub fn save(
    instance: &Instance,
    path: &Path,
    tell: &mut dyn FnMut(&str),
) -> Result<Saved, Failure> {
    file::check_replaceable(path)?;
    tell("reading the tables");
    let policy = instance.maps.policy()?;
    let remembered = instance.remembered()?;
    let mut saved = Saved::counted(&remembered);
    let seed = Seed {
        settings: instance.settings,
        policy,
        capacities: instance.capacities(),
        // From the settings.
        keyed: None,
    };
    // After the tables: nothing in them is younger than this.
    let at = Moment {
        wall: wall_clock(),
        tick: dataplane::now(),
    };
    tell(&format!("writing {} flows", remembered.len()));
    let contents = Contents::new(&seed, remembered, at);
    let octets = envelope::seal(&contents)?;
    drop(contents);
    file::write(path, &octets)?;
    saved.octets = octets.len() as u64;
    Ok(saved)
}

/// Puts what was saved into an instance, which is made if it is not there. `tell` hears how many of how many flows have had
/// their turn.
pub fn load(
    place: &Place,
    path: &Path,
    options: &Options,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<Loaded, Failure> {
    let (octets, mut warnings) = file::read(path)?;
    let contents = envelope::open(path, &octets)?;
    drop(octets);
    let wall = wall_clock();
    if wall < contents.saved_at() {
        warnings.push(FROM_THE_FUTURE.into());
    }
    let age = wall.saturating_sub(contents.saved_at());
    let file = KeyFile::choose(options.key_file.as_deref(), &place.instance);
    let seed = options.applied_to(contents.seed(path, age)?);
    let now = dataplane::now();
    let remembered: Remembered = contents.remembered(now, age);
    let flows = remembered.len();
    let mut restoring = Restoring::begin(place, &seed, &file)?;
    warnings.extend_from_slice(restoring.warnings());
    let restored = restoring.put(remembered, now, &mut |turns| tell(turns, flows))?;
    let loaded = Loaded {
        created: restoring.created(),
        mounted: restoring.mounted(),
        age,
        flows,
        restored,
        warnings,
    };
    restoring.finish()?;
    if options.consume {
        consume(path)?;
    }
    Ok(loaded)
}

const FROM_THE_FUTURE: &str = "the clock says that this snapshot comes from the future: the time since it was saved counts as none";

fn consume(path: &Path) -> Result<(), Failure> {
    std::fs::remove_file(path).explain(
        format!("cannot remove {}", path.display()),
        "its flows are loaded; remove it by hand, or they come back with the next load",
    )
}

impl Options {
    /// The seed with the room that is wanted.
    fn applied_to(&self, seed: Seed) -> Seed {
        let capacities = Capacities {
            flows: self.max_flows.unwrap_or(seed.capacities.flows),
            half_open: self.max_half_open.unwrap_or(seed.capacities.half_open),
            history: self.max_history.unwrap_or(seed.capacities.history),
        };
        Seed { capacities, ..seed }
    }
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// Since the Unix epoch.
    wall: Duration,
    /// As the data plane says it.
    tick: isn_common::tick::Tick,
}

/// Since the Unix epoch; a clock that was never set counts as none.
fn wall_clock() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
