//! What is remembered of a flow: one incarnation that lives, and one it replaced.

use std::{net::IpAddr, time::Duration};

use super::network::Vlans;

/// A flow, oriented host first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The host's address.
    pub host: IpAddr,
    /// The peer's address.
    pub peer: IpAddr,
    /// The host's port.
    pub host_port: u16,
    /// The peer's port.
    pub peer_port: u16,
    /// VLAN identifiers, outermost first.
    pub vlans: Vlans,
}

/// What an incarnation adds to the host's numbers, modulo 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// To sequence numbers.
    pub sequence: u32,
    /// To timestamps.
    pub stamp: u32,
}

/// What a SYN was given, and who knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// What is added to the host's numbers.
    pub translation: Translation,
    /// Only the entry knows it: policy, key and segment do not tell.
    pub own: bool,
    /// The lower six bits of the key's generation, if the flow was keyed.
    pub keyed: Option<u8>,
}

/// The tables of flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Table {
    /// Handshakes.
    #[default]
    HalfOpen,
    /// Handshakes that were completed, with what the flow has by itself.
    History,
    /// Handshakes that were completed with a translation of their own; whatever comes after stays there.
    Translated,
}

/// Where an incarnation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The host's SYN was not seen, only the peer's.
    Opening,
    /// Ended.
    Closed,
    /// The peer has not acknowledged the host's SYN.
    HalfOpen,
    /// One FIN.
    Closing,
    /// Open.
    Established,
}

/// What accumulates during an incarnation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the rules say them as so many independent marks"
)]
pub struct Marks {
    /// The host's SYN was seen.
    pub host_syn: bool,
    /// The peer acknowledged it.
    pub answered: bool,
    /// FIN of the host.
    pub host_fin: bool,
    /// FIN of the peer.
    pub peer_fin: bool,
    /// RST of the host.
    pub host_rst: bool,
    /// RST of the peer.
    pub peer_rst: bool,
    /// Anything of the peer was seen.
    pub peer_seen: bool,
    /// The host's SYN was a SYN-ACK.
    pub passive: bool,
    /// The host scales its windows.
    pub host_scales: bool,
    /// The peer's shift, if it scales its windows.
    pub peer_scale: Option<u8>,
    /// The peer's SYN was signed.
    pub peer_signs: bool,
}

/// The incarnation that the living one replaced with another translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Its translation.
    pub translation: Translation,
    /// Its high-water mark.
    pub high: u32,
    /// When the SYN came that replaced it.
    pub since: Duration,
}

/// An entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// What the host chose.
    pub host_isn: u32,
    /// What is added to its numbers.
    pub translation: Translation,
    /// Only the entry knows the translation.
    pub own: bool,
    /// The lower six bits of its key's generation, if it is keyed.
    pub keyed: Option<u8>,
    /// High-water mark, on the wire.
    pub high: u32,
    /// Right edge, on the wire.
    pub edge: u32,
    /// The peer's next number.
    pub peer_next: u32,
    /// The newest `TSval` that the peer may have taken note of, on the wire.
    pub latest_stamp: Option<u32>,
    /// Marks.
    pub marks: Marks,
    /// When the last packet came.
    pub last_packet: Duration,
    /// The incarnation before, where its late segments can be told.
    pub previous: Option<Previous>,
    /// The table that it lies in.
    pub table: Table,
}

impl Translation {
    /// Whether nothing is translated.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.sequence == 0 && self.stamp == 0
    }
}

impl Flow {
    /// Where the living incarnation stands.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        let marks = &self.marks;
        let one_way_end = marks.host_fin && marks.answered && !marks.peer_seen;
        if !marks.host_syn {
            Phase::Opening
        } else if marks.host_rst
            || marks.peer_rst
            || (marks.host_fin && marks.peer_fin)
            || one_way_end
        {
            Phase::Closed
        } else if !marks.answered {
            Phase::HalfOpen
        } else if marks.host_fin || marks.peer_fin {
            Phase::Closing
        } else {
            Phase::Established
        }
    }

    /// What the peer sees as the host's ISN.
    #[must_use]
    pub const fn wire_isn(&self) -> u32 {
        self.host_isn.wrapping_add(self.translation.sequence)
    }
}
