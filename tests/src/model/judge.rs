//! One packet at a time: what it is, what it does to its flow, and whether what left is what must.

use std::time::Duration;

use super::{
    Direction, Disagreement, Judgement, Key, Model, Outcome, Translation,
    judgement::Reasons,
    network::{self, Packet, Part, protocol},
    quote::Quote,
    segment::{Segment, Tcp},
    translation,
};

/// A packet that came, and what left for it.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// When.
    pub now: Duration,
    /// What came.
    pub frame: &'a [u8],
    /// What left.
    pub left: Option<&'a [u8]>,
}

/// The answer to a packet.
pub type Judged = Result<Judgement, Disagreement>;

/// Why a packet of a followed flow without translation passes.
pub const OFFSET_ZERO: Reasons = &["pass_offset_zero"];
/// Why a packet without a number to translate passes.
pub const NOTHING: Reasons = &["pass_nothing_to_translate"];

impl Model {
    /// Judges one packet: `frame` is what came, without the tag whose TCI is `stripped`; `left` is what left, `None` if nothing did.
    ///
    /// `now` is a monotonic clock. After a disagreement the model no longer knows what was decided; judge nothing else with it.
    pub fn judge(
        &mut self,
        now: Duration,
        direction: Direction,
        frame: &[u8],
        stripped: Option<u16>,
        left: Option<&[u8]>,
    ) -> Judged {
        let sight = Sight { now, frame, left };
        let packet = match network::read(frame, stripped) {
            Ok(packet) => packet,
            Err(reasons) => return sight.unchanged(reasons, "S13, S25: it passes untouched"),
        };
        let v4 = packet.ends.0.is_ipv4();
        match packet.protocol {
            protocol::TCP => self.tcp(&sight, &packet, direction),
            protocol::ICMP if v4 => self.icmp(&sight, &packet, direction),
            protocol::ICMP6 if !v4 => self.icmp(&sight, &packet, direction),
            other => sight.unchanged(strange(other, packet.part), "S13: no TCP passes"),
        }
    }

    fn tcp(&mut self, sight: &Sight, packet: &Packet, direction: Direction) -> Judged {
        if packet.part == Part::Later {
            return sight.unchanged(&["pass_fragment"], "S13: a later fragment passes");
        }
        match Tcp::read(sight.frame, packet, direction) {
            Tcp::Bad(reasons) => sight.unchanged(reasons, "S13: a bad header passes"),
            Tcp::Short(key) => self.short(sight, key),
            Tcp::Segment(segment) if direction == Direction::Inbound => {
                self.peer_segment(sight, &segment)
            }
            Tcp::Segment(segment) if segment.flags.opens() => self.host_syn(sight, &segment),
            Tcp::Segment(segment) => self.host_segment(sight, &segment),
        }
    }

    /// S13: half of a header.
    fn short(&self, sight: &Sight, key: Option<Key>) -> Judged {
        let known = key.and_then(|key| self.flows.get(&key));
        let recomputed = match (key, known) {
            (Some(key), None) => self.without_entry(&key, sight.now),
            _ => Translation::default(),
        };
        if !known.map_or(recomputed, |flow| flow.translation).is_none() {
            let mut judged = sight.dropped(
                "dropped_untranslatable",
                "S13: a fragment of a translated flow that does not hold the header is dropped",
            )?;
            judged.event("keyed_recomputed", u64::from(known.is_none()));
            return Ok(judged);
        }
        let reasons: Reasons = match key {
            Some(_) => &["pass_short_fragment"],
            None => &["pass_short_fragment", "pass_bad_header", "pass_truncated"],
        };
        sight.unchanged(
            reasons,
            "S13: a short fragment of no translated flow passes",
        )
    }

