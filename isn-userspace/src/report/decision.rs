//! Decisions in words: the rule of each, by its number in `docs/rfc-map.md`, and a sentence for the operator.

use isn_common::abi::flow::Reason;

/// The number of the rule behind a decision.
#[must_use]
pub const fn rule(reason: Reason) -> &'static str {
    match reason {
        Reason::New => "S8",
        Reason::Safe | Reason::Regressed => "S2",
        Reason::Resent => "S5",
        Reason::Observed => "S4",
        Reason::TableFull => "S18",
        Reason::TcpAuth | Reason::OneWay => "S7",
        Reason::NotGuarded => "S1",
        Reason::Draining => "S20",
        Reason::Keyed | Reason::Recomputed => "S3",
        Reason::Adopted => "S15",
    }
}

/// What was decided and why, without a full stop.
#[must_use]
pub const fn sentence(reason: Reason) -> &'static str {
    match reason {
        Reason::New => "nothing was remembered of the flow, so its SYN left as it came",
        Reason::Safe => {
            "the number lay beyond all that the connection before could have used, so it left as it came"
        }
        Reason::Regressed => {
            "the number lay at or below where the connection before ended, so it was moved ahead of that"
        }
        Reason::Resent => {
            "the SYN before was not answered and this one chose another number: the peer sees the first one again"
        }
        Reason::Observed => {
            "the number was unsafe and would have been moved ahead, but the mode is observe: it left as it came"
        }
        Reason::TableFull => {
            "an offset of its own was needed, and there was no room for it among the translated flows"
        }
        Reason::TcpAuth => "TCP-MD5 or TCP-AO signs the segments, so nothing is changed in them",
        Reason::OneWay => {
            "the number was unsafe, but of the connection before only one direction was seen: it left as it came"
        }
        Reason::NotGuarded => {
            "the policy does not guard the host on this port, so nothing is changed"
        }
        Reason::Draining => {
            "the number was to be changed, but the instance is draining and makes no new offset: it left as it came"
        }
        Reason::Keyed => "the number left with the offset of keyed mode, and was safe so",
        Reason::Adopted => {
            "it was open before keyed mode or its key came into use, and was learnt from one of its segments: it goes on as it was"
        }
        Reason::Recomputed => {
            "it is keyed and its entry was lost; the offset was computed again from one of its segments"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_in_the_map_of_rules() {
        let map = include_str!("../../../docs/rfc-map.md");
        for reason in Reason::ALL {
            let row = format!("| **{}** |", rule(reason));
            assert!(map.contains(&row), "{reason:?}");
        }
    }

    #[test]
    fn a_sentence_is_one_and_of_its_own() {
        for (nth, reason) in Reason::ALL.into_iter().enumerate() {
            let told = sentence(reason);
            assert!(!told.ends_with('.') && !told.contains("  "), "{told}");
            let others = &Reason::ALL[..nth];
            assert!(others.iter().all(|it| sentence(*it) != told), "{told}");
        }
    }
}
