//! `isnguard key rotate`.

use std::{
    io::{self, Write},
    path::Path,
};

use serde::Serialize;

use super::{
    super::{Report, Style, counted, status::field},
    AdoptingLine, KeyLine,
};
use crate::dataplane::Rotated;

/// What `key rotate` did.
#[derive(Debug, Serialize)]
pub struct RotateReport {
    instance: String,
    file: String,
    #[serde(flatten)]
    key: KeyLine,
    fingerprint_before: Option<String>,
    switched: bool,
    finished_earlier: bool,
    kept: u64,
    without_room: u64,
    adopting: Option<AdoptingLine>,
}

impl RotateReport {
    /// What was done to a file and an instance.
    #[must_use]
    pub fn new(instance: &str, path: &Path, rotated: &Rotated) -> Self {
        Self {
            instance: instance.into(),
            file: path.display().to_string(),
            key: KeyLine::new(rotated.generation, rotated.fingerprint),
            fingerprint_before: rotated.before.map(|it| it.to_string()),
            switched: rotated.switched,
            finished_earlier: rotated.finished,
            kept: rotated.pinned.done,
            without_room: rotated.pinned.left,
            adopting: rotated.adopting.map(AdoptingLine::new),
        }
    }

    /// What the operator should know.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        if self.without_room == 0 {
            return Vec::new();
        }
        vec![format!(
            "{} connections found no room among the translated ones: they go on as long as they are not silent, and then are \
             adopted if there is room",
            self.without_room
        )]
    }
}

impl Report for RotateReport {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let done = match (
            self.finished_earlier,
            self.switched,
            &self.fingerprint_before,
        ) {
            (true, ..) => "a rotation that was broken off is finished".to_owned(),
            (_, true, _) => format!(
                "instance {} has another key; none of its connections is broken",
                self.instance
            ),
            (_, false, Some(_)) => "the file has another key; no instance uses it yet".into(),
            (_, false, None) => "made a key; no instance uses it yet".into(),
        };
        field(out, style, "done", &done)?;
        field(out, style, "file", &self.file)?;
        field(out, style, "key", &self.key.text())?;
        if let Some(before) = &self.fingerprint_before {
            field(out, style, "before", &format!("fingerprint {before}"))?;
        }
        if self.switched {
            let kept = usize::try_from(self.kept).unwrap_or(usize::MAX);
            field(
                out,
                style,
                "kept",
                &counted(kept, "connection of the key before"),
            )?;
        }
        match &self.adopting {
            Some(adopting) => field(out, style, "adopting", &adopting.text()),
            None => Ok(()),
        }
    }
}
