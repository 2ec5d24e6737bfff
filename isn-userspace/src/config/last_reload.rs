//! What became of the last attempt to take over a configuration file, and which file an instance is configured by.
//!
//! Both are noted beside the instance's pins, so that every process can tell them (`status`, metrics), and so that they live
//! exactly as long as the instance.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{
    dataplane::{Pins, running},
    failure::{Explain as _, Failure},
    settings::Place,
};

const NAME: &str = "reload";
/// A note has little room.
const LONGEST: usize = 1_500;

/// An attempt to take over a configuration: at `run`, `attach`, or a reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReload {
    /// The file.
    pub file: PathBuf,
    /// The process that stays and follows the file, if there is one.
    pub process: Option<u32>,
    /// Nanoseconds since 1970, by the machine's clock.
    pub at_ns: u64,
    /// Whether it applies now; else what applied before goes on.
    pub successful: bool,
    /// What was changed, or why it failed and what to do, on one line.
    pub message: String,
}

impl LastReload {
    /// An attempt that has just ended.
    #[must_use]
    pub fn now(file: &Path, process: Option<u32>, ended: Result<String, String>) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let at_ns = since.map_or(0, |it| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX));
        let successful = ended.is_ok();
        let mut message = ended.unwrap_or_else(|why| why).replace('\n', "; ");
        if let Some((at, _)) = message.char_indices().nth(LONGEST) {
            message.truncate(at);
            message.push('…');
        }
        Self {
            file: file.to_owned(),
            process,
            at_ns,
            successful,
            message,
        }
    }

    /// Of an instance; `None` where no file was ever taken over.
    #[must_use]
    pub fn of(place: &Place) -> Option<Self> {
        serde_json::from_str(&Pins::new(place).text_note(NAME)?).ok()
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn at_seconds(&self) -> u64 {
        self.at_ns / 1_000_000_000
    }

    /// What is wrong, if it failed.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let Self { file, message, .. } = self;
        (!self.successful).then(|| {
            format!(
                "the last reload of {} failed, and what was configured before goes on: {message}",
                file.display()
            )
        })
    }

    /// Notes it beside the pins.
    pub fn note(&self, place: &Place) -> Result<(), Failure> {
        let noted = || -> anyhow::Result<()> {
            let text = serde_json::to_string(self)?;
            Pins::new(place).write_text_note(NAME, &text)
        };
        noted().explain(
            "cannot note what became of the configuration",
            "see whether the BPF file system is writable",
        )
    }

    /// An `attach` has succeeded: with a file, that is noted; without one, an earlier failure is over. A process that follows
    /// a file goes on doing so.
    pub fn note_attached(place: &Place, file: Option<&Path>) -> Result<(), Failure> {
        let last = Self::of(place);
        let process = last.as_ref().and_then(|it| it.process);
        let followed = process.filter(|_| process == running(place));
        match (file, last) {
            (Some(file), _) => Self::now(file, followed, Ok("attached".into())).note(place),
            (None, Some(last)) if !last.successful => {
                let message = "attached with a command line instead".into();
                Self::now(&last.file, followed, Ok(message)).note(place)
            }
            (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_problem_and_a_success_none() {
        let failed = LastReload::now(
            Path::new("/etc/f.toml"),
            None,
            Err("f:1:2: no\nmore".into()),
        );
        assert_eq!(
            failed.problem().as_deref(),
            Some(
                "the last reload of /etc/f.toml failed, and what was configured before goes on: f:1:2: no; more"
            )
        );
        let done = LastReload::now(Path::new("f"), Some(1), Ok("nothing".into()));
        assert_eq!(done.problem(), None);
        assert!(done.at_ns > 0 && done.at_seconds() > 1_000_000_000);
        let long = LastReload::now(Path::new("f"), None, Err("\u{e9}".repeat(9_999)));
        assert!(serde_json::to_string(&long).unwrap().len() < 4_000);
    }
}
