//! `isnguard explain`.

mod expected;
#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    net::SocketAddr,
};

pub use expected::Expected;
use isn_common::{
    abi::{
        flow::{Control, Phase, Reason},
        settings::Settings,
    },
    expiry::{self, Place},
    tcp::seq::Offset,
    tick::Tick,
};
use serde::Serialize;

use super::{
    Report, Style, decision,
    duration::{rounded, short},
    flows::{FlowLine, VlanText},
    listing::{Column, Listing},
    status::field,
};
use crate::{
    dataplane::{Foreseen, Known},
    settings::Guarded,
};

/// What `explain --json` shows: the flows with these ends, or, where there is none, what would become of one.
#[derive(Debug, Serialize)]
pub struct ExplainReport {
    instance: String,
    /// The ends, as they were asked for.
    ends: [SocketAddr; 2],
    /// Whether no new offset is made.
    draining: bool,
    flows: Vec<Explained>,
    expected: Vec<Expected>,
}

/// A flow that is known.
#[derive(Debug, Serialize)]
struct Explained {
    #[serde(flatten)]
    line: FlowLine,
    table: &'static str,
    opened_by: Option<&'static str>,
    rule: &'static str,
    explanation: String,
    /// The rule of the policy that applies to it now.
    policy: Option<PolicyLine>,
    /// The entry was overwritten: segments are dropped until the SYN comes again.
    lost: bool,
    host_high_water: Option<u32>,
    right_edge: Option<u32>,
    peer_next: Option<u32>,
    /// Whether nothing but this entry knows the translation.
    own: bool,
    /// Whether it opened in keyed mode.
    keyed: bool,
    forgotten_in_seconds: f64,
    before: Option<BeforeLine>,
}

/// A rule of the policy.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PolicyLine {
    prefix: String,
    ports: String,
    mode: &'static str,
}

/// The incarnation before, whose late segments are told apart.
#[derive(Debug, Serialize)]
struct BeforeLine {
    offset: u32,
    timestamp_offset: u32,
    high_water: u32,
    ended_seconds: f64,
}

impl PolicyLine {
    pub(super) fn new(guarded: &Guarded) -> Self {
        Self {
            prefix: guarded.prefix.to_string(),
            ports: guarded.ports.to_string(),
            mode: guarded.mode.name(),
        }
    }

    pub(super) fn text(&self) -> String {
        let Self {
            prefix,
            ports,
            mode,
        } = self;
        format!("{prefix} ports {ports}: {mode}")
    }
}

impl ExplainReport {
    /// What is known, and what would become of the flow in each of the ways that it could be seen.
    #[must_use]
    pub fn new(
        instance: &str,
        ends: [SocketAddr; 2],
        settings: &Settings,
        known: &[Known],
        foreseen: &[Foreseen],
        now: Tick,
    ) -> Self {
        let explained = |known: &Known| Explained::new(known, settings, now);
        Self {
            instance: instance.into(),
            ends,
            draining: settings.draining(),
            flows: known.iter().map(explained).collect(),
            expected: foreseen
                .iter()
                .map(|it| Expected::new(it, settings))
                .collect(),
        }
    }
}

/// Name of a table, as `stats` has it without the family.
const fn table(place: Place) -> &'static str {
    match place {
        Place::Translated => "translated",
        Place::HalfOpen => "half-open",
        Place::History => "history",
    }
}

