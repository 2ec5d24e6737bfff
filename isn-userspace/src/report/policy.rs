//! `isnguard policy list`: the rules that apply, in the order in which they do, and where each came from.

use std::io::{self, Write};

use serde::Serialize;

use super::{
    Report, Style,
    listing::{Column, Listing},
};
use crate::{
    config::Loaded,
    settings::{Guarded, PolicyTable, Protect},
};

/// The rules of an instance.
#[derive(Debug, Serialize)]
pub struct PolicyReport {
    instance: String,
    file: Option<String>,
    rules: Vec<RuleLine>,
}

#[derive(Debug, Serialize)]
struct RuleLine {
    prefix: String,
    ports: String,
    mode: &'static str,
    /// `file`, `default`, or `run-time`.
    origin: &'static str,
    line: Option<usize>,
}

impl PolicyReport {
    /// The rules of `policy`; what is in the file that the instance is configured by came from there.
    #[must_use]
    pub fn new(instance: &str, policy: &PolicyTable, configured: Option<&Loaded>) -> Self {
        let file = configured.and_then(|it| it.file.as_ref());
        Self {
            instance: instance.into(),
            file: file.map(|it| it.display().to_string()),
            rules: policy
                .rules()
                .map(|it| RuleLine::new(it, configured))
                .collect(),
        }
    }
}

impl RuleLine {
    fn new(rule: Guarded, configured: Option<&Loaded>) -> Self {
        let protect = Protect {
            prefix: rule.prefix,
            ports: rule.ports,
            mode: Some(rule.mode),
        };
        let line = configured.and_then(|it| it.line_of(&protect));
        let is_default = configured.is_some_and(|it| {
            let general = it.request.mode == rule.mode.mode();
            let everything = Protect::everything().map(|it| (it.prefix, it.ports));
            it.given.protect.is_empty()
                && general
                && everything.contains(&(rule.prefix, rule.ports))
        });
        let origin = match (line, is_default) {
            (Some(_), _) => "file",
            (None, true) => "default",
            (None, false) => "run-time",
        };
        Self {
            prefix: rule.prefix.to_string(),
            ports: rule.ports.to_string(),
            mode: rule.mode.name(),
            origin,
            line,
        }
    }

    fn from(&self, file: Option<&str>) -> String {
        match (file, self.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            _ => self.origin.into(),
        }
    }
}

impl Report for PolicyReport {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let mut listing = Listing::new(&[
            Column::text("prefix"),
            Column::text("ports"),
            Column::text("mode"),
            Column::text("from"),
        ]);
        for line in &self.rules {
            listing.row([
                line.prefix.clone(),
                line.ports.clone(),
                line.mode.into(),
                line.from(self.file.as_deref()),
            ]);
        }
        listing.write(out, style)
    }
}
