//! `isnguard audit`.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde::Serialize;

use super::{
    Report, Style, counted,
    duration::{rounded, short},
    graded::{self, HostLine},
};
use crate::{
    audit::{Ending, Findings, Format, Why},
    grading::Graded,
};

/// A capture as `audit --json` shows it.
#[derive(Debug, Serialize)]
pub struct AuditReport {
    file: String,
    format: &'static str,
    packets: u64,
    segments: u64,
    /// SYNs and SYN-ACKs of all hosts.
    syns: u64,
    /// Those that were the same as one before.
    repeated: u64,
    /// From the first segment to the last.
    seconds: f64,
    /// Packets that were not understood, by reason.
    left_out: BTreeMap<Why, u64>,
    #[serde(skip)]
    left_out_words: Vec<String>,
    /// SYNs that were understood and found no room.
    samples_dropped: u64,
    /// Hosts whose samples found no room.
    hosts_dropped: u64,
    /// Flows that were forgotten before their time.
    flows_forgotten: u64,
    /// Whether the file was read to its end.
    complete: bool,
    /// Octets that were read, where it was not.
    ends_at: Option<u64>,
    /// Hosts that matched, before the limit.
    matching: usize,
    /// Those that the limit left out.
    hosts_left_out: usize,
    /// The hosts, the worst first.
    pub hosts: Vec<HostLine>,
    /// Pictures that were drawn.
    pub pictures: Vec<String>,
}

impl AuditReport {
    /// What was found in `file`, with the grades of its hosts, of which at most `limit` are shown.
    #[must_use]
    pub fn new(
        file: &str,
        findings: &Findings,
        mut graded: Vec<Graded>,
        limit: Option<usize>,
    ) -> Self {
        graded.sort_by_cached_key(Graded::rank);
        let matching = graded.len();
        graded.truncate(limit.unwrap_or(usize::MAX));
        let seconds = findings.span.map_or(0.0, |(first, last)| {
            last.saturating_sub(first).as_secs_f64()
        });
        Self {
            file: file.into(),
            format: if findings.format == Format::PcapNg {
                "pcapng"
            } else {
                "pcap"
            },
            packets: findings.packets,
            segments: findings.segments,
            syns: findings.syns,
            repeated: findings.repeated,
            seconds: rounded(seconds),
            left_out: findings.left_out.counts().clone(),
            left_out_words: findings.left_out.words(),
            samples_dropped: findings.dropped.samples,
            hosts_dropped: findings.dropped.hosts,
            flows_forgotten: findings.forgotten,
            complete: findings.ending == Ending::Whole,
            ends_at: match findings.ending {
                Ending::Whole => None,
                Ending::Cut { place } | Ending::Damaged { place, .. } => Some(place),
            },
            matching,
            hosts_left_out: matching - graded.len(),
            hosts: graded.into_iter().map(HostLine::new).collect(),
            pictures: Vec::new(),
        }
    }

    /// What was in the file, and what of it was not understood.
    #[must_use]
    pub fn summary(&self) -> Vec<String> {
        let count =
            |number: u64, what: &str| counted(usize::try_from(number).unwrap_or(usize::MAX), what);
        let mut lines = vec![
            format!("{}, over {}:", self.file, short(self.seconds)),
            format!(
                "{}; {}, {} repeated, among {}",
                counted(self.matching, "host"),
                count(self.syns, "SYN"),
                self.repeated,
                count(self.packets, "packet")
            ),
        ];
        lines.extend(
            self.left_out_words
                .iter()
                .map(|words| format!("left out: {words}")),
        );
        lines
    }
}

impl Report for AuditReport {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let rows: Vec<graded::Row<'_, 0>> = self.hosts.iter().map(|host| (host, [])).collect();
        graded::write(out, style, [], &rows)?;
        if style == Style::Plain {
            return Ok(());
        }
        graded::write_left_out(out, self.hosts_left_out, self.matching)?;
        for line in self.summary() {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}
