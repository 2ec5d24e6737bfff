//! `isnguard key`, and what `status` says of keyed mode. Of keys, their fingerprints alone.

mod rotated;
#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    path::Path,
};

pub use rotated::RotateReport;
use serde::Serialize;

use super::{
    Report, Style,
    duration::{rounded, short},
    status::field,
};
use crate::{
    dataplane::{Adopting, KeyState},
    failure::Failure,
    key::{Fingerprint, Stored},
};

/// The key that an instance or a file has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyLine {
    generation: u32,
    fingerprint: String,
}

/// Adopting under way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AdoptingLine {
    of: &'static str,
    seconds_left: f64,
}

impl KeyLine {
    fn new(generation: u32, fingerprint: Fingerprint) -> Self {
        Self {
            generation,
            fingerprint: fingerprint.to_string(),
        }
    }

    /// Of an instance; `None` where no rule is keyed.
    #[must_use]
    pub fn of(state: &KeyState) -> Option<Self> {
        let fingerprint = state.fingerprint.filter(|_| state.in_use)?;
        Some(Self::new(state.generation, fingerprint))
    }

    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "generation {}, fingerprint {}",
            self.generation, self.fingerprint
        )
    }
}

impl AdoptingLine {
    /// What is under way.
    #[must_use]
    pub fn new(adopting: Adopting) -> Self {
        Self {
            of: if adopting.after_key {
                "older-key"
            } else {
                "no-offset"
            },
            seconds_left: rounded(adopting.seconds_left()),
        }
    }

    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        let of = match self.of {
            "older-key" => "the key before",
            _ => "before keyed mode",
        };
        format!("connections of {of}, for {} more", short(self.seconds_left))
    }
}

/// What `key status` shows.
#[derive(Debug, Serialize)]
pub struct KeyReport {
    instance: String,
    file: FileLine,
    running: Option<InstanceLine>,
    agree: Option<bool>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FileLine {
    path: String,
    present: bool,
    #[serde(flatten)]
    key: Option<KeyLine>,
    in_use_this_boot: Option<bool>,
}

#[derive(Debug, Serialize)]
struct InstanceLine {
    in_use: bool,
    #[serde(flatten)]
    key: Option<KeyLine>,
    adopting: Option<AdoptingLine>,
    keyed_recomputed: u64,
    flows_adopted: u64,
    adoption_full: u64,
    own_flows: usize,
}

impl KeyReport {
    /// Of a file and what reading it gave, and of an instance with its state and how many flows have something of their own.
    #[must_use]
    pub fn new(
        instance: &str,
        path: &Path,
        read: &Result<Option<Stored>, Failure>,
        state: Option<(KeyState, usize)>,
    ) -> Self {
        let stored = read.as_ref().ok().and_then(Option::as_ref);
        let of_file = stored.map(|it| it.secret.fingerprint());
        let of_instance = state.and_then(|(it, _)| it.fingerprint.filter(|_| it.in_use));
        let agree = of_instance.map(|it| Some(it) == of_file);
        let mut problems = Vec::new();
        if let Err(failure) = read {
            problems.push(format!("{failure}; {}", failure.remedy()));
        } else if agree == Some(false) {
            problems.push(disagreement(path, of_file));
        }
        problems.extend(state.and_then(|(it, _)| it.problem()));
        let boot = crate::key::Boot::current();
        Self {
            instance: instance.into(),
            file: FileLine {
                path: path.display().to_string(),
                present: !matches!(read, Ok(None)),
                key: stored.map(|it| KeyLine::new(it.generation, it.secret.fingerprint())),
                in_use_this_boot: stored.map(|it| it.used_in.is_some() && it.used_in == boot),
            },
            running: state.map(|(state, own_flows)| InstanceLine::new(&state, own_flows)),
            agree,
            problems,
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_healthy(&self) -> bool {
        self.problems.is_empty()
    }
}

/// That a file does not have the key that is in use.
#[must_use]
pub fn disagreement(path: &Path, of_file: Option<Fingerprint>) -> String {
    let path = path.display();
    match of_file {
        Some(_) => format!(
            "the instance has another key than {path}: name its own file with --key-file; or switch to the key in this one \
             (isnguard key rotate --from {path})"
        ),
        None => format!(
            "the instance's key is not in {path}: name its file with --key-file; or replace the key (isnguard key rotate), or \
             no other gateway and no later boot knows it"
        ),
    }
}

impl InstanceLine {
    fn new(state: &KeyState, own_flows: usize) -> Self {
        Self {
            in_use: state.in_use,
            key: KeyLine::of(state),
            adopting: state.adopting.map(AdoptingLine::new),
            keyed_recomputed: state.recomputed,
            flows_adopted: state.adopted,
            adoption_full: state.not_adopted,
            own_flows,
        }
    }
}

impl Report for KeyReport {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        field(out, style, "instance", &self.instance)?;
        let state = match (&self.file.key, self.is_healthy()) {
            (_, false) => style.alarming("degraded"),
            (None, true) => "no key".into(),
            (Some(_), true) => style.bold("healthy"),
        };
        field(out, style, "state", &state)?;
        field(out, style, "file", &self.file.path)?;
        let of_file = match &self.file.key {
            Some(key) => key.text(),
            None if self.file.present => "none that could be used".into(),
            None => "not there: isnguard key rotate makes one".into(),
        };
        field(out, style, "in file", &of_file)?;
        match &self.running {
            None => field(out, style, "in use", "no: the instance is not attached")?,
            Some(running) => running.text(out, style)?,
        }
        for problem in &self.problems {
            field(out, style, "problem", problem)?;
        }
        Ok(())
    }
}

impl InstanceLine {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let in_use = self.key.as_ref().map(KeyLine::text);
        field(
            out,
            style,
            "in use",
            &in_use.unwrap_or_else(|| "no: no rule is keyed".into()),
        )?;
        if let Some(adopting) = &self.adopting {
            field(out, style, "adopting", &adopting.text())?;
        }
        let Self {
            keyed_recomputed,
            flows_adopted,
            adoption_full,
            own_flows,
            ..
        } = self;
        field(
            out,
            style,
            "flows",
            &format!("{own_flows} with an entry that alone knows their offset"),
        )?;
        field(
            out,
            style,
            "counted",
            &format!(
                "{keyed_recomputed} packets whose offset was computed again, {flows_adopted} connections adopted, \
                 {adoption_full} segments of such that were not for want of room"
            ),
        )
    }
}
