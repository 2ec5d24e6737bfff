//! One flow in a case: packets are sent on it, and each must leave as said.

use std::{collections::HashMap, fmt::Write as _, panic::resume_unwind};

use isn_common::{
    abi::{
        flow::{Control, Record},
        policy::Policy,
        settings::Settings,
    },
    flow::{Direction, Key4, Key6},
    host::Frame,
    verdict::{PassReason, Verdict},
};

use super::{Stepped, Worlds, bench::Failed, leaves::Leaves, oracle::octets_apart};
use crate::{
    expected_counters::{Events, unlike},
    packet_builder::{Carrier, Tcp},
};

/// A flow in the worlds.
pub struct Flow<'a> {
    /// The worlds, for what concerns more than one flow.
    pub worlds: &'a mut Worlds,
    /// How packets are framed from here on.
    pub carrier: Carrier,
    transcript: Vec<String>,
}

impl<'a> Flow<'a> {
    pub(super) const fn new(worlds: &'a mut Worlds, carrier: Carrier) -> Self {
        Self {
            worlds,
            carrier,
            transcript: Vec::new(),
        }
    }

    /// What was sent so far, and what became of it.
    #[must_use]
    pub fn transcript(&self) -> String {
        let skipped = self.transcript.len().saturating_sub(12);
        let mut text = if skipped > 0 {
            format!("  ({skipped} packets before)\n")
        } else {
            String::new()
        };
        for line in &self.transcript[skipped..] {
            let _ = writeln!(text, "  {line}");
        }
        text
    }

    /// Ends the case as failed.
    pub fn fail(&self, why: impl Into<String>) -> ! {
        resume_unwind(Box::new(Failed(why.into())))
    }

    /// Ends the case as failed unless the condition holds.
    pub fn require(&self, condition: bool, why: impl Into<String>) {
        if !condition {
            self.fail(why);
        }
    }

    /// Sends a segment, which must leave as said and add to no counters but these and its outcome's.
    #[track_caller]
    pub fn expect(&mut self, tcp: &Tcp, leaves: &Leaves, events: &Events) {
        let frame = self.frame(tcp);
        let stepped = self.send(tcp.direction, &frame, &format!("{tcp:?}"));
        let mut events = events.to_vec();
        if let Leaves::Ack(_, blocks) = leaves
            && !blocks.is_empty()
        {
            events.push((
                isn_common::counter::Counter::SackEdgesTranslated,
                2 * blocks.len() as u64,
            ));
        }
        self.compare(tcp, &stepped, leaves, &events);
    }

    /// Sends a SYN of the host, which must leave with another sequence number: that one is given back.
    pub fn rewritten(&mut self, syn: &Tcp, events: &Events) -> u32 {
        let frame = self.frame(syn);
        let stepped = self.send(Direction::Outbound, &frame, &format!("{syn:?}"));
        let wire = self.sequence_in(&stepped.frame);
        self.compare(syn, &stepped, &Leaves::Seq(wire), events);
        self.require(
            wire != syn.sequence,
            "the SYN left with the host's own sequence number",
        );
        wire
    }

    /// Sends octets that must leave as they came.
    pub fn expect_untouched(
        &mut self,
        direction: Direction,
        octets: &[u8],
        reason: PassReason,
        events: &Events,
    ) {
        let label = format!("{direction:?} frame of {} octets", octets.len());
        let stepped = self.send(direction, &Frame::new(octets.to_vec()), &label);
        self.require(
            stepped.verdict == Verdict::Pass(reason),
            format!(
                "{label}: {:?}, expected Pass({reason:?})\n  {octets:02x?}",
                stepped.verdict
            ),
        );
        self.require(
            stepped.frame == octets,
            octets_apart(octets, &stepped.frame),
        );
        self.count(&stepped, Verdict::Pass(reason), events);
    }

    /// Sends a segment, and gives back what became of it: checked by the oracle alone.
    pub fn offer(&mut self, tcp: &Tcp) -> Stepped {
        let frame = self.frame(tcp);
        self.send(tcp.direction, &frame, &format!("{tcp:?}"))
    }

    /// Sends a frame, and gives back what became of it: checked by the oracle alone.
    pub fn offer_frame(&mut self, direction: Direction, frame: &Frame) -> Stepped {
        let label = format!(
            "{direction:?} {:02x?}",
            &frame.octets[..frame.octets.len().min(120)]
        );
        self.send(direction, frame, &label)
    }

    /// Sends octets, and gives back what became of them: checked by the oracle alone.
    pub fn offer_octets(&mut self, direction: Direction, octets: &[u8]) -> Stepped {
        let label = format!("{direction:?} frame of {} octets", octets.len());
        self.send(direction, &Frame::new(octets.to_vec()), &label)
    }

