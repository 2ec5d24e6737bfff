//! What `attach`, `run` and `detach` say when they are done.

use std::io::{self, Write};

use serde::Serialize;

use super::{
    Report, Style, counted,
    status::{StatusReport, field},
};
use crate::dataplane::Attached;

/// What `attach` did.
#[derive(Debug, Serialize)]
pub struct AttachReport {
    adopted: bool,
    mounted_bpffs: bool,
    warnings: Vec<String>,
    #[serde(flatten)]
    status: StatusReport,
}

impl AttachReport {
    /// What was done, and the state after it.
    #[must_use]
    pub fn new(attached: &Attached) -> Self {
        Self {
            adopted: attached.adopted,
            mounted_bpffs: attached.mounted,
            warnings: attached.warnings.clone(),
            status: StatusReport::new(&attached.status),
        }
    }

    /// What the operator should know.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Report for AttachReport {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let done = if self.adopted {
            "adopted, flows kept"
        } else {
            "attached"
        };
        field(out, style, "done", done)?;
        self.status.text(out, style)
    }
}

/// What `detach` did.
#[derive(Debug, Serialize)]
pub struct DetachReport {
    /// The instance.
    pub instance: String,
    /// Whether it is detached.
    pub detached: bool,
    /// Translated flows that were alive.
    pub live: usize,
    /// Translated flows that were over, but of which late segments may come.
    pub closed: usize,
}

impl Report for DetachReport {
    fn text(&self, out: &mut impl Write, _: Style) -> io::Result<()> {
        let Self {
            instance,
            live,
            closed,
            ..
        } = self;
        write!(out, "detached instance {instance}")?;
        match (live, closed) {
            (0, 0) => writeln!(out),
            (0, closed) => writeln!(
                out,
                "; {} just ended, whose late segments are no longer translated",
                counted(*closed, "translated connection")
            ),
            (live, _) => {
                writeln!(
                    out,
                    "; broken: {}",
                    counted(*live, "live translated connection")
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detach_says_what_it_broke() {
        let report = |live, closed| {
            let report = DetachReport {
                instance: "plant".into(),
                detached: true,
                live,
                closed,
            };
            let mut out = Vec::new();
            report.text(&mut out, Style::Plain).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(report(0, 0), "detached instance plant\n");
        assert!(report(2, 1).contains("broken: 2 live translated connections"));
        assert!(report(0, 1).contains("1 translated connection just ended"));
    }
}
