//! What would become of a flow of which nothing is known. The offset of keyed mode is not shown: who reads it can predict a
//! number that was never sent.

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use isn_common::{
    abi::{
        flow::Reason,
        settings::{OnFull, Settings},
    },
    room::Admission,
    settle::Settled,
    verdict::PassReason,
};
use serde::Serialize;

use super::{PolicyLine, Style, VlanText, decision, field};
use crate::{
    dataplane::{FirstSyn, Foreseen, MidFlow},
    report::flows::vlan,
    settings::mode_name,
};

/// What would become of a flow, were this end the host.
#[derive(Debug, Serialize)]
pub struct Expected {
    host: SocketAddr,
    peer: SocketAddr,
    vlan: Option<VlanText>,
    guarded: bool,
    host_opens: SynLine,
    peer_opens: SynLine,
    mid_flow: &'static str,
    mid_flow_explanation: &'static str,
    /// `admitted`, `share` or `full`: whether another flow of the host may be translated.
    room: &'static str,
    room_explanation: &'static str,
}

/// What would become of the first SYN, or SYN-ACK.
#[derive(Debug, Serialize)]
struct SynLine {
    policy: Option<PolicyLine>,
    mode: Option<&'static str>,
    reason: &'static str,
    rule: &'static str,
    explanation: String,
    translated: bool,
    remembered: bool,
}

impl Expected {
    /// In words.
    #[must_use]
    pub fn new(foreseen: &Foreseen, settings: &Settings) -> Self {
        let Foreseen {
            ends,
            host_opens,
            peer_opens,
            mid_flow,
            admission,
        } = foreseen;
        let (mid_flow, mid_flow_explanation) = in_mid_flow(*mid_flow, *admission);
        let (room, room_explanation) = room(*admission, settings.on_full());
        Self {
            host: ends.host,
            peer: ends.peer,
            vlan: vlan(ends.vlan),
            guarded: host_opens.mode.is_some() || peer_opens.mode.is_some(),
            host_opens: SynLine::new(host_opens),
            peer_opens: SynLine::new(peer_opens),
            mid_flow,
            mid_flow_explanation,
            room,
            room_explanation,
        }
    }

    pub(super) fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let vlan = self
            .vlan
            .as_ref()
            .map_or_else(String::new, |vlan| format!(" in VLAN {vlan}"));
        let host = format!("{}{vlan}, if that is the guarded end", self.host);
        field(out, style, "host", &host)?;
        if self.host_opens.says_as(&self.peer_opens) {
            field(out, style, "opened", &self.host_opens.text())?;
        } else {
            field(out, style, "by host", &self.host_opens.text())?;
            field(out, style, "by peer", &self.peer_opens.text())?;
        }
        let mid_flow = format!("{}: {}", self.mid_flow, self.mid_flow_explanation);
        field(out, style, "mid-flow", &mid_flow)?;
        if self.guarded {
            field(out, style, "room", self.room_explanation)?;
        }
        Ok(())
    }
}

impl SynLine {
    fn new(syn: &FirstSyn) -> Self {
        let (reason, rule, what) = match (syn.settled, syn.reason) {
            (Settled::Pass(PassReason::OddAddress), _) => (
                "odd-address",
                "S13",
                "one of the addresses can be no end of a connection, or both are the same: it passes as it is",
            ),
            (Settled::Pass(_), _) | (_, None) => (
                Reason::NotGuarded.name(),
                decision::rule(Reason::NotGuarded),
                "the policy does not guard the host on this port: it passes as it is",
            ),
            (_, Some(reason)) => (reason.name(), decision::rule(reason), first(reason)),
        };
        let mut explanation = what.to_owned();
        let followed = !matches!(syn.settled, Settled::Pass(_));
        if followed && !syn.is_remembered {
            explanation.push_str(
                "; its host has used up its share of the handshakes of these 8 seconds, so that it is not remembered",
            );
        }
        Self {
            policy: syn.guarded.as_ref().map(PolicyLine::new),
            mode: syn.mode.map(mode_name),
            reason,
            rule,
            explanation,
            translated: matches!(syn.settled, Settled::Rewritten(_)),
            remembered: syn.is_remembered,
        }
    }

    fn says_as(&self, other: &Self) -> bool {
        self.text() == other.text()
    }

    fn text(&self) -> String {
        let Self {
            reason,
            rule,
            explanation,
            ..
        } = self;
        match &self.policy {
            Some(policy) => format!("{}; {reason} ({rule}): {explanation}", policy.text()),
            None => format!("{reason} ({rule}): {explanation}"),
        }
    }
}

/// What becomes of a SYN before which nothing is known.
const fn first(reason: Reason) -> &'static str {
    match reason {
        Reason::Keyed => "it leaves with the offset that the key gives its addresses and ports",
        Reason::Draining => {
            "the instance is draining and makes no new offset: it leaves as it came"
        }
        Reason::TableFull => "what must be known of it would find no room",
        _ => {
            "it leaves as it came, since there is nothing before it to compare it with; it is remembered, and the next SYN is \
             compared with it"
        }
    }
}

const fn in_mid_flow(what: MidFlow, admission: Admission) -> (&'static str, &'static str) {
    match what {
        MidFlow::Passes => (
            "passes",
            "a segment of a flow that is not known passes as it is (S15)",
        ),
        MidFlow::Keyed => (
            "keyed",
            "a segment is taken for one of a keyed flow whose entry was lost, and is translated by the key (S3)",
        ),
        MidFlow::AdoptedUntouched if matches!(admission, Admission::Admitted) => (
            "adopted",
            "a segment is taken for one of a connection of before keyed mode: it passes as it is, and the connection is kept (S15)",
        ),
        MidFlow::AdoptedUntouched => (
            "adopted",
            "a segment is taken for one of a connection of before keyed mode and passes, but there is no room to keep the connection",
        ),
        MidFlow::AdoptedOlderKey if matches!(admission, Admission::Admitted) => (
            "adopted",
            "a segment is taken for one of a connection of the key before, is translated by that, and the connection is kept (S15)",
        ),
        MidFlow::AdoptedOlderKey => (
            "adopted",
            "a segment is taken for one of a connection of the key before and translated by that, but there is no room to keep \
             the connection",
        ),
    }
}

const fn room(admission: Admission, on_full: OnFull) -> (&'static str, &'static str) {
    match (admission, on_full) {
        (Admission::Admitted, _) => ("admitted", "an offset of its own would find room"),
        (Admission::Share, OnFull::Pass) => (
            "share",
            "its host has its share of the translated flows: where an offset is needed, the connection passes without (S18)",
        ),
        (Admission::Share, OnFull::Drop) => (
            "share",
            "its host has its share of the translated flows: where an offset is needed, the SYN is dropped (S18)",
        ),
        (Admission::Full, OnFull::Pass) => (
            "full",
            "the table of translated flows is full: where an offset is needed, the connection passes without (S18)",
        ),
        (Admission::Full, OnFull::Drop) => (
            "full",
            "the table of translated flows is full: where an offset is needed, the SYN is dropped (S18)",
        ),
    }
}