    /// The frame that carries a segment of this flow.
    #[must_use]
    pub fn frame(&self, tcp: &Tcp) -> Frame {
        Frame {
            octets: self.carrier.frame(tcp),
            stripped_tag: self.carrier.stripped,
        }
    }

    pub(super) fn send(&mut self, direction: Direction, frame: &Frame, label: &str) -> Stepped {
        match self.worlds.step(direction, frame) {
            Ok(stepped) => {
                self.transcript
                    .push(format!("{label} => {:?}", stepped.verdict));
                stepped
            }
            Err(error) => {
                self.transcript.push(label.to_owned());
                self.fail(format!("{error:#}"))
            }
        }
    }

    /// Octets before the TCP header, tags in their places.
    fn tcp_at(&self) -> usize {
        self.carrier.tcp_at()
            + if self.carrier.stripped.is_some() {
                4
            } else {
                0
            }
    }

    /// The sequence number in a frame of this flow, tags in their places.
    #[must_use]
    pub fn sequence_in(&self, frame: &[u8]) -> u32 {
        let at = self.tcp_at() + 4;
        u32::from_be_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]])
    }

    fn compare(&mut self, tcp: &Tcp, stepped: &Stepped, leaves: &Leaves, events: &Events) {
        let (outcome, wanted) = leaves
            .applied_to(tcp)
            .unwrap_or_else(|| self.fail("the packet has no such SACK option"));
        self.require(
            stepped.verdict == outcome,
            format!("{:?}, expected {outcome:?}", stepped.verdict),
        );
        if !matches!(leaves, Leaves::Dropped(_)) {
            self.same_octets(&wanted, &stepped.frame);
        }
        self.count(stepped, outcome, events);
    }

    /// Compares all octets but the checksum, which the oracle has checked and which has two right values for one sum.
    pub(super) fn same_octets(&self, wanted: &Tcp, frame: &[u8]) {
        let mut expected = super::on_wire(&self.frame(wanted));
        let checksum = self.tcp_at() + 16;
        if expected.len() >= checksum + 2 && frame.len() == expected.len() {
            expected[checksum..checksum + 2].copy_from_slice(&frame[checksum..checksum + 2]);
        }
        if expected != frame {
            self.fail(format!(
                "expected -> got:\n{}",
                octets_apart(&expected, frame)
            ));
        }
    }

    pub(super) fn count(&self, stepped: &Stepped, outcome: Verdict, events: &Events) {
        if let Some(difference) = unlike(outcome, events, &stepped.counted) {
            self.fail(difference);
        }
    }

    /// Lets the flows be `seconds` older.
    pub fn wait(&mut self, seconds: u32) {
        self.transcript.push(format!("(after {seconds} s)"));
        self.worlds
            .wait(seconds)
            .unwrap_or_else(|error| self.fail(format!("{error:#}")));
    }

    /// Changes the settings.
    pub fn settings(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.worlds.settings();
        change(&mut settings);
        self.worlds
            .set(settings)
            .unwrap_or_else(|error| self.fail(format!("{error:#}")));
    }

    /// Applies another policy to the hosts.
    pub fn policy(&mut self, policy: &Policy) {
        self.worlds
            .guard_hosts(policy)
            .unwrap_or_else(|error| self.fail(format!("{error:#}")));
    }

    /// What is remembered of the flow, in the table that counts: the translated ones, the history, or the half-open ones.
    #[must_use]
    pub fn record(&self) -> Option<Record> {
        let state = self.worlds.state();
        let counts = |record: &Record| !record.control().has(Control::MOVED);
        self.translated_record()
            .or_else(|| {
                self.in_tables(&state.history_v4, &state.history_v6)
                    .filter(counts)
            })
            .or_else(|| {
                self.in_tables(&state.half_open_v4, &state.half_open_v6)
                    .filter(counts)
            })
    }

    /// What is remembered of the flow if it has an offset or a place among the translated ones.
    #[must_use]
    pub fn translated_record(&self) -> Option<Record> {
        let state = self.worlds.state();
        let under_way = |record: &Record| {
            !record.control().has(Control::MOVED) && !record.translation().is_none()
        };
        self.in_tables(&state.translated_v4, &state.translated_v6)
            .or_else(|| {
                self.in_tables(&state.half_open_v4, &state.half_open_v6)
                    .filter(under_way)
            })
    }

    /// What lies under the flow's key in the table of its family.
    fn in_tables(&self, v4: &HashMap<Key4, Record>, v6: &HashMap<Key6, Record>) -> Option<Record> {
        let found = self.carrier.key4().and_then(|key| v4.get(&key));
        found
            .or_else(|| self.carrier.key6().and_then(|key| v6.get(&key)))
            .copied()
    }
}