    fn icmp(&mut self, sight: &Sight, packet: &Packet, direction: Direction) -> Judged {
        let quote = match Quote::read(sight.frame, packet, direction) {
            Ok(quote) => quote,
            Err(reasons) => return sight.unchanged(reasons, "S12: no quoted segment, it passes"),
        };
        let known = self.flows.get(&quote.key).map(|flow| flow.translation);
        let translation = known.unwrap_or_else(|| self.without_entry(&quote.key, sight.now));
        self.expect(sight);
        let any = quote.put_back(&mut self.expected, translation);
        let rule = "S12: the quoted numbers are put back, and nothing else changes";
        let mut judged =
            self.compared(sight, any, Outcome::IcmpTranslated, &["pass_icmp"], rule)?;
        judged.open = &["sack_edges_translated"];
        judged.event("keyed_recomputed", u64::from(any && known.is_none()));
        Ok(judged)
    }

    /// Compares with the host's segment, translated.
    pub(super) fn translated_out(
        &mut self,
        sight: &Sight,
        segment: &Segment,
        translation: Translation,
        unmoved: Reasons,
        rule: &'static str,
    ) -> Judged {
        self.expect(sight);
        let any = translation::outbound(&mut self.expected, segment, translation);
        self.compared(sight, any, Outcome::TranslatedOut, unmoved, rule)
    }

    /// Compares with the peer's segment, translated.
    pub(super) fn translated_in(
        &mut self,
        sight: &Sight,
        segment: &Segment,
        translation: Translation,
        unmoved: Reasons,
        rule: &'static str,
    ) -> Judged {
        self.expect(sight);
        let done = translation::inbound(&mut self.expected, segment, translation);
        let mut judged = self.compared(sight, done.any, Outcome::TranslatedIn, unmoved, rule)?;
        judged.event("sack_edges_translated", done.edges);
        Ok(judged)
    }

    /// Lets what should leave begin as what came.
    pub(super) fn expect(&mut self, sight: &Sight) {
        self.expected.clear();
        self.expected.extend_from_slice(sight.frame);
    }

    pub(super) fn compared(
        &self,
        sight: &Sight,
        any: bool,
        outcome: Outcome,
        unmoved: Reasons,
        rule: &'static str,
    ) -> Judged {
        sight.compare(Some(&self.expected), rule)?;
        Ok(if any {
            Judgement::of(outcome)
        } else {
            Judgement::passed(unmoved)
        })
    }
}

/// Why a packet of a followed flow may pass.
pub const fn unmoved(translation: Translation) -> Reasons {
    if translation.is_none() {
        OFFSET_ZERO
    } else {
        NOTHING
    }
}

const fn strange(protocol: u8, part: Part) -> Reasons {
    match (protocol, part) {
        (protocol::AUTHENTICATION, Part::Later) => &["pass_ip_authentication", "pass_fragment"],
        (protocol::AUTHENTICATION, _) => &["pass_ip_authentication"],
        (_, Part::Later) => &["pass_not_tcp", "pass_fragment"],
        _ => &["pass_not_tcp"],
    }
}

impl Sight<'_> {
    /// It must have left as it came.
    pub fn unchanged(&self, reasons: Reasons, rule: &'static str) -> Judged {
        self.compare(Some(self.frame), rule)?;
        Ok(Judgement::passed(reasons))
    }

    /// It must not have left.
    pub fn dropped(&self, counter: &'static str, rule: &'static str) -> Judged {
        self.compare(None, rule)?;
        Ok(Judgement::of(Outcome::Dropped(counter)))
    }

    fn compare(&self, expected: Option<&[u8]>, rule: &'static str) -> Result<(), Disagreement> {
        if expected == self.left {
            return Ok(());
        }
        Err(self.disagreement(expected, rule, String::new()))
    }

    /// What left is not what must.
    pub fn disagreement(
        &self,
        expected: Option<&[u8]>,
        rule: &'static str,
        remark: String,
    ) -> Disagreement {
        Disagreement {
            rule,
            remark,
            frame: self.frame.to_vec(),
            expected: expected.map(<[u8]>::to_vec),
            left: self.left.map(<[u8]>::to_vec),
        }
    }
}
