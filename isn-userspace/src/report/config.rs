//! `isnguard config`: what is wrong with a file, what applies and from where, what a reload would change or has changed.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use serde::Serialize;

use super::{Report, Style, counted};
use crate::{
    config::{Faults, LastReload, PlacedFault, Shown},
    dataplane::{Difference, Reconfigured},
};

/// What `config check` found.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    /// The file.
    pub file: PathBuf,
    /// Whether it can be used.
    pub valid: bool,
    /// What is wrong.
    pub errors: Vec<PlacedFault>,
    /// What the operator should know although nothing is wrong.
    pub notes: Vec<String>,
}

impl CheckReport {
    /// Of a file in which something is wrong.
    #[must_use]
    pub fn wrong(faults: &Faults) -> Self {
        Self {
            file: faults.file.clone(),
            valid: false,
            errors: faults.errors.clone(),
            notes: Vec::new(),
        }
    }
}

impl Report for CheckReport {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let file = self.file.display();
        if self.valid {
            return writeln!(out, "{file}: {}", style.bold("valid"));
        }
        for error in &self.errors {
            writeln!(out, "{file}:{}:{}: {error}\n", error.line, error.column)?;
        }
        let count = counted(self.errors.len(), "error");
        writeln!(out, "{file}: {}", style.alarming(&count))
    }
}

/// What applies, and from where: TOML that says the same if it is used as a file.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct ShowReport(pub Shown);

/// Where comments begin, if the value leaves room.
const COMMENTS: usize = 40;

impl Report for ShowReport {
    fn text(&self, out: &mut impl Write, _: Style) -> io::Result<()> {
        let Shown {
            file,
            settings,
            protect,
        } = &self.0;
        match file {
            Some(file) => writeln!(out, "# file: {file}")?,
            None => writeln!(out, "# no file")?,
        }
        for setting in settings {
            let from = from(setting.origin, setting.line);
            let is_empty = setting.value.as_array().is_some_and(Vec::is_empty);
            if setting.value.is_null() || is_empty {
                commented(out, &format!("# {} is not set", setting.key), &from)?;
            } else {
                // Strings, numbers and arrays of strings: TOML and JSON write them alike.
                commented(out, &format!("{} = {}", setting.key, setting.value), &from)?;
            }
        }
        for rule in protect {
            writeln!(out)?;
            commented(out, "[[protect]]", &from(rule.origin, rule.line))?;
            writeln!(out, "prefix = \"{}\"", rule.prefix)?;
            if rule.ports != "all" {
                writeln!(out, "ports = [\"{}\"]", rule.ports)?;
            }
            writeln!(out, "mode = \"{}\"", rule.mode)?;
        }
        Ok(())
    }
}

fn commented(out: &mut impl Write, text: &str, comment: &str) -> io::Result<()> {
    writeln!(out, "{text:COMMENTS$} # {comment}")
}

fn from(origin: &str, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("line {line}"),
        None => origin.replace('-', " "),
    }
}

/// What would change, or has.
#[derive(Debug, Serialize)]
pub struct DiffReport {
    instance: String,
    changed: bool,
    differences: Vec<Difference>,
    warnings: Vec<String>,
}

impl DiffReport {
    /// Of an instance; `changed` if it was done.
    #[must_use]
    pub fn new(instance: &str, changed: bool, done: Reconfigured) -> Self {
        Self {
            instance: instance.into(),
            changed,
            differences: done.differences,
            warnings: done.warnings,
        }
    }

    /// What the operator should know.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Report for DiffReport {
    fn text(&self, out: &mut impl Write, _: Style) -> io::Result<()> {
        if self.differences.is_empty() {
            return writeln!(out, "no difference");
        }
        for Difference { key, before, after } in &self.differences {
            if let Some(before) = before {
                writeln!(out, "- {key} {before}")?;
            }
            if let Some(after) = after {
                writeln!(out, "+ {key} {after}")?;
            }
        }
        if !self.changed {
            writeln!(out, "nothing was changed")?;
        }
        Ok(())
    }
}

/// What became of a reload.
#[derive(Debug, Serialize)]
pub struct ReloadReport {
    instance: String,
    file: PathBuf,
    process: u32,
    successful: bool,
    message: String,
}

impl ReloadReport {
    /// As the process that stays has noted it.
    #[must_use]
    pub fn new(instance: &str, process: u32, last: LastReload) -> Self {
        Self {
            instance: instance.into(),
            file: last.file,
            process,
            successful: last.successful,
            message: last.message,
        }
    }

    /// Whether it was taken over.
    #[must_use]
    pub const fn is_successful(&self) -> bool {
        self.successful
    }
}

impl Report for ReloadReport {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let file = self.file.display();
        if self.successful {
            return writeln!(out, "reloaded {file}: {}", self.message);
        }
        let failed = style.alarming("not taken over");
        writeln!(
            out,
            "{file}: {failed}, and what was configured before goes on: {}",
            self.message
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{RuleLine, Setting};

    fn text(report: &impl Report) -> String {
        let mut out = Vec::new();
        report.text(&mut out, Style::Plain).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_shown_is_a_file_that_says_the_same() {
        let setting = |key, value: serde_json::Value, line: Option<usize>| Setting {
            key,
            value,
            origin: if line.is_some() {
                "file"
            } else {
                "command-line"
            },
            line,
        };
        let shown = ShowReport(Shown {
            file: Some("/etc/f.toml".into()),
            settings: vec![
                setting("inside", vec!["eth1", "eth2"].into(), Some(3)),
                setting("history", 60.into(), None),
                setting("adopt", serde_json::Value::Null, None),
            ],
            protect: vec![RuleLine {
                prefix: "10.0.0.0/8".into(),
                ports: "80-90".into(),
                mode: "off",
                origin: "file",
                line: Some(9),
            }],
        });
        let text = text(&shown);
        assert!(
            text.contains("inside = [\"eth1\",\"eth2\"]                 # line 3\n"),
            "{text}"
        );
        assert!(
            text.contains("history = 60                             # command line\n"),
            "{text}"
        );
        assert!(text.contains("# adopt is not set") && text.contains("# line 9\n"));
        // The only rule takes hosts out, which is no policy: everything else is understood.
        let faults = crate::config::read("f".as_ref(), &text).unwrap_err();
        assert_eq!(faults.errors.len(), 1, "{faults}");
    }

    #[test]
    fn differences_are_lines_with_a_sign() {
        let difference = |before: Option<&str>, after: Option<&str>| Difference {
            key: "protect",
            before: before.map(Into::into),
            after: after.map(Into::into),
        };
        let done = Reconfigured {
            differences: vec![
                difference(Some("a"), Some("b")),
                difference(None, Some("c")),
            ],
            warnings: Vec::new(),
        };
        let report = DiffReport::new("x", false, done);
        assert_eq!(
            text(&report),
            "- protect a\n+ protect b\n+ protect c\nnothing was changed\n"
        );
        let none = DiffReport::new("x", false, Reconfigured::default());
        assert_eq!(text(&none), "no difference\n");
    }
}
