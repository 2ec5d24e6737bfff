//! SYNs of the host: what they decide, checked against what left (S1 to S8, S18).

use std::time::Duration;

use super::{
    Disagreement, Flow, Judgement, Key, Mode, Model, Translation,
    choice::Choice,
    follow::noting_signature,
    guard::{are_odd, mode_of_syn},
    judge::{Judged, Sight, unmoved},
    judgement::Reasons,
    opening::{self, Case, Circumstances, Syn},
    options::{Options, number},
    segment::{FIXED, Segment},
};

const UNGUARDED_ANY_MORE: Reasons = &["pass_not_guarded", "pass_offset_zero"];

impl Syn {
    fn read(segment: &Segment, frame: &[u8]) -> Self {
        let options = segment.options(frame);
        Self {
            isn: segment.sequence,
            length: segment.length(),
            answers: segment.flags.ack(),
            scales: options.clone().window_scale().is_some(),
            signed: options.clone().signed(),
            stamp: options.stamp(),
        }
    }
}

impl Model {
    pub(super) fn host_syn(&mut self, sight: &Sight, segment: &Segment) -> Judged {
        let (key, syn) = (segment.key, Syn::read(segment, sight.frame));
        let service_port = if syn.answers {
            key.host_port
        } else {
            key.peer_port
        };
        let mode = mode_of_syn(&self.given.guards, &key, service_port);
        let given = self.circumstances(&key, mode, sight.now);
        let Some(flow) = self.flows.get_mut(&key) else {
            return self.first_syn(sight, segment, &syn, &given);
        };
        let case = Case::of(flow, &syn, &given);
        let event = match case {
            Case::Live => "syn_on_live_flow",
            Case::Repeated => {
                opening::repeat(flow, &syn);
                "syn_retransmit"
            }
            _ => return self.begin(sight, segment, &syn, case, &given),
        };
        flow.last_packet = sight.now;
        let translation = flow.translation;
        let rule = "S5, S6: this SYN leaves with the translation that its flow has";
        let unmoved = unmoved(translation);
        let judged = self.translated_out(sight, segment, translation, unmoved, rule)?;
        let judged = noting_signature(judged, sight, segment, translation);
        Ok(counted(judged, mode, event))
    }

    fn circumstances(&self, key: &Key, mode: Option<Mode>, now: Duration) -> Circumstances {
        let is_keyed = mode == Some(Mode::Keyed);
        Circumstances {
            mode,
            draining: self.given.draining,
            full: self.is_full(key),
            history: Duration::from_secs(self.given.history_seconds.into()),
            now,
            by_itself: if is_keyed {
                self.by_itself(key)
            } else {
                Translation::default()
            },
            keyed: is_keyed.then(|| self.given.keyed.mark()),
        }
    }

    /// A SYN of the host on a flow of which nothing is known.
    fn first_syn(
        &mut self,
        sight: &Sight,
        segment: &Segment,
        syn: &Syn,
        given: &Circumstances,
    ) -> Judged {
        let key = segment.key;
        if given.mode.is_none() || are_odd(&key) {
            return not_remembered(sight, given.mode, are_odd(&key));
        }
        let before = Flow::default();
        let choice = Choice::first(syn, given);
        let seen = left_numbers(sight, segment);
        let grant = choice
            .settle(&before, syn, given, seen)
            .map_err(|rule| out_of_bounds(sight, segment, &before, rule))?;
        let flow = opening::incarnation(&before, syn, None, grant, sight.now);
        self.flows.insert(key, flow);
        let unmoved = unmoved(grant.translation);
        let rule = "S2, S3: nothing is remembered, the SYN leaves with what its flow has by itself";
        let mut judged = self.translated_out(sight, segment, grant.translation, unmoved, rule)?;
        judged = counted(judged, given.mode, choice.event);
        judged.event("half_open_inserted", 1);
        if syn.signed && given.keyed.is_none() {
            judged.open = &["syn_safe", "bypass_tcp_auth"];
        }
        Ok(judged)
    }

