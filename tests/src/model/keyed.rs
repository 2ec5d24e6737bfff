//! Keyed mode: what a flow has by itself, and what becomes of packets whose flow has no entry (S3, RFC 6528).

#![expect(
    deprecated,
    reason = "the standard library's SipHash-2-4: another one than the data plane's"
)]
use std::{
    hash::{Hasher as _, SipHasher},
    net::IpAddr,
    time::Duration,
};

use super::{
    Direction, Flow, Judgement, Key, Model, Translation,
    flow::{Grant, Marks, Table},
    guard::{are_odd, is_keyed},
    judge::{Judged, NOTHING, Sight},
    segment::Segment,
};

/// The keys, and what is known of the time before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keyed {
    /// The current key.
    pub key: [u64; 2],
    /// Its number.
    pub generation: u32,
    /// The key that flows of before have; without one, they have no offset.
    pub before: Option<[u64; 2]>,
    /// From then on flows of before are adopted.
    pub adopting_since: Duration,
    /// For so long.
    pub adopting_for: Duration,
}

/// The largest shift: no window may be taken for smaller than it is.
const ANY_SHIFT: u8 = 14;

impl Keyed {
    pub(super) fn is_adopting(&self, now: Duration) -> bool {
        now.saturating_sub(self.adopting_since) < self.adopting_for
    }

    /// What is kept of the number of the key.
    pub(super) const fn mark(&self) -> u8 {
        (self.generation % 64).to_le_bytes()[0]
    }

    /// What a keyed flow of which nothing is known has.
    fn presumed(&self, key: &Key, now: Duration) -> Translation {
        let secret = if self.is_adopting(now) {
            self.before
        } else {
            Some(self.key)
        };
        Translation {
            sequence: secret.map_or(0, |secret| offset(secret, key)),
            stamp: 0,
        }
    }
}

/// F: the lower half of SipHash-2-4 over the 4-tuple, host first, and four zeros.
#[must_use]
pub fn offset(secret: [u64; 2], key: &Key) -> u32 {
    let mut hasher = SipHasher::new_with_keys(secret[0], secret[1]);
    for address in [key.host, key.peer] {
        match address {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()),
        }
    }
    hasher.write(&key.host_port.to_be_bytes());
    hasher.write(&key.peer_port.to_be_bytes());
    hasher.write(&[0; 4]);
    let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

impl Model {
    /// What the flow has by itself if it is keyed.
    pub(super) fn by_itself(&self, key: &Key) -> Translation {
        Translation {
            sequence: offset(self.given.keyed.key, key),
            stamp: 0,
        }
    }

    /// What is put on packets of a flow without an entry: nothing, unless it is keyed.
    pub(super) fn without_entry(&self, key: &Key, now: Duration) -> Translation {
        if is_keyed(&self.given.guards, key) {
            self.given.keyed.presumed(key, now)
        } else {
            Translation::default()
        }
    }

    /// A segment of a keyed flow without an entry.
    pub(super) fn recomputed(
        &mut self,
        sight: &Sight,
        segment: &Segment,
        direction: Direction,
    ) -> Judged {
        let (outbound, flags) = (direction == Direction::Outbound, segment.flags);
        if segment.options(sight.frame).signed() {
            return sight.unchanged(&["pass_no_flow"], "S3: what is signed has no offset");
        }
        if outbound && flags.rst() && flags.ack() && segment.sequence == 0 {
            return sight.unchanged(
                &["pass_closed_port"],
                "S3, S9: it answers for a closed port",
            );
        }
        let translation = self.given.keyed.presumed(&segment.key, sight.now);
        let rule = "S3: without an entry, the offset is computed again";
        let mut judged = match direction {
            _ if translation.is_none() => sight.unchanged(&["pass_no_flow"], rule)?,
            Direction::Outbound => {
                self.translated_out(sight, segment, translation, NOTHING, rule)?
            }
            Direction::Inbound => self.translated_in(sight, segment, translation, NOTHING, rule)?,
        };
        judged.event("keyed_recomputed", u64::from(!translation.is_none()));
        if outbound && !flags.rst() && !flags.syn_bit() && !are_odd(&segment.key) {
            self.remember(&mut judged, segment, translation, sight.now);
        }
        Ok(judged)
    }

    /// Remembers a flow from a segment of the host in its middle.
    fn remember(
        &mut self,
        judged: &mut Judgement,
        segment: &Segment,
        translation: Translation,
        now: Duration,
    ) {
        let adopts = self.given.keyed.is_adopting(now);
        if adopts && self.is_full(&segment.key) {
            return judged.event("adoption_full", 1);
        }
        let grant = Grant {
            translation,
            own: adopts,
            keyed: Some(self.given.keyed.mark()),
        };
        let flow = in_its_middle(segment, grant, now);
        self.flows.insert(segment.key, flow);
        if adopts {
            judged.event("flows_adopted", 1);
        } else {
            judged.event("keyed_remembered", 1);
            judged.event("history_inserted", 1);
        }
    }
}

/// The entry of which only one segment of the host is known.
fn in_its_middle(segment: &Segment, grant: Grant, now: Duration) -> Flow {
    let wire = segment.sequence.wrapping_add(grant.translation.sequence);
    let end = wire.wrapping_add(segment.length());
    let acknowledged = segment.flags.ack().then_some(segment.acknowledgment);
    Flow {
        host_isn: segment.sequence,
        translation: grant.translation,
        own: grant.own,
        keyed: grant.keyed,
        high: end,
        edge: end,
        peer_next: acknowledged.unwrap_or(0),
        latest_stamp: None,
        marks: Marks {
            host_syn: true,
            answered: true,
            host_fin: segment.flags.fin(),
            host_scales: true,
            peer_scale: Some(ANY_SHIFT),
            ..Marks::default()
        },
        last_packet: now,
        previous: None,
        table: if grant.own {
            Table::Translated
        } else {
            Table::History
        },
    }
}
