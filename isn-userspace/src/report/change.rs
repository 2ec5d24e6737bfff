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
    /// Of those that were alive, the ones whose both ends were reset; `null` if that was not asked for.
    pub reset: Option<usize>,
    /// Those that could not be.
    pub not_reset: Option<usize>,
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
        let connections = |number| counted(number, "live translated connection");
        match (live, closed, self.reset, self.not_reset) {
            (0, 0, ..) => writeln!(out),
            (0, closed, ..) => writeln!(
                out,
                "; {} just ended, whose late segments are no longer translated",
                counted(*closed, "translated connection")
            ),
            (_, _, Some(reset), Some(0)) => {
                writeln!(out, "; reset at both ends: {}", connections(reset))
            }
            (_, _, Some(reset), Some(left)) => writeln!(
                out,
                "; reset at both ends: {}; broken, since there is no way to its ends or they did not \
                 answer: {}",
                connections(reset),
                connections(left)
            ),
            (live, ..) => writeln!(out, "; broken: {}", connections(*live)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detach_says_what_it_broke() {
        let report = |live, closed, resets: Option<(usize, usize)>| {
            let report = DetachReport {
                instance: "plant".into(),
                detached: true,
                live,
                closed,
                reset: resets.map(|it| it.0),
                not_reset: resets.map(|it| it.1),
            };
            let mut out = Vec::new();
            report.text(&mut out, Style::Plain).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(report(0, 0, None), "detached instance plant\n");
        assert!(report(2, 1, None).contains("broken: 2 live translated connections"));
        assert!(
            report(2, 0, Some((2, 0)))
                .ends_with("reset at both ends: 2 live translated connections\n")
        );
        assert!(report(2, 0, Some((1, 1))).contains("broken, since"));
        assert!(report(0, 1, None).contains("1 translated connection just ended"));
    }
}
