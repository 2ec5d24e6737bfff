//! Which translation a SYN gets: what the rules demand, and the two numbers they leave free (S2, S3, S5, RFC 7323 section 5).

use super::{
    flow::{Flow, Grant, Phase, Table, Translation},
    guard::Mode,
    opening::{Case, Circumstances, Syn, is_jump},
    sequence::ahead,
};

/// The furthest that a repaired `TSval` lies beyond the latest.
const STAMP_JUMP: i64 = 65_536;

/// What a number becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// The number as it came plus this.
    Moved(u32),
    /// Some number in the range that the rule leaves.
    Jumps,
}

/// What the SYN is to become, and how that is counted.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The sequence number.
    pub sequence: Number,
    /// The `TSval`.
    pub stamp: Number,
    /// Event counter of the decision.
    pub event: &'static str,
    /// A place was needed, and there was none.
    pub no_room: bool,
    /// Whether the peer will take the SYN for a retransmission of the half-open one before (case 6 with an offset).
    pub resent: bool,
    /// Whether its `TSval` is older than the latest, and if so, whether that is mended.
    pub regressed: Option<bool>,
    /// Whether each of its segments tells that it is signed, and so what it has.
    signed: bool,
}

const UNMOVED: Number = Number::Moved(0);

impl Choice {
    const fn of_number(sequence: Number, event: &'static str) -> Self {
        Self {
            sequence,
            stamp: UNMOVED,
            event,
            no_room: false,
            resent: false,
            regressed: None,
            signed: false,
        }
    }

    const fn untranslated(event: &'static str) -> Self {
        Self::of_number(UNMOVED, event)
    }

    const fn signed() -> Self {
        Self {
            signed: true,
            ..Self::untranslated("bypass_tcp_auth")
        }
    }

    /// What the first SYN becomes of a keyed flow, and one that opens it after it was forgotten.
    const fn keyed(given: &Circumstances) -> Self {
        if given.draining {
            return Self::untranslated("syn_would_rewrite");
        }
        Self::of_number(Number::Moved(given.by_itself.sequence), "syn_keyed")
    }

    /// What a SYN becomes of a flow of which nothing is remembered.
    #[must_use]
    pub fn first(syn: &Syn, given: &Circumstances) -> Self {
        match given.mode {
            Some(Mode::Keyed) if syn.signed => Self::signed(),
            Some(Mode::Keyed) => Self::keyed(given),
            _ => Self::untranslated("syn_safe"),
        }
    }

    /// What a SYN becomes that begins an incarnation.
    #[must_use]
    pub fn of(case: Case, flow: &Flow, syn: &Syn, given: &Circumstances) -> Self {
        let is_keyed = given.mode == Some(Mode::Keyed);
        let may = given.mode != Some(Mode::Observe) && !given.draining;
        let mut choice = match case {
            Case::Unguarded => return Self::untranslated(""),
            Case::Signed => return Self::signed(),
            Case::Forgotten if is_keyed => return Self::keyed(given).with_room(flow, given),
            Case::Forgotten | Case::Live | Case::Repeated => {
                return Self::untranslated("syn_safe");
            }
            Case::Safe if is_keyed => Self::keyed(given),
            Case::Safe => Self::untranslated("syn_safe"),
            Case::OneWay => Self::untranslated("bypass_one_way"),
            Case::Again => again(flow, syn, may),
            Case::Unsafe if may => Self::of_number(Number::Jumps, "syn_rewritten"),
            Case::Unsafe => Self::untranslated("syn_would_rewrite"),
        };
        // S7: what is seen in one direction only is left alone; that nobody answered a half-open flow does not make it so.
        let one_way = case != Case::Again && !flow.marks.peer_seen;
        choice.regressed = is_regressed(case, flow, syn).then_some(may && !one_way);
        choice.stamp = stamp(case, flow, syn, choice.regressed == Some(true));
        choice.with_room(flow, given)
    }

    /// The same if there is room for what it needs (S18).
    fn with_room(self, flow: &Flow, given: &Circumstances) -> Self {
        // A handshake that was admitted has its place to come.
        let has_room = match flow.table {
            Table::Translated => true,
            Table::HalfOpen => flow.own,
            Table::History => false,
        };
        if has_room || !given.full || !self.is_own(given.by_itself) {
            return self;
        }
        Self {
            no_room: true,
            regressed: self.regressed.map(|_| false),
            ..Self::of_number(Number::Moved(given.by_itself.sequence), "table_full")
        }
    }

    /// Whether nobody but the entry will know the translation.
    fn is_own(&self, by_itself: Translation) -> bool {
        let moved_as_any =
            self.sequence == Number::Moved(by_itself.sequence) && self.stamp == UNMOVED;
        !self.signed && !moved_as_any
    }

    /// What the incarnation gets, given the numbers that left; the rule they break if they do.
    pub fn settle(
        &self,
        flow: &Flow,
        syn: &Syn,
        given: &Circumstances,
        seen: Option<(u32, Option<u32>)>,
    ) -> Result<Grant, &'static str> {
        let sequence = match (self.sequence, seen) {
            (Number::Moved(by), _) => by,
            (Number::Jumps, Some((wire, _))) if is_jump(flow, wire) => wire.wrapping_sub(syn.isn),
            (Number::Jumps, _) => {
                return Err("S2: an unsafe SYN leaves 1 to 2^30 beyond the right edge");
            }
        };
        let stamp = match (self.stamp, seen, syn.stamp, flow.latest_stamp) {
            (Number::Moved(by), ..) => by,
            (Number::Jumps, Some((_, Some(wire))), Some(stamp), Some(latest))
                if (1..=STAMP_JUMP).contains(&ahead(wire, latest)) =>
            {
                wire.wrapping_sub(stamp)
            }
            (Number::Jumps, ..) => {
                return Err("RFC 7323: a regressed TSval leaves 1 to 65,536 beyond the latest");
            }
        };
        Ok(Grant {
            translation: Translation { sequence, stamp },
            own: self.is_own(given.by_itself),
            keyed: given.keyed,
        })
    }
}

fn again(flow: &Flow, syn: &Syn, may: bool) -> Choice {
    let by = flow.wire_isn().wrapping_sub(syn.isn);
    if flow.translation.sequence == 0 && !may {
        return Choice::untranslated("syn_would_rewrite");
    }
    Choice {
        resent: true,
        ..Choice::of_number(Number::Moved(by), "syn_rewritten")
    }
}

/// The timestamp offset that a SYN inherits.
fn kept(case: Case, flow: &Flow) -> u32 {
    match case {
        Case::Again => flow.translation.stamp,
        _ => 0,
    }
}

fn is_regressed(case: Case, flow: &Flow, syn: &Syn) -> bool {
    let (Some(stamp), Some(latest)) = (syn.stamp, flow.latest_stamp) else {
        return false;
    };
    let waits = flow.marks.host_fin || flow.phase() == Phase::HalfOpen;
    !syn.answers && waits && ahead(stamp.wrapping_add(kept(case, flow)), latest) < 0
}

fn stamp(case: Case, flow: &Flow, syn: &Syn, repaired: bool) -> Number {
    match (syn.stamp, flow.latest_stamp) {
        (Some(stamp), Some(latest)) if repaired && case == Case::Again => {
            Number::Moved(latest.wrapping_sub(stamp))
        }
        _ if repaired => Number::Jumps,
        _ => Number::Moved(kept(case, flow)),
    }
}
