//! What of a capture was not graded, counted by reason: nothing is left out in silence.

use std::collections::BTreeMap;

use isn_common::verdict::PassReason;
use serde::Serialize;

use super::link::LinkType;

/// Why a packet was left out. The names are relied on by scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Neither IPv4 nor IPv6.
    NotIp,
    /// IP, and not TCP.
    NotTcp,
    /// A fragment other than the first, or a first one without the whole TCP header.
    Fragment,
    /// The capture ends before the TCP header does.
    CutShort,
    /// A header that contradicts itself.
    BadHeader,
    /// More VLAN tags or IPv6 extension headers than isnguard follows, or one that signs the packet.
    TooManyHeaders,
    /// From an address and port to themselves.
    ToItself,
    /// A packet without a time.
    NoTime,
    /// A block of a pcapng file that contradicts itself.
    BadBlock,
    /// A link type that is not read.
    LinkType,
}

impl From<PassReason> for Why {
    fn from(reason: PassReason) -> Self {
        match reason {
            PassReason::NotIp => Self::NotIp,
            PassReason::VlanDepth | PassReason::ExtensionHeaders | PassReason::IpAuthentication => {
                Self::TooManyHeaders
            }
            PassReason::Truncated => Self::CutShort,
            PassReason::Fragment | PassReason::ShortFragment | PassReason::IcmpFragment => {
                Self::Fragment
            }
            PassReason::NotTcp | PassReason::Icmp => Self::NotTcp,
            PassReason::OddAddress => Self::ToItself,
            PassReason::BadHeader
            | PassReason::NoFlow
            | PassReason::NotGuarded
            | PassReason::OffsetZero
            | PassReason::ClosedPort
            | PassReason::NothingToTranslate => Self::BadHeader,
        }
    }
}

impl Why {
    /// In words, behind a number of packets.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotIp => "not IP",
            Self::NotTcp => "not TCP",
            Self::Fragment => "fragments without a TCP header",
            Self::CutShort => "cut before the end of the TCP header",
            Self::BadHeader => "with a header that contradicts itself",
            Self::TooManyHeaders => "behind headers that are not followed",
            Self::ToItself => "sent to their sender",
            Self::NoTime => "without a time",
            Self::BadBlock => "in blocks that contradict themselves",
            Self::LinkType => "of a link type that is not read",
        }
    }
}

/// How many packets were left out, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    counts: BTreeMap<Why, u64>,
    links: BTreeMap<LinkType, u64>,
}

impl LeftOut {
    /// One more.
    pub fn count(&mut self, why: Why) {
        *self.counts.entry(why).or_default() += 1;
    }

    /// One more, of a link type that is not read.
    pub fn count_link(&mut self, link: LinkType) {
        self.count(Why::LinkType);
        *self.links.entry(link).or_default() += 1;
    }

    /// The reasons that occurred, with their counts.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<Why, u64> {
        &self.counts
    }

    /// Link types that are not read, with the number of their packets.
    #[must_use]
    pub const fn links(&self) -> &BTreeMap<LinkType, u64> {
        &self.links
    }

    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// `3 not TCP`, `1 not IP`: the reasons, the commonest first.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut counts: Vec<_> = self.counts.iter().collect();
        counts.sort_by_key(|(why, count)| (std::cmp::Reverse(**count), **why));
        let links: Vec<String> = self.links.keys().map(LinkType::to_string).collect();
        let words = counts.iter().map(|(why, count)| match why {
            Why::LinkType => format!("{count} of {}", links.join(" and ")),
            why => format!("{count} {}", why.words()),
        });
        words.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_reason_comes_first_and_link_types_are_named() {
        let mut left_out = LeftOut::default();
        assert!(left_out.words().is_empty());
        left_out.count(Why::NotIp);
        left_out.count(Why::NotTcp);
        left_out.count(Why::NotTcp);
        left_out.count_link(LinkType(105));
        assert_eq!(
            left_out.words(),
            ["2 not TCP", "1 not IP", "1 of link type 105 (IEEE 802.11)"]
        );
        assert_eq!(left_out.total(), 4);
    }
}
