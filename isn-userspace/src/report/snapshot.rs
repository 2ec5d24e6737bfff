//! `isnguard snapshot`.

use std::{
    io::{self, Write},
    path::Path,
};

use serde::Serialize;

use super::{
    Report, Style, counted,
    duration::{rounded, short},
};
use crate::snapshot::{Loaded, Saved};

/// What `snapshot save` did.
#[derive(Debug, Serialize)]
pub struct SaveReport {
    instance: String,
    file: String,
    translated: usize,
    half_open: usize,
    history: usize,
    previous: usize,
    octets: u64,
}

/// What `snapshot load` did.
#[derive(Debug, Serialize)]
pub struct LoadReport {
    instance: String,
    file: String,
    created: bool,
    mounted_bpffs: bool,
    saved_seconds_ago: f64,
    flows: usize,
    restored: Counts,
    expired: u64,
    known: u64,
    left_out: u64,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Counts {
    translated: u64,
    half_open: u64,
    history: u64,
    previous: u64,
}

impl SaveReport {
    /// What was saved, and where.
    #[must_use]
    pub fn new(instance: &str, file: &Path, saved: &Saved) -> Self {
        let Saved {
            translated,
            half_open,
            history,
            previous,
            octets,
        } = *saved;
        Self {
            instance: instance.into(),
            file: file.display().to_string(),
            translated,
            half_open,
            history,
            previous,
            octets,
        }
    }
}

impl Report for SaveReport {
    fn text(&self, out: &mut impl Write, _: Style) -> io::Result<()> {
        writeln!(
            out,
            "saved instance {} to {}: {}, {} half-open, {} of the history; {} octets",
            self.instance,
            self.file,
            counted(self.translated, "translated flow"),
            self.half_open,
            self.history,
            self.octets
        )
    }
}

impl LoadReport {
    /// What was loaded, from where.
    #[must_use]
    pub fn new(instance: &str, file: &Path, loaded: &Loaded) -> Self {
        let restored = loaded.restored;
        Self {
            instance: instance.into(),
            file: file.display().to_string(),
            created: loaded.created,
            mounted_bpffs: loaded.mounted,
            saved_seconds_ago: rounded(loaded.age.as_secs_f64()),
            flows: loaded.flows,
            restored: Counts {
                translated: restored.translated,
                half_open: restored.half_open,
                history: restored.history,
                previous: restored.previous,
            },
            expired: restored.expired,
            known: restored.known,
            left_out: restored.left_out,
            warnings: loaded.warnings.clone(),
        }
    }

    /// What the operator should know.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.warnings.clone();
        if self.left_out > 0 {
            warnings.push(format!(
                "{} of {} flows found no room and were left out: the tables are smaller than they were, or have others in them",
                self.left_out, self.flows
            ));
        }
        warnings
    }
}

impl Report for LoadReport {
    fn text(&self, out: &mut impl Write, _: Style) -> io::Result<()> {
        let into = if self.created {
            "made instance"
        } else {
            "loaded into instance"
        };
        let Counts {
            translated,
            half_open,
            history,
            ..
        } = self.restored;
        writeln!(
            out,
            "{into} {} from {}, saved {} ago: {}, {half_open} half-open, {history} of the history; not restored: {} over, {} \
             known already, {} without room",
            self.instance,
            self.file,
            short(self.saved_seconds_ago),
            counted(
                usize::try_from(translated).unwrap_or(usize::MAX),
                "translated flow"
            ),
            self.expired,
            self.known,
            self.left_out
        )?;
        if self.created {
            writeln!(
                out,
                "it is not attached yet: isnguard run --inside IF, or isnguard attach --inside IF"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dataplane::Restored;

    fn loaded(created: bool) -> LoadReport {
        let loaded = Loaded {
            created,
            mounted: false,
            age: Duration::from_millis(61_500),
            flows: 21,
            restored: Restored {
                translated: 1,
                half_open: 2,
                history: 3,
                previous: 4,
                expired: 5,
                known: 6,
                left_out: 4,
            },
            warnings: vec!["w".into()],
        };
        LoadReport::new("plant", Path::new("/f"), &loaded)
    }

    #[test]
    fn a_load_says_what_became_of_every_flow() {
        let mut out = Vec::new();
        loaded(false).text(&mut out, Style::Plain).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "loaded into instance plant from /f, saved 1m01s ago: 1 translated flow, 2 half-open, 3 of the history; not \
             restored: 5 over, 6 known already, 4 without room\n"
        );
        let warnings = loaded(false).warnings();
        assert!(
            warnings[0] == "w" && warnings[1].starts_with("4 of 21 flows"),
            "{warnings:?}"
        );
    }

    #[test]
    fn one_that_made_the_instance_says_that_it_waits() {
        let mut out = Vec::new();
        loaded(true).text(&mut out, Style::Plain).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with("made instance plant") && text.contains("not attached yet"),
            "{text}"
        );
    }

    #[test]
    fn json_has_every_number() {
        let mut out = Vec::new();
        loaded(true).json(&mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["restored"]["previous"], 4);
        assert_eq!(
            (&json["created"], &json["flows"]),
            (&true.into(), &21.into())
        );
        let saved = Saved {
            translated: 1,
            octets: 9,
            ..Saved::default()
        };
        let mut out = Vec::new();
        let report = SaveReport::new("plant", Path::new("/f"), &saved);
        report.json(&mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            (&json["translated"], &json["octets"]),
            (&1.into(), &9.into())
        );
    }
}
