//! A second opinion on the data plane, written from its rules alone.
//!
//! A [`Model`] is shown every packet that came and what left for it. It says how the packet must be counted, or in what the packet that
//! left contradicts the rules. It shares no code with the data plane and computes the plain way, so that mistakes are not shared either.
//! The numbers that the rules leave free, the jumps ahead, it takes from what left, once it has found them within their bounds.
//!
//! `network`, `segment` and `quote` read frames; `syn`, `opening` and `choice` decide on a SYN of the host; `follow`, `host`,
//! `peer` and `late` go with the segments, `keyed` with those of flows that only the key knows; `translation` and `checksum` say which octets must leave.

mod checksum;
mod choice;
pub mod flow;
mod follow;
pub mod guard;
mod host;
mod judge;
pub mod judgement;
pub mod keyed;
mod late;
mod network;
mod opening;
mod options;
mod peer;
mod quote;
mod segment;
mod sequence;
mod storm;
mod syn;
#[cfg(test)]
mod tests;
mod translation;

use std::collections::HashMap;

pub use flow::{Flow, Key, Marks, Phase, Previous, Table, Translation};
pub use guard::{Guard, Mode, Prefix, Rule};
pub use judgement::{Disagreement, Judgement, Outcome};
pub use keyed::Keyed;

use self::storm::Storm;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the host to the peer.
    Outbound,
    /// From the peer to the host.
    Inbound,
}

/// The settings of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Who is guarded.
    pub guards: Vec<Guard>,
    /// For so long a flow is remembered after its last packet (S8).
    pub history_seconds: u32,
    /// No new offsets (S20).
    pub draining: bool,
    /// What has no room is refused (S18).
    pub drop_when_full: bool,
    /// Translated flows for which there is room, for IPv4 and IPv6 each.
    pub room: usize,
    /// Keyed mode's keys.
    pub keyed: Keyed,
}

/// What the rules make of every packet so far.
#[derive(Clone, Debug)]
pub struct Model {
    given: Given,
    flows: HashMap<Key, Flow>,
    /// Acknowledgments that may be going round in circles.
    storms: HashMap<Key, Storm>,
    /// What should leave for the packet at hand.
    expected: Vec<u8>,
}

impl Direction {
    /// The other way.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Outbound => Self::Inbound,
            Self::Inbound => Self::Outbound,
        }
    }
}

impl Model {
    /// Nothing remembered yet.
    #[must_use]
    pub fn new(given: Given) -> Self {
        Self {
            given,
            flows: HashMap::new(),
            storms: HashMap::new(),
            expected: Vec::new(),
        }
    }

    /// The settings, which may change between packets.
    pub const fn given(&mut self) -> &mut Given {
        &mut self.given
    }

    /// Every flow that is remembered, in no order.
    pub fn flows(&self) -> impl Iterator<Item = (&Key, &Flow)> {
        self.flows.iter()
    }

    /// Forgets a flow, as the sweeping of the tables does; whether it was known.
    pub fn forget(&mut self, key: &Key) -> bool {
        self.flows.remove(key).is_some()
    }

    /// Forgets all flows of these tables, as overwriting them does.
    pub fn lose(&mut self, tables: &[Table]) {
        self.flows.retain(|_, flow| !tables.contains(&flow.table));
    }

    /// Whether the table of translated flows takes no more of this host (S16, S18).
    fn is_full(&self, key: &Key) -> bool {
        let placed = |other: &&Key| self.flows[*other].table == Table::Translated;
        let of_family = |other: &&Key| other.host.is_ipv4() == key.host.is_ipv4();
        let all: Vec<_> = self.flows.keys().filter(of_family).filter(placed).collect();
        let of_host = all.iter().filter(|other| other.host == key.host).count();
        let free = self.given.room.saturating_sub(all.len());
        free == 0 || of_host > 4 * free
    }
}
