//! Frames as tests say them: `host_data(seq, ack, b"..").window(512)`, carried over any [`Carrier`].
//!
//! A [`Tcp`] is a segment (RFC 9293 section 3.1) without addresses; a carrier puts it into IPv4 or IPv6 with tags, options and
//! extension headers, and computes the right checksums.

pub mod carrier;
pub mod extension;
pub mod fragment;
mod frame;
pub mod icmp;

use std::fmt;

pub use carrier::{Carrier, Network};
pub use icmp::{Icmp, Quote};
use isn_common::flow::Direction;

/// FIN.
pub const FIN: u8 = 0x01;
/// SYN.
pub const SYN: u8 = 0x02;
/// RST.
pub const RST: u8 = 0x04;
/// PSH.
pub const PSH: u8 = 0x08;
/// ACK.
pub const ACK: u8 = 0x10;
/// URG.
pub const URG: u8 = 0x20;
/// ECE.
pub const ECE: u8 = 0x40;
/// CWR.
pub const CWR: u8 = 0x80;

/// A TCP segment, not yet in a packet.
#[derive(Clone, PartialEq, Eq)]
pub struct Tcp {
    /// Which way it goes, seen from the guarded host.
    pub direction: Direction,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment field, whether or not ACK is set.
    pub acknowledgment: u32,
    /// Control bits, the octet at offset 13.
    pub flags: u8,
    /// The four bits beside the data offset: reserved, and AE of accurate ECN.
    pub reserved: u8,
    /// Window field.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Options, at most 40 octets; filled up with END to a whole word.
    pub options: Vec<u8>,
    /// Data.
    pub payload: Vec<u8>,
    /// Added to the right checksum: 0 leaves it right.
    pub checksum_error: u16,
}

/// A segment with every field that matters given, and the rest as most stacks send it.
#[must_use]
pub const fn segment(direction: Direction, flags: u8, sequence: u32, acknowledgment: u32) -> Tcp {
    Tcp {
        direction,
        sequence,
        acknowledgment,
        flags,
        reserved: 0,
        window: 0xffff,
        urgent: 0,
        options: Vec::new(),
        payload: Vec::new(),
        checksum_error: 0,
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $host:ident, $peer:ident: $flags:expr;)+) => {$(
        $(#[doc = $doc])+ #[doc = "From the host."]
        #[must_use]
        pub const fn $host(sequence: u32, acknowledgment: u32) -> Tcp {
            segment(Direction::Outbound, $flags, sequence, acknowledgment)
        }
        $(#[doc = $doc])+ #[doc = "From the peer."]
        #[must_use]
        pub const fn $peer(sequence: u32, acknowledgment: u32) -> Tcp {
            segment(Direction::Inbound, $flags, sequence, acknowledgment)
        }
    )+};
}

kinds! {
    /// SYN-ACK.
    host_syn_ack, peer_syn_ack: SYN | ACK;
    /// An acknowledgment and nothing else.
    host_ack, peer_ack: ACK;
    /// FIN-ACK.
    host_fin, peer_fin: FIN | ACK;
    /// RST with ACK.
    host_rst_ack, peer_rst_ack: RST | ACK;
}

/// The host's SYN.
#[must_use]
pub const fn host_syn(sequence: u32) -> Tcp {
    segment(Direction::Outbound, SYN, sequence, 0)
}

/// The peer's SYN.
#[must_use]
pub const fn peer_syn(sequence: u32) -> Tcp {
    segment(Direction::Inbound, SYN, sequence, 0)
}

/// The host's RST without ACK.
#[must_use]
pub const fn host_rst(sequence: u32) -> Tcp {
    segment(Direction::Outbound, RST, sequence, 0)
}

/// The peer's RST without ACK.
#[must_use]
pub const fn peer_rst(sequence: u32) -> Tcp {
    segment(Direction::Inbound, RST, sequence, 0)
}

/// Data of the host.
#[must_use]
pub fn host_data(sequence: u32, acknowledgment: u32, payload: &[u8]) -> Tcp {
    segment(Direction::Outbound, ACK | PSH, sequence, acknowledgment).payload(payload)
}

/// Data of the peer.
#[must_use]
pub fn peer_data(sequence: u32, acknowledgment: u32, payload: &[u8]) -> Tcp {
    segment(Direction::Inbound, ACK | PSH, sequence, acknowledgment).payload(payload)
}

impl Tcp {
    /// Carries this data.
    #[must_use]
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    /// Carries `length` octets of data.
    #[must_use]
    pub fn octets(self, length: usize) -> Self {
        let payload: Vec<u8> = (0..length)
            .map(|at| u8::try_from(at % 251).unwrap_or(0))
            .collect();
        self.payload(&payload)
    }

    /// Has this window field.
    #[must_use]
    pub const fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    /// Has these control bits besides.
    #[must_use]
    pub const fn with(mut self, flags: u8) -> Self {
        self.flags |= flags;
        self
    }

    /// Has this acknowledgment field, significant or not.
    #[must_use]
    pub const fn acknowledging(mut self, acknowledgment: u32) -> Self {
        self.acknowledgment = acknowledgment;
        self
    }

    /// Has these octets as its next options.
    #[must_use]
    pub fn raw_options(mut self, octets: &[u8]) -> Self {
        self.options.extend_from_slice(octets);
        self
    }

    /// Has `count` NOPs next.
    #[must_use]
    pub fn nops(self, count: usize) -> Self {
        self.raw_options(&vec![1; count])
    }

    /// Offers this shift for its windows (RFC 7323).
    #[must_use]
    pub fn window_scale(self, shift: u8) -> Self {
        self.raw_options(&[3, 3, shift])
    }

    /// Has timestamps next (RFC 7323).
    #[must_use]
    pub fn timestamps(self, value: u32, echo: u32) -> Self {
        self.raw_options(&[8, 10])
            .raw_options(&value.to_be_bytes())
            .raw_options(&echo.to_be_bytes())
    }

    /// Has a SACK option with these blocks next (RFC 2018).
    ///
    /// # Panics
    ///
    /// If there are more blocks than a length octet can say.
    #[must_use]
    pub fn sack(mut self, blocks: &[(u32, u32)]) -> Self {
        let length =
            u8::try_from(2 + blocks.len() * 8).expect("a SACK option has at most 4 blocks");
        self.options.extend_from_slice(&[5, length]);
        for (left, right) in blocks {
            self.options.extend_from_slice(&left.to_be_bytes());
            self.options.extend_from_slice(&right.to_be_bytes());
        }
        self
    }

    /// Has a checksum that is wrong by `error` in one's complement.
    #[must_use]
    pub const fn bad_checksum(mut self, error: u16) -> Self {
        self.checksum_error = error;
        self
    }
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match self.direction {
            Direction::Outbound => "host",
            Direction::Inbound => "peer",
        };
        write!(f, "{from} ")?;
        let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
        for (bit, name) in names
            .iter()
            .enumerate()
            .filter(|(bit, _)| self.flags >> bit & 1 != 0)
        {
            let separator = if self.flags & ((1 << bit) - 1) == 0 {
                ""
            } else {
                "|"
            };
            write!(f, "{separator}{name}")?;
        }
        write!(
            f,
            " seq={} ack={} win={}",
            self.sequence, self.acknowledgment, self.window
        )?;
        if !self.options.is_empty() {
            write!(f, " options={:02x?}", self.options)?;
        }
        write!(f, " len={}", self.payload.len())
    }
}