    /// A SYN that begins an incarnation on a flow that is remembered.
    fn begin(
        &mut self,
        sight: &Sight,
        segment: &Segment,
        syn: &Syn,
        case: Case,
        given: &Circumstances,
    ) -> Judged {
        let before = self.flows[&segment.key];
        let choice = Choice::of(case, &before, syn, given);
        if choice.no_room && self.given.drop_when_full {
            let judged = sight.dropped("dropped_table_full", "S18: there is no room")?;
            return Ok(counted_opening(judged, given.mode, &choice));
        }
        let grant = choice
            .settle(&before, syn, given, left_numbers(sight, segment))
            .map_err(|rule| out_of_bounds(sight, segment, &before, rule))?;
        // Without an offset, nothing joins another ISN with the half-open one before.
        let opens_as = match case {
            Case::Again if !choice.resent => Case::Safe,
            case => case,
        };
        let flow = opening::incarnation(&before, syn, Some(opens_as), grant, sight.now);
        self.flows.insert(segment.key, flow);
        let unmoved = match case {
            Case::Unguarded => UNGUARDED_ANY_MORE,
            _ => unmoved(grant.translation),
        };
        let mut judged =
            self.translated_out(sight, segment, grant.translation, unmoved, rule(case))?;
        // Whether a leftover made way is not said.
        judged.open = &["half_open_inserted"];
        Ok(counted_opening(judged, given.mode, &choice))
    }
}

/// A SYN of nobody that is guarded, or between addresses that no endpoint can have.
fn not_remembered(sight: &Sight, mode: Option<Mode>, odd: bool) -> Judged {
    let reasons: Reasons = match (mode, odd) {
        (Some(_), _) => &["pass_odd_address"],
        (None, true) => &["pass_not_guarded", "pass_odd_address"],
        (None, false) => &["pass_not_guarded"],
    };
    let rule = "S1: what no connection can come of passes, and so does who is not guarded";
    let mut judged = sight.unchanged(reasons, rule)?;
    if mode.is_some() {
        judged.open = &["syn_seen", "syn_safe"];
    }
    Ok(judged)
}

/// Sequence number and `TSval` of the SYN that left.
fn left_numbers(sight: &Sight, segment: &Segment) -> Option<(u32, Option<u32>)> {
    let left = sight.left.filter(|left| left.len() == sight.frame.len())?;
    let options = Options::new(&left[segment.at + FIXED..segment.at + segment.header]);
    Some((number(left, segment.at + 4), options.stamp()))
}

fn out_of_bounds(
    sight: &Sight,
    segment: &Segment,
    flow: &Flow,
    rule: &'static str,
) -> Disagreement {
    let remark = format!(
        "came and left with sequence number and TSval {:?} and {:?}; high-water mark {}, right edge {}, latest TSval {:?}",
        (segment.sequence, segment.options(sight.frame).stamp()),
        left_numbers(sight, segment),
        flow.high,
        flow.edge,
        flow.latest_stamp,
    );
    let expected = sight.left.unwrap_or(sight.frame);
    sight.disagreement(Some(expected), rule, remark)
}

const fn rule(case: Case) -> &'static str {
    match case {
        Case::Live | Case::Repeated => "S5, S6: the translation stays",
        Case::Unguarded => "S1: who is not guarded gets no offset",
        Case::Signed => "S7: a signed SYN gets no offset",
        Case::Forgotten => "S3, S8: what is not remembered gets what it has by itself",
        Case::Again => "S5: to the peer, another ISN while half-open is a retransmission",
        Case::Safe => "S2, S3: a safe SYN keeps its number, with what its flow has by itself",
        Case::OneWay => "S7: after an incarnation seen one way, no offset",
        Case::Unsafe => "S2: an unsafe SYN is moved beyond the right edge",
    }
}

/// Counts a SYN that begins an incarnation.
fn counted_opening(judged: Judgement, mode: Option<Mode>, choice: &Choice) -> Judgement {
    let mut judged = counted(judged, mode, choice.event);
    judged.event("paws_risk", u64::from(choice.regressed.is_some()));
    judged.event("paws_repaired", u64::from(choice.regressed == Some(true)));
    judged
}

/// Counts a SYN of the host, if that is guarded.
fn counted(mut judged: Judgement, mode: Option<Mode>, event: &'static str) -> Judgement {
    if mode.is_some() {
        judged.event("syn_seen", 1);
        if !event.is_empty() {
            judged.event(event, 1);
        }
    }
    judged
}
