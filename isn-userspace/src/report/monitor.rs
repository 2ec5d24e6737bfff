//! `isnguard monitor`: a line for each decision, and what was missed of them.

#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::{Duration, SystemTime},
};

use isn_common::{
    abi::sample::{Flags, Sample},
    flow::Vlan,
};
use serde::Serialize;

use super::{
    SCHEMA_VERSION, Style, decision,
    flows::{VlanText, vlan},
};
use crate::settings::mode_name;

/// The name in the place of a reason, of a flow that is not remembered.
pub const UNREMEMBERED: &str = "unremembered";

/// A decision as `monitor --json` shows it.
#[derive(Debug, Serialize)]
pub struct DecisionLine {
    schema_version: u32,
    event: &'static str,
    time: String,
    /// The guarded host.
    pub host: IpAddr,
    host_port: u16,
    peer: IpAddr,
    peer_port: u16,
    vlan: Option<VlanText>,
    /// Who opened the connection; `null` where it was learnt in mid-flow.
    opened_by: Option<&'static str>,
    mode: Option<&'static str>,
    action: Action,
    /// Name of the reason.
    pub reason: &'static str,
    rule: &'static str,
    host_isn: u32,
    wire_isn: u32,
    offset: u32,
    timestamp_offset: u32,
    /// Where the connection before ended, in the host's numbers and the peer's; `null` where that is not known.
    host_end_before: Option<u32>,
    wire_end_before: Option<u32>,
}

/// What became of the SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It left as it came.
    Unchanged,
    /// It left with another number or timestamp.
    Rewritten,
    /// It did not leave.
    Dropped,
    /// There was none: the flow was learnt from a segment in mid-flow, whose numbers these are.
    Learnt,
}

/// What was missed since the line before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// Beyond their host's share of a second (`--samples`).
    pub limited: u64,
    /// No room in the kernel's ring, since nobody read it fast enough.
    pub lost: u64,
    /// This monitor was too slow.
    pub slow: u64,
}

/// Who tells the decisions from now on, as `monitor --json` shows it.
#[derive(Debug, Serialize)]
pub struct WatchingLine {
    schema_version: u32,
    event: &'static str,
    /// `run`, `kernel`, or `nobody` while another process reads them from the kernel.
    source: &'static str,
}

impl WatchingLine {
    /// From this source.
    #[must_use]
    pub const fn new(source: &'static str) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            event: "watching",
            source,
        }
    }

    /// Writes it as one JSON object with a newline behind it.
    pub fn json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }
}

impl DecisionLine {
    /// A decision, told when the monotonic clock said `now` nanoseconds and the wall clock `wall`.
    #[must_use]
    pub fn new(sample: &Sample, now: u64, wall: SystemTime) -> Self {
        let flags = sample.flags;
        let at = wall - Duration::from_nanos(now.saturating_sub(sample.at));
        let address = |octets| Ipv6Addr::from(octets).to_canonical();
        let reason = flags.reason();
        let marked = |mark: u32| flags.has(Flags::MARKED).then_some(mark);
        Self {
            schema_version: SCHEMA_VERSION,
            event: "decision",
            time: humantime::format_rfc3339_millis(at).to_string(),
            host: address(sample.host),
            host_port: u16::from_be_bytes(sample.host_port),
            peer: address(sample.peer),
            peer_port: u16::from_be_bytes(sample.peer_port),
            vlan: vlan(Vlan(sample.vlan)),
            opened_by: if flags.has(Flags::LEARNT) {
                None
            } else if flags.has(Flags::PASSIVE) {
                Some("peer")
            } else {
                Some("host")
            },
            mode: flags.mode().map(mode_name),
            action: Action::of(sample),
            reason: reason.map_or(UNREMEMBERED, |reason| reason.name()),
            rule: reason.map_or("S17", decision::rule),
            host_isn: sample.host_isn,
            wire_isn: sample.wire_isn,
            offset: sample.wire_isn.wrapping_sub(sample.host_isn),
            timestamp_offset: sample.timestamp_offset,
            host_end_before: marked(sample.host_mark),
            wire_end_before: marked(sample.wire_mark),
        }
    }

    /// Names of the plain columns.
    pub const COLUMNS: [&str; 14] = [
        "time",
        "host",
        "peer",
        "vlan",
        "opened_by",
        "mode",
        "action",
        "reason",
        "rule",
        "host_isn",
        "wire_isn",
        "offset",
        "timestamp_offset",
        "wire_end_before",
    ];

