//! The oracle's own reading of ICMP and ICMPv6 errors (RFC 792, RFC 4443, RFC 4884): which octets of one may change, and what its
//! checksums cover.

use std::ops::Range;

use isn_common::flow::Direction;

use super::reading::{Found, TCP, flow, link, sum, v4, v6, word};

/// An error that quotes a segment.
pub struct Quoted {
    /// The quoted segment: its end is that of the quote, and its header may be cut.
    pub segment: Found,
    icmp: usize,
    message_end: usize,
    pseudo_header: u64,
}

impl Quoted {
    /// Whether the quote shows the TCP checksum.
    const fn shows_checksum(&self) -> bool {
        self.segment.at + 18 <= self.segment.end
    }

    /// Whether the quote shows an acknowledgment that is one.
    #[must_use]
    pub fn shows_acknowledgment(&self, frame: &[u8]) -> bool {
        self.segment.at + 14 <= self.segment.end && frame[self.segment.at + 13] & 0x10 != 0
    }

    /// Whether the quote shows a number to translate, in an error that travels in this direction. A reset may have a 0 there that
    /// stands for none.
    #[must_use]
    pub fn shows_number(&self, direction: Direction, frame: &[u8]) -> bool {
        let at = self.segment.at;
        let resets = self.shows_acknowledgment(frame) && frame[at + 13] & 0x04 != 0;
        match direction {
            Direction::Inbound => !(resets && word(frame, at + 4) == 0),
            Direction::Outbound => {
                self.shows_acknowledgment(frame) && !(resets && word(frame, at + 8) == 0)
            }
        }
    }

    /// Where each quoted SACK edge lies.
    #[must_use]
    pub fn edges(&self, frame: &[u8]) -> Vec<Range<usize>> {
        if self.segment.header > 20 && self.shows_acknowledgment(frame) {
            self.segment.edges(frame)
        } else {
            Vec::new()
        }
    }

    /// Where each quoted number of the host's clock lies, in an error that travels in this direction.
    #[must_use]
    pub fn stamps(&self, direction: Direction, frame: &[u8]) -> Vec<Range<usize>> {
        if self.segment.header <= 20 {
            return Vec::new();
        }
        let quoted = direction.opposite();
        self.segment.stamps(quoted, frame)
    }

    /// The octets that may change in an error that travels in this direction.
    #[must_use]
    pub fn permitted(&self, direction: Direction, frame: &[u8]) -> Vec<Range<usize>> {
        let at = self.segment.at;
        let mut ranges = match direction {
            Direction::Inbound => vec![at + 4..at + 8, self.icmp + 2..self.icmp + 4],
            Direction::Outbound if self.shows_acknowledgment(frame) => {
                let mut ranges = self.edges(frame);
                ranges.extend([at + 8..at + 12, self.icmp + 2..self.icmp + 4]);
                ranges
            }
            Direction::Outbound => return Vec::new(),
        };
        ranges.extend(self.stamps(direction, frame));
        if self.shows_checksum() {
            ranges.push(at + 16..at + 18);
        }
        ranges
    }

    /// What the checksum of the error sums up to, 0 modulo 0xffff if it is right.
    #[must_use]
    pub fn sum(&self, frame: &[u8]) -> u64 {
        sum(&frame[self.icmp..self.message_end]) + self.pseudo_header
    }

    /// The part that is quoted of what the quoted TCP checksum sums up to; `None` without that checksum.
    #[must_use]
    pub fn quoted_sum(&self, frame: &[u8]) -> Option<u64> {
        self.shows_checksum().then(|| self.segment.sum(frame))
    }
}

/// Finds the quoted segment, or gives `None` where there is none.
#[must_use]
pub fn locate_quote(direction: Direction, frame: &[u8]) -> Option<Quoted> {
    let (vlans, ether_type, at) = link(frame)?;
    let outer = match ether_type {
        0x0800 => v4(frame, at, 1)?,
        0x86dd => v6(frame, at, 58)?,
        _ => return None,
    };
    let (icmp, message_end) = (outer.payload, outer.end);
    if outer.is_fragment || message_end > frame.len() || icmp + 8 > message_end {
        return None;
    }
    let declared = match (ether_type, frame[icmp]) {
        (0x0800, 3 | 11 | 12) => 4 * usize::from(frame[icmp + 5]),
        (0x86dd, 1 | 3) => 8 * usize::from(frame[icmp + 4]),
        (0x0800, 4 | 5) | (0x86dd, 2 | 4) => 0,
        _ => return None,
    };
    let quote = icmp + 8;
    let end = if declared == 0 {
        message_end
    } else {
        message_end.min(quote + declared)
    };
    let inner = match ether_type {
        0x0800 => v4(&frame[..end], quote, TCP)?,
        _ => v6(&frame[..end], quote, TCP)?,
    };
    let tcp = inner.payload;
    if tcp + 8 > end {
        return None;
    }
    let whole = frame[..end]
        .get(tcp + 12)
        .map_or(20, |octet| usize::from(octet >> 4) * 4);
    let addresses = &frame[outer.addresses..outer.addresses + 2 * outer.size];
    Some(Quoted {
        segment: Found {
            flow: flow(vlans, frame, &inner, direction == Direction::Inbound),
            at: tcp,
            header: whole.min(end - tcp),
            end,
        },
        icmp,
        message_end,
        pseudo_header: if ether_type == 0x0800 {
            0
        } else {
            sum(addresses) + (message_end - icmp) as u64 + 58
        },
    })
}
