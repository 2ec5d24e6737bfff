//! `isnguard doctor`.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use serde::Serialize;

use super::{
    Report, Style, counted,
    listing::{Column, Listing},
    status::wrapped,
};
#[cfg(test)]
use crate::doctor::Check;
use crate::doctor::{Examination, Finding, Fix, Verdict};

/// What `doctor` shows.
#[derive(Debug, Serialize)]
pub struct DoctorReport {
    instance: String,
    attached: bool,
    degraded: bool,
    findings: Vec<FindingLine>,
}

#[derive(Debug, Serialize)]
struct FindingLine {
    check: &'static str,
    subject: Option<String>,
    verdict: &'static str,
    degrades: bool,
    evidence: String,
    fix: Option<String>,
    fix_is_command: bool,
    #[serde(skip)]
    of: Verdict,
}

/// Columns that the verdict takes; what is below it stands as far in.
const INDENT: usize = 9;
/// What stands before a sentence, and before a command for root.
const ADVICE: &str = "fix: ";
const COMMAND: &str = "fix: # ";

impl DoctorReport {
    /// What was found.
    #[must_use]
    pub fn new(examination: &Examination) -> Self {
        Self {
            instance: examination.instance.clone(),
            attached: examination.attached,
            degraded: examination.is_degraded(),
            findings: examination.findings.iter().map(FindingLine::new).collect(),
        }
    }

    fn summary(&self) -> String {
        let number = |verdict| self.findings.iter().filter(|it| it.of == verdict).count();
        let degrading = self.findings.iter().filter(|it| it.degrades).count();
        let all = counted(self.findings.len(), "check");
        let verdicts = [Verdict::Fail, Verdict::Warn, Verdict::Unknown]
            .map(|verdict| format!("{} {}", number(verdict), verdict.name()));
        let state = match degrading {
            0 => "nothing that matters is wrong".into(),
            some => format!("degraded by {some}"),
        };
        format!("{all}: {}; {state}", verdicts.join(", "))
    }
}

impl FindingLine {
    fn new(finding: &Finding) -> Self {
        Self {
            check: finding.check.name(),
            subject: finding.subject.clone(),
            verdict: finding.verdict.name(),
            degrades: finding.degrades,
            evidence: finding.evidence.clone(),
            fix: finding.fix.as_ref().map(|fix| fix.text().to_owned()),
            fix_is_command: matches!(finding.fix, Some(Fix::Command(_))),
            of: finding.verdict,
        }
    }

    fn painted(&self, style: Style) -> String {
        let word = format!("{:INDENT$}", self.verdict);
        match self.of {
            Verdict::Ok => style.calm(&word),
            _ if self.degrades => style.alarming(&word),
            Verdict::Unknown => word,
            Verdict::Warn | Verdict::Fail => style.cautious(&word),
        }
    }

    fn write(&self, out: &mut impl Write, style: Style, width: usize) -> io::Result<()> {
        let verdict = self.painted(style);
        let check = style.bold(self.check);
        match &self.subject {
            Some(subject) => writeln!(out, "{verdict}{check} on {}", printable(subject))?,
            None => writeln!(out, "{verdict}{check}")?,
        }
        let room = width.saturating_sub(INDENT);
        hanging(out, "", &wrapped(&printable(&self.evidence), room))?;
        match &self.fix {
            Some(fix) if self.fix_is_command => {
                hanging(out, COMMAND, &continued(&printable(fix), room))
            }
            Some(fix) => hanging(out, ADVICE, &wrapped(&printable(fix), room - ADVICE.len())),
            None => Ok(()),
        }
    }
}

/// Names of interfaces, tables and processes may have anything in them: nothing of it reaches the terminal.
fn printable(text: &str) -> String {
    let shown = |it: char| match it {
        '\t' | '\n' => " ".into(),
        it if it.is_control() => it.escape_debug().to_string(),
        it => it.to_string(),
    };
    text.chars().map(shown).collect()
}

/// A command over several lines, as a shell takes it.
fn continued(line: &str, room: usize) -> Vec<String> {
    const MORE: &str = " \\";
    let mut lines = wrapped(line, room - COMMAND.len() - MORE.len());
    let last = lines.len().saturating_sub(1);
    for line in lines.iter_mut().take(last) {
        line.push_str(MORE);
    }
    lines
}

/// A label, and all lines behind it.
fn hanging(out: &mut impl Write, label: &str, lines: &[String]) -> io::Result<()> {
    for (nth, line) in lines.iter().enumerate() {
        let label = if nth == 0 {
            label
        } else {
            &" ".repeat(label.len())
        };
        writeln!(out, "{:INDENT$}{label}{line}", "")?;
    }
    Ok(())
}

impl Report for DoctorReport {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let Style::Terminal { width, .. } = style else {
            return self.columns(out, style);
        };
        // What needs attention stands last, where the eye is when the command has ended.
        let mut lines: Vec<&FindingLine> = self.findings.iter().collect();
        lines.sort_by_key(|it| (it.degrades, it.of));
        for line in lines {
            line.write(out, style, width.into())?;
        }
        writeln!(out)?;
        for line in wrapped(&self.summary(), width.into()) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

impl DoctorReport {
    fn columns(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let mut listing = Listing::new(&[
            Column::text("verdict"),
            Column::text("check"),
            Column::text("subject"),
            Column::text("degrades"),
            Column::text("evidence"),
            Column::text("fix"),
        ]);
        for line in &self.findings {
            let optional =
                |text: &Option<String>| text.as_deref().map_or_else(|| "-".into(), printable);
            listing.row([
                line.verdict.into(),
                line.check.into(),
                optional(&line.subject),
                if line.degrades { "yes" } else { "no" }.into(),
                printable(&line.evidence),
                optional(&line.fix),
            ]);
        }
        listing.write(out, style)
    }
}