    fn cells(&self) -> [String; 14] {
        let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        [
            self.time.clone(),
            SocketAddr::new(self.host, self.host_port).to_string(),
            SocketAddr::new(self.peer, self.peer_port).to_string(),
            self.vlan.as_ref().map_or("-".into(), VlanText::to_string),
            or_dash(self.opened_by),
            or_dash(self.mode),
            self.action.name().into(),
            self.reason.into(),
            self.rule.into(),
            self.host_isn.to_string(),
            self.wire_isn.to_string(),
            self.offset.to_string(),
            self.timestamp_offset.to_string(),
            self.wire_end_before
                .map_or("-".into(), |end| end.to_string()),
        ]
    }

    /// Writes it as one JSON object with a newline behind it.
    pub fn json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    /// Writes it for people, on as many lines as the terminal needs, or as columns.
    pub fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        match style {
            Style::Plain => writeln!(out, "{}", self.cells().join("\t")),
            Style::Terminal { width, .. } => {
                for line in laid_out(&self.pieces(style), width.into()) {
                    writeln!(out, "{line}")?;
                }
                Ok(())
            }
        }
    }

    /// What stands on the line, each with how wide it is shown.
    fn pieces(&self, style: Style) -> Vec<(String, usize)> {
        let plain = |text: String| {
            let width = text.chars().count();
            (text, width)
        };
        let arrow = match self.opened_by {
            Some("host") => ">",
            Some(_) => "<",
            None => "-",
        };
        let vlan = self
            .vlan
            .as_ref()
            .map_or_else(String::new, |vlan| format!(" VLAN {vlan}"));
        let host = SocketAddr::new(self.host, self.host_port);
        let peer = SocketAddr::new(self.peer, self.peer_port);
        let reason = match self.action {
            Action::Unchanged => self.reason.to_owned(),
            Action::Dropped => style.alarming(self.reason),
            Action::Rewritten | Action::Learnt => style.bold(self.reason),
        };
        let mut pieces = vec![
            // Hours to milliseconds.
            plain(self.time.get(11..23).unwrap_or(&self.time).to_owned()),
            plain(host.to_string()),
            plain(format!("{arrow} {peer}{vlan}")),
            (reason, self.reason.len()),
            plain(self.numbers()),
        ];
        if self.timestamp_offset != 0 {
            pieces.push(plain(format!("TSval +{}", self.timestamp_offset)));
        }
        pieces
    }

    fn numbers(&self) -> String {
        let (host, wire) = (self.host_isn, self.wire_isn);
        match self.action {
            Action::Dropped => format!("{host} dropped"),
            _ if host == wire => host.to_string(),
            _ => format!("{host} -> {wire}"),
        }
    }
}

impl Action {
    const fn of(sample: &Sample) -> Self {
        if sample.flags.has(Flags::REFUSED) {
            Self::Dropped
        } else if sample.flags.has(Flags::LEARNT) {
            Self::Learnt
        } else if sample.host_isn != sample.wire_isn || sample.timestamp_offset != 0 {
            Self::Rewritten
        } else {
            Self::Unchanged
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Rewritten => "rewritten",
            Self::Dropped => "dropped",
            Self::Learnt => "learnt",
        }
    }
}

/// How far a line that goes on is moved in: as wide as the time.
const INDENT: usize = 13;

fn laid_out(pieces: &[(String, usize)], width: usize) -> Vec<String> {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for (piece, wide) in pieces {
        match lines.last_mut() {
            Some((line, used)) if *used + 1 + wide <= width => {
                line.push(' ');
                line.push_str(piece);
                *used += 1 + wide;
            }
            None => lines.push((piece.clone(), *wide)),
            Some(_) => lines.push((format!("{:INDENT$}{piece}", ""), INDENT + wide)),
        }
    }
    lines.into_iter().map(|(line, _)| line).collect()
}

impl Missed {
    /// Whether nothing was missed.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Writes it as one JSON object with a newline behind it.
    pub fn json(&self, out: &mut impl Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct MissedLine<'a> {
            schema_version: u32,
            event: &'static str,
            #[serde(flatten)]
            missed: &'a Missed,
        }
        let line = MissedLine {
            schema_version: SCHEMA_VERSION,
            event: "missed",
            missed: self,
        };
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)
    }

    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        let Self {
            limited,
            lost,
            slow,
        } = self;
        let all = limited + lost + slow;
        let parts: Vec<String> = [
            (
                limited,
                "beyond their host's share of a second (--samples of attach)",
            ),
            (
                lost,
                "lost in the kernel, where nobody read them fast enough",
            ),
            (slow, "since this monitor is too slow"),
        ]
        .into_iter()
        .filter(|(number, _)| **number > 0)
        .map(|(number, why)| format!("{number} {why}"))
        .collect();
        format!("{all} decisions are not shown: {}", parts.join(", "))
    }
}
