//! Where an instance's configuration comes from: a file, what the command line says over it, and defaults below it. It can be
//! loaded again as often as the file changes.

use std::path::{Path, PathBuf};

use isn_common::abi::settings::{Limits, Settings};

use super::{
    given::{Given, Origin},
    read::read,
    store::{Unread, text},
};
use crate::settings::{InstanceName, Mode, OnFull, Place, Protect, Request, Treatment};

const HOME: &str = "/etc/isnguard";

/// The name of an instance that nobody named.
pub const DEFAULT_INSTANCE: &str = "default";

/// A file, and the command line that overrides it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file; without one, what is not said is left as it is.
    pub file: Option<PathBuf>,
    /// What the command line says.
    pub said: Given,
    /// The instance, where neither says which.
    pub place: Place,
    /// Whether to tell the whole log of the verifier.
    pub verbose: bool,
}

/// A configuration as it is now.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The file.
    pub file: Option<PathBuf>,
    /// What was said, by file and command line.
    pub given: Given,
    /// What is asked for, with defaults for what the file does not say.
    pub request: Request,
}

impl Source {
    /// The file of an instance where none is named: `/etc/isnguard/isnguard.toml`, that of another than the default instance
    /// `/etc/isnguard/NAME.toml`.
    #[must_use]
    pub fn usual_file(instance: &InstanceName) -> PathBuf {
        let name = match instance.as_str() {
            DEFAULT_INSTANCE => "isnguard",
            name => name,
        };
        Path::new(HOME).join(format!("{name}.toml"))
    }

    /// Reads the file, if there is one, and puts the command line over it.
    pub fn load(&self) -> Result<Loaded, Unread> {
        let below = match &self.file {
            Some(file) => read(file, &text(file)?).map_err(Unread::Text)?,
            None => Given::default(),
        };
        self.with(below)
    }

    /// The configuration if the file says this.
    pub fn with(&self, file_says: Given) -> Result<Loaded, Unread> {
        let given = self.said.clone().over(file_says);
        let place = Place {
            instance: match &given.instance {
                Some(said) => said.value.clone(),
                None => self.place.instance.clone(),
            },
            bpffs: match &given.bpffs {
                Some(said) => said.value.clone(),
                None => self.place.bpffs.clone(),
            },
        };
        let request = given
            .request(place, self.verbose)
            .map_err(Unread::CommandLine)?;
        Ok(Loaded {
            request: if self.file.is_some() {
                completed(request)
            } else {
                request
            },
            file: self.file.clone(),
            given,
        })
    }
}

/// With a file, what it does not say is the default: it is the whole truth, not a change. The size of tables and the hook can
/// only be chosen once, and stay.
pub fn completed(request: Request) -> Request {
    Request {
        protect: if request.protect.is_empty() {
            Protect::everything().to_vec()
        } else {
            request.protect
        },
        mode: request.mode.or(Some(Mode::Monotonic)),
        history: request.history.or(Some(Settings::DEFAULT_HISTORY_SECONDS)),
        idle: request.idle.or(Some(Limits::DEFAULT_IDLE_SECONDS)),
        closing: request.closing.or(Some(Limits::DEFAULT_CLOSING_SECONDS)),
        samples: request.samples.or(Some(Limits::DEFAULT_SAMPLE_SHARE)),
        on_full: request.on_full.or(Some(OnFull::Pass)),
        ..request
    }
}

impl Loaded {
    /// The line of the file that a rule comes from.
    #[must_use]
    pub fn line_of(&self, rule: &Protect) -> Option<usize> {
        let mode = self.request.mode;
        let said = |it: &Protect| (it.prefix, it.ports, it.mode.map_or(mode, Treatment::mode));
        let found = self
            .given
            .protect
            .iter()
            .find(|it| said(&it.value) == said(rule));
        match found?.origin {
            Origin::Line(line) => Some(line),
            Origin::CommandLine => None,
        }
    }
}
