//! `isnguard hosts`.

#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    io::{self, Write},
};

use isn_common::{abi::policy::Mode, flow::Vlan};
use serde::Serialize;

use super::{
    Report, Style, counted,
    duration::{rounded, short},
    flows::{VlanText, vlan},
    graded::{self, HostLine},
    listing::Column,
};
use crate::{
    grading::{After, Graded},
    hosts::{HostId, Numbers},
    settings::mode_name,
};

/// Who kept the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// `isnguard run`.
    Run,
    /// Nobody: they queued in the kernel.
    Queue,
}

/// What there is to know of the samples besides the hosts.
#[derive(Clone, Debug, Serialize)]
pub struct Listening {
    /// The instance.
    pub instance: String,
    /// Who kept the samples.
    pub source: Source,
    /// For how long; `null` where nobody knows.
    pub listening_seconds: Option<f64>,
    /// Samples that were taken since the instance was attached.
    pub samples_taken: u64,
    /// Those that were not because their host had given its share.
    pub samples_limited: u64,
    /// Those that found no room in the kernel.
    pub samples_lost: u64,
    /// Hosts that whoever listens has forgotten for want of room.
    pub hosts_forgotten: u64,
}

/// A host with its grades.
#[derive(Debug)]
pub struct LiveHost {
    /// Which one.
    pub id: HostId,
    /// SYNs that were sampled in all.
    pub syns: u64,
    /// Those that left with another number.
    pub rewritten: u64,
    /// Its numbers.
    pub numbers: Numbers,
    /// Its grades.
    pub graded: Graded,
}

/// Hosts as `hosts --json` shows them.
#[derive(Debug, Serialize)]
pub struct HostsReport {
    #[serde(flatten)]
    listening: Listening,
    /// Hosts that matched, before the limit.
    matching: usize,
    /// Those that the limit left out.
    hosts_left_out: usize,
    /// The hosts, the worst first.
    hosts: Vec<LiveLine>,
    /// Pictures that were drawn.
    pub pictures: Vec<String>,
}

/// A host's line: what `audit` says, and what only the gateway knows.
#[derive(Debug, Serialize)]
struct LiveLine {
    #[serde(flatten)]
    line: HostLine,
    vlan: Option<VlanText>,
    /// Mode at its latest SYN; `null` if it is not guarded.
    mode: Option<&'static str>,
    /// Where the figures "after" are from.
    after: After,
    syns: u64,
    rewritten: u64,
}

impl HostsReport {
    /// These hosts, of which at most `limit` are shown; brings them into the order of the report.
    #[must_use]
    pub fn new(listening: Listening, hosts: &mut Vec<LiveHost>, limit: Option<usize>) -> Self {
        hosts.sort_by_cached_key(|host| (host.graded.rank(), Reverse(host.syns), host.id));
        let matching = hosts.len();
        hosts.truncate(limit.unwrap_or(usize::MAX));
        Self {
            listening: Listening {
                listening_seconds: listening.listening_seconds.map(rounded),
                ..listening
            },
            matching,
            hosts_left_out: matching - hosts.len(),
            hosts: hosts.iter().map(LiveLine::new).collect(),
            pictures: Vec::new(),
        }
    }

    /// From where the numbers are, and what is missing of them.
    #[must_use]
    pub fn summary(&self) -> Vec<String> {
        let Listening {
            instance,
            source,
            listening_seconds,
            samples_taken,
            samples_limited,
            samples_lost,
            ..
        } = &self.listening;
        let listening = match (source, listening_seconds) {
            (Source::Run, Some(seconds)) => {
                format!("`isnguard run` has listened for {}", short(*seconds))
            }
            (_, Some(seconds)) => format!("listened for {} after what had queued", short(*seconds)),
            (_, None) => "what has queued since somebody last looked".into(),
        };
        vec![
            format!(
                "instance {instance}, {}: {listening}",
                counted(self.matching, "host")
            ),
            format!(
                "since it was attached: {samples_taken} SYNs sampled, {samples_limited} beyond a host's share, {samples_lost} \
                 lost because nobody listened"
            ),
        ]
    }
}

impl LiveLine {
    fn new(host: &LiveHost) -> Self {
        Self {
            line: HostLine::new(host.graded.clone()),
            vlan: vlan(Vlan(host.id.vlan)),
            mode: host.numbers.mode.map(mode_name),
            after: host.graded.is_after,
            syns: host.syns,
            rewritten: host.rewritten,
        }
    }

    fn cells(&self) -> [String; 5] {
        [
            self.vlan.as_ref().map_or("-".into(), VlanText::to_string),
            self.mode.unwrap_or("-").into(),
            self.after.name().into(),
            self.syns.to_string(),
            self.rewritten.to_string(),
        ]
    }
}

/// The mode of a host in words.
#[must_use]
pub fn mode_of(mode: Option<Mode>) -> &'static str {
    mode.map_or("not guarded", mode_name)
}

impl Report for HostsReport {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let tagged = self.hosts.iter().any(|host| host.vlan.is_some());
        let own = [
            Column::text("vlan").ranked(if tagged { 0 } else { 9 }),
            Column::text("mode").ranked(1),
            Column::text("after_is").headed("after_is").ranked(5),
            Column::number("syns").ranked(6),
            Column::number("rewritten").ranked(7),
        ];
        let rows: Vec<graded::Row<'_, 5>> = self
            .hosts
            .iter()
            .map(|host| (&host.line, host.cells()))
            .collect();
        graded::write(out, style, own, &rows)?;
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
