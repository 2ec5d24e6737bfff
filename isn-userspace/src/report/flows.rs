//! `isnguard flows`.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
};

use isn_common::{
    abi::flow::{Control, Reason},
    flow::Vlan,
    tick::Tick,
};
use serde::Serialize;

use super::{
    Report, Style,
    duration::{rounded, short},
    listing::{Column, Listing},
};
use crate::dataplane::Flow;

/// Flows as `flows --json` shows them.
#[derive(Debug, Serialize)]
pub struct FlowsReport {
    /// The instance.
    pub instance: String,
    /// Flows that matched, before the limit.
    pub matching: usize,
    /// Those that the limit left out.
    pub left_out: usize,
    /// The flows, the most recently active first.
    pub flows: Vec<FlowLine>,
}

/// One flow. Numbers that are not known, since no SYN of the host was seen, or not that of this connection, are `null`.
#[derive(Debug, Serialize)]
pub struct FlowLine {
    host: IpAddr,
    host_port: u16,
    peer: IpAddr,
    peer_port: u16,
    vlan: Option<VlanText>,
    state: &'static str,
    offset: u32,
    timestamp_offset: u32,
    host_isn: Option<u32>,
    wire_isn: Option<u32>,
    high_water: Option<u32>,
    age_seconds: f64,
    idle_seconds: f64,
    reason: &'static str,
}

/// A VLAN identifier, or outer and inner ones with a dot between.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(untagged)]
pub(super) enum VlanText {
    One(u32),
    Two(String),
}

/// Which flows are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection {
    /// Only those of this guarded host.
    pub host: Option<IpAddr>,
    /// Only those whose segments are translated.
    pub translated: bool,
    /// At most this many.
    pub limit: Option<usize>,
}

impl FlowsReport {
    /// The flows of `selection`, as they are at `now`.
    #[must_use]
    pub fn new(instance: &str, mut flows: Vec<Flow>, selection: Selection, now: Tick) -> Self {
        flows.retain(|flow| {
            selection.host.is_none_or(|host| flow.host == host)
                && (!selection.translated || !flow.record.translation().is_none())
        });
        flows.sort_by_key(|flow| {
            (
                now.since(flow.record.last_seen()),
                flow.host,
                flow.host_port,
                flow.peer,
                flow.peer_port,
            )
        });
        let matching = flows.len();
        flows.truncate(selection.limit.unwrap_or(usize::MAX));
        let left_out = matching - flows.len();
        let flows = flows.iter().map(|flow| FlowLine::new(flow, now)).collect();
        Self {
            instance: instance.into(),
            matching,
            left_out,
            flows,
        }
    }
}

impl FlowLine {
    pub(super) fn new(flow: &Flow, now: Tick) -> Self {
        let record = &flow.record;
        let control = record.control();
        let seen = control.has(Control::HOST_SYN);
        // What was learnt from a segment in mid-flow has that one's number in the place of the first.
        let learnt = matches!(control.reason(), Some(Reason::Adopted | Reason::Recomputed));
        let first = |number: u32| (seen && !learnt).then_some(number);
        let seconds = |since: Tick| rounded(Tick::to_seconds(now.since(since)));
        Self {
            host: flow.host,
            host_port: flow.host_port,
            peer: flow.peer,
            peer_port: flow.peer_port,
            vlan: vlan(flow.vlan),
            state: control.phase().name(),
            offset: record.offset().0,
            timestamp_offset: record.timestamp_offset().0,
            host_isn: first(record.host_isn().0),
            wire_isn: first(record.wire_isn().0),
            high_water: seen.then_some(record.high_water().0),
            age_seconds: seconds(record.opened()),
            idle_seconds: seconds(record.last_seen()),
            reason: control.reason().map_or("unknown", Reason::name),
        }
    }

    /// The host's end and the peer's.
    pub(super) const fn ends(&self) -> (SocketAddr, SocketAddr) {
        (
            SocketAddr::new(self.host, self.host_port),
            SocketAddr::new(self.peer, self.peer_port),
        )
    }

    /// The VLAN in words; nothing where there is none.
    pub(super) fn vlan_text(&self) -> String {
        let vlan = self.vlan.as_ref();
        vlan.map_or_else(String::new, |vlan| format!(" in VLAN {vlan}"))
    }

    /// Name of the state.
    pub(super) const fn state(&self) -> &'static str {
        self.state
    }

    /// Name of the reason.
    pub(super) const fn reason(&self) -> &'static str {
        self.reason
    }

    /// Seconds since it opened, and since its last packet.
    pub(super) const fn times(&self) -> (f64, f64) {
        (self.age_seconds, self.idle_seconds)
    }

    /// Wire minus host, of numbers and of timestamps.
    pub(super) const fn offsets(&self) -> (u32, u32) {
        (self.offset, self.timestamp_offset)
    }

    /// The first number as the host chose it, and as the peer sees it.
    pub(super) const fn first_numbers(&self) -> (Option<u32>, Option<u32>) {
        (self.host_isn, self.wire_isn)
    }

    /// The number behind the last octet, as the peer sees it.
    pub(super) const fn high_water(&self) -> Option<u32> {
        self.high_water
    }

    fn cells(&self, style: Style) -> [String; 12] {
        let number = |number: Option<u32>| number.map_or("-".into(), |number| number.to_string());
        let span = |seconds: f64| match style {
            Style::Plain => format!("{seconds:.1}"),
            Style::Terminal { .. } => short(seconds),
        };
        [
            SocketAddr::new(self.host, self.host_port).to_string(),
            SocketAddr::new(self.peer, self.peer_port).to_string(),
            self.vlan.as_ref().map_or("-".into(), VlanText::to_string),
            self.state.into(),
            self.offset.to_string(),
            self.timestamp_offset.to_string(),
            number(self.host_isn),
            number(self.wire_isn),
            number(self.high_water),
            span(self.age_seconds),
            span(self.idle_seconds),
            self.reason.into(),
        ]
    }
}

pub(super) fn vlan(vlan: Vlan) -> Option<VlanText> {
    match vlan.identifiers() {
        (0, 0) => None,
        (0, id) => Some(VlanText::One(id)),
        (outer, inner) => Some(VlanText::Two(format!("{outer}.{inner}"))),
    }
}

impl fmt::Display for VlanText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(id) => write!(f, "{id}"),
            Self::Two(ids) => f.write_str(ids),
        }
    }
}

impl Report for FlowsReport {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let tagged = self.flows.iter().any(|flow| flow.vlan.is_some());
        let stamped = self.flows.iter().any(|flow| flow.timestamp_offset != 0);
        let mut listing = Listing::new(&[
            Column::text("host"),
            Column::text("peer"),
            Column::number("vlan").ranked(if tagged { 0 } else { 9 }),
            Column::text("state"),
            Column::number("offset"),
            Column::number("timestamp_offset").ranked(if stamped { 2 } else { 9 }),
            Column::number("host_isn").ranked(6),
            Column::number("wire_isn").ranked(5),
            Column::number("high_water").ranked(7),
            Column::number("age").ranked(4),
            Column::number("idle"),
            Column::text("reason").ranked(3),
        ]);
        for flow in &self.flows {
            listing.row(flow.cells(style));
        }
        if self.flows.is_empty() && style != Style::Plain {
            return writeln!(out, "no such flows in instance {}", self.instance);
        }
        listing.write(out, style)?;
        if self.left_out > 0 && style != Style::Plain {
            let (left, all) = (self.left_out, self.matching);
            writeln!(
                out,
                "... and {left} of {all} flows more; --limit {all} shows all"
            )?;
        }
        Ok(())
    }
}