impl Explained {
    fn new(known: &Known, settings: &Settings, now: Tick) -> Self {
        let flow = &known.flow;
        let record = &flow.record;
        let control = record.control();
        let seen = control.has(Control::HOST_SYN);
        let answered = control.has(Control::PEER_SEEN);
        let lifetime = expiry::lifetime(flow.place, record, settings);
        let left = lifetime.saturating_sub(now.since(record.last_seen()));
        Self {
            line: FlowLine::new(flow, now),
            table: table(flow.place),
            opened_by: opened_by(control),
            rule: match control.reason() {
                _ if known.is_lost => "S13",
                Some(reason) if seen => decision::rule(reason),
                _ => "S1",
            },
            explanation: explanation(known),
            policy: known.guarded.as_ref().map(PolicyLine::new),
            lost: known.is_lost,
            host_high_water: seen.then(|| record.high_water().to_host(record.offset()).0),
            right_edge: (seen && answered).then_some(record.right_edge().0),
            peer_next: answered.then_some(record.peer_next().0),
            own: control.has(Control::OWN),
            keyed: control.has(Control::KEYED),
            forgotten_in_seconds: rounded(Tick::to_seconds(left)),
            before: known.previous.map(|before| BeforeLine {
                offset: before.offset,
                timestamp_offset: before.timestamp_offset,
                high_water: before.high_water,
                ended_seconds: rounded(Tick::to_seconds(now.since(Tick(before.ended)))),
            }),
        }
    }

    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let (host, peer) = self.line.ends();
        let vlan = self.line.vlan_text();
        field(out, style, "host", &format!("{host}{vlan}"))?;
        field(out, style, "peer", &peer.to_string())?;
        let policy = self.policy.as_ref().map_or_else(
            || "the host is not guarded on this port any more".into(),
            PolicyLine::text,
        );
        field(out, style, "policy", &policy)?;
        let opened = self
            .opened_by
            .map_or_else(String::new, |by| format!(", opened by the {by}"));
        let (age, idle) = self.line.times();
        let since = format!(
            "{}{opened}; since {}, silent for {}",
            self.line.state(),
            short(age),
            short(idle)
        );
        field(out, style, "state", &since)?;
        let decided = format!(
            "{} ({}): {}",
            self.line.reason(),
            self.rule,
            self.explanation
        );
        field(out, style, "decision", &decided)?;
        let kept = format!(
            "in the table {}, for {} more if nothing comes",
            self.table,
            short(self.forgotten_in_seconds)
        );
        field(out, style, "kept", &kept)?;
        if let Some(before) = &self.before {
            let told = format!(
                "late segments of the connection before, which ended {} ago at {}, keep its offset {}",
                short(before.ended_seconds),
                before.high_water,
                before.offset
            );
            field(out, style, "before", &told)?;
        }
        writeln!(out)?;
        self.numbers(out, style)
    }

    /// The same number as each side sees it.
    fn numbers(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let mut listing = Listing::new(&[
            Column::text("number"),
            Column::number("host"),
            Column::number("wire"),
            Column::number("offset"),
        ]);
        let shown = |number: Option<u32>| number.map_or("-".into(), |it| it.to_string());
        let (offset, timestamp_offset) = self.line.offsets();
        let (host_isn, wire_isn) = self.line.first_numbers();
        let mut row = |name: &str, host, wire, offset: String| {
            listing.row([name.into(), shown(host), shown(wire), offset]);
        };
        row("initial", host_isn, wire_isn, offset.to_string());
        row(
            "high_water",
            self.host_high_water,
            self.line.high_water(),
            offset.to_string(),
        );
        let edge = self
            .right_edge
            .map(|edge| isn_common::tcp::seq::Seq(edge).to_host(Offset(offset)).0);
        row("right_edge", edge, self.right_edge, offset.to_string());
        row("timestamps", None, None, timestamp_offset.to_string());
        listing.write(out, style)
    }
}

/// Who opened a connection; `None` where it was learnt in mid-flow.
fn opened_by(control: Control) -> Option<&'static str> {
    match control.reason() {
        Some(Reason::Adopted | Reason::Recomputed) => None,
        _ if control.has(Control::PASSIVE) || control.phase() == Phase::Opening => Some("peer"),
        _ => Some("host"),
    }
}

fn explanation(known: &Known) -> String {
    let record = &known.flow.record;
    let control = record.control();
    if known.is_lost {
        return "its entry was overwritten before its handshake was complete: its segments are dropped until its SYN comes \
                again, which is then decided on alike"
            .into();
    }
    let mut told = match control.reason() {
        _ if control.phase() == Phase::Opening => {
            "only the peer's SYN was seen, and nothing is decided before the host answers"
        }
        Some(reason) => decision::sentence(reason),
        None => "another version of isnguard decided on it",
    }
    .to_owned();
    if record.timestamp_offset() != Offset(0) {
        told.push_str(
            "; its timestamps are moved ahead, since the peer would have refused the SYN's as older than the last (PAWS)",
        );
    }
    told
}

impl Report for ExplainReport {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        for (nth, flow) in self.flows.iter().enumerate() {
            if nth > 0 {
                writeln!(out)?;
            }
            flow.text(out, style)?;
        }
        if !self.flows.is_empty() {
            return Ok(());
        }
        let [one, other] = self.ends;
        let nothing = format!(
            "nothing is known of a flow between {one} and {other} in instance {}",
            self.instance
        );
        field(out, style, "flow", &nothing)?;
        if self.draining {
            field(out, style, "draining", "yes: no new offset is made")?;
        }
        for expected in &self.expected {
            writeln!(out)?;
            expected.text(out, style)?;
        }
        Ok(())
    }
}
