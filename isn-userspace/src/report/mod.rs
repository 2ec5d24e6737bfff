//! Everything that is printed, into `impl Write`: tables for people on a terminal, plain columns
//! with a tab between them for pipes, one JSON object with `schema_version` for scripts.

mod audit;
mod change;
mod config;
mod decision;
mod doctor;
mod duration;
mod explain;
mod flows;
mod graded;
mod hosts;
mod key;
mod listing;
mod monitor;
mod policy;
mod snapshot;
mod stats;
mod status;
mod visible;

use std::io::{self, IsTerminal, Write};

pub use audit::AuditReport;
pub use change::{AttachReport, DetachReport};
pub use config::{CheckReport, DiffReport, ReloadReport, ShowReport};
pub use doctor::DoctorReport;
pub use duration::short as span;
pub use explain::ExplainReport;
pub use flows::{FlowsReport, Selection};
pub use graded::HostLine;
pub use hosts::{HostsReport, Listening, LiveHost, Source, mode_of};
pub use key::{KeyReport, RotateReport, disagreement};
pub use monitor::{Action, DecisionLine, Missed, UNREMEMBERED, WatchingLine};
pub use policy::PolicyReport;
use serde::Serialize;
pub use snapshot::{LoadReport, SaveReport};
pub use stats::StatsReport;
pub use status::StatusReport;
pub use visible::{visible, visible_lines};

/// Version of the shapes of all JSON objects; grows when a key changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// For whom text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A person at a terminal of this many columns, with or without colours.
    Terminal {
        /// Columns.
        width: u16,
        /// Whether attributes such as bold may be used.
        color: bool,
    },
    /// Another program.
    Plain,
}

/// Columns below which a terminal is not believed.
const NARROWEST: u16 = 40;

impl Style {
    /// The style that fits standard output.
    #[must_use]
    pub fn of_stdout() -> Self {
        if !io::stdout().is_terminal() {
            return Self::Plain;
        }
        // A serial console says that it has no columns.
        let width = comfy_table::Table::new()
            .width()
            .filter(|width| *width >= NARROWEST)
            .unwrap_or(80);
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self::Terminal {
            width,
            color: !set("NO_COLOR") && !dumb,
        }
    }

    /// `text` in bold, if the terminal takes it.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.painted(text, "1")
    }

    /// `text` as a warning, if the terminal takes it.
    #[must_use]
    pub fn alarming(self, text: &str) -> String {
        self.painted(text, "1;31")
    }

    /// `text` as something to look at, if the terminal takes it.
    #[must_use]
    pub fn cautious(self, text: &str) -> String {
        self.painted(text, "33")
    }

    /// `text` as something that is well, if the terminal takes it.
    #[must_use]
    pub fn calm(self, text: &str) -> String {
        self.painted(text, "32")
    }

    fn painted(self, text: &str, attributes: &str) -> String {
        match self {
            Self::Terminal { color: true, .. } => format!("\x1b[{attributes}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

/// A number with what it counts, in the singular or the plural.
#[must_use]
pub fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Something that can be reported both ways.
pub trait Report: Serialize {
    /// Writes it for people, or for programs that read columns.
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()>;

    /// Writes it as one JSON object with a newline behind it.
    fn json(&self, out: &mut impl Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Versioned<'a, T: ?Sized> {
            schema_version: u32,
            #[serde(flatten)]
            report: &'a T,
        }
        let versioned = Versioned {
            schema_version: SCHEMA_VERSION,
            report: self,
        };
        serde_json::to_writer(&mut *out, &versioned)?;
        writeln!(out)
    }

    /// Writes it to standard output, one way or the other.
    fn print(&self, json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if json {
            self.json(&mut out)?;
        } else {
            self.text(&mut out, Style::of_stdout())?;
        }
        out.flush()
    }
}
