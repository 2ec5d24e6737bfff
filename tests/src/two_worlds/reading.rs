//! The oracle's own reading of headers (RFC 791, RFC 8200, RFC 9293, RFC 2018, RFC 7323): not the data plane's, whose mistakes it must
//! not share.

use std::ops::Range;

use isn_common::flow::Direction;

/// A TCP segment in a frame.
pub struct Found {
    /// Tags, addresses and ports, host first.
    pub flow: Vec<u8>,
    /// Offset of its header.
    pub at: usize,
    /// Length of its header.
    pub header: usize,
    /// Offset behind its data.
    pub end: usize,
}

impl Found {
    /// The octets that may change.
    #[must_use]
    pub fn permitted(&self, direction: Direction, frame: &[u8]) -> Vec<Range<usize>> {
        let checksum = self.at + 16..self.at + 18;
        match direction {
            Direction::Outbound => {
                let mut ranges = self.stamps(direction, frame);
                ranges.extend([self.at + 4..self.at + 8, checksum]);
                ranges
            }
            Direction::Inbound if frame[self.at + 13] & 0x10 == 0 => Vec::new(),
            Direction::Inbound => {
                let mut ranges = self.edges(frame);
                ranges.extend(self.stamps(direction, frame));
                ranges.extend([self.at + 8..self.at + 12, checksum]);
                ranges
            }
        }
    }

    /// Where each number of the host's clock lies: TSval of the host, TSecr of the peer.
    #[must_use]
    pub fn stamps(&self, direction: Direction, frame: &[u8]) -> Vec<Range<usize>> {
        let field = match direction {
            Direction::Outbound => 2,
            Direction::Inbound => 6,
        };
        let mut stamps = Vec::new();
        self.each_option(frame, |kind, at, length| {
            if kind == 8 && length == 10 {
                stamps.push(at + field..at + field + 4);
            }
        });
        stamps
    }

    /// Where each SACK edge lies.
    #[must_use]
    pub fn edges(&self, frame: &[u8]) -> Vec<Range<usize>> {
        let mut edges = Vec::new();
        self.each_option(frame, |kind, at, length| {
            if kind == 5 && length % 8 == 2 {
                let blocks = at + 2..at + length;
                edges.extend(blocks.step_by(4).map(|edge| edge..edge + 4));
            }
        });
        edges
    }

    /// Kind, offset in the frame and length of each option, up to the first that is malformed.
    fn each_option(&self, frame: &[u8], mut each: impl FnMut(u8, usize, usize)) {
        let options = &frame[self.at + 20..self.at + self.header];
        let mut at = 0;
        while at < options.len() && options[at] != 0 {
            let length = match (options[at], options.get(at + 1)) {
                (1, _) => 1,
                (_, Some(length)) if *length >= 2 && at + usize::from(*length) <= options.len() => {
                    usize::from(*length)
                }
                _ => break,
            };
            each(options[at], self.at + 20 + at, length);
            at += length;
        }
    }

    /// The one's complement sum of what the checksum covers in this frame, not folded; without the addresses and lengths,
    /// which are the same before and after.
    #[must_use]
    pub fn sum(&self, frame: &[u8]) -> u64 {
        sum(&frame[self.at..self.end])
    }
}

/// The one's complement sum of octets, not folded (RFC 1071).
pub(super) fn sum(octets: &[u8]) -> u64 {
    octets
        .chunks(2)
        .map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)))
        .sum()
}

/// Finds the segment, or gives `None` where there is none that could be translated completely.
#[must_use]
pub fn locate(direction: Direction, frame: &[u8]) -> Option<Found> {
    let (vlans, ether_type, at) = link(frame)?;
    let datagram = match ether_type {
        0x0800 => v4(frame, at, TCP)?,
        0x86dd => v6(frame, at, TCP)?,
        _ => return None,
    };
    let (tcp, end) = (datagram.payload, datagram.end);
    let header = usize::from(frame.get(tcp + 12)? >> 4) * 4;
    if header < 20 || tcp + header > end || end > frame.len() {
        return None;
    }
    Some(Found {
        flow: flow(vlans, frame, &datagram, direction == Direction::Outbound),
        at: tcp,
        header,
        end,
    })
}

/// Protocol number of TCP.
pub(super) const TCP: u8 = 6;

/// A datagram of either family.
pub(super) struct Datagram {
    /// Offset of its addresses, source first.
    pub addresses: usize,
    /// Octets of an address.
    pub size: usize,
    /// Offset of what it carries.
    pub payload: usize,
    /// Offset behind it, as its header says.
    pub end: usize,
    /// Whether more fragments follow.
    pub is_fragment: bool,
}

/// Tags, `EtherType`, and the offset of what is behind; `None` with more than two tags.
pub(super) fn link(frame: &[u8]) -> Option<(Vec<u8>, u16, usize)> {
    let mut at = 12;
    let mut vlans = Vec::new();
    while matches!(half(frame, at)?, 0x8100 | 0x88a8 | 0x9100) {
        if at > 16 {
            return None;
        }
        let vlan = half(frame, at + 2)? & 0xfff;
        if vlan != 0 {
            vlans.extend_from_slice(&vlan.to_be_bytes());
        }
        at += 4;
    }
    Some((vlans, half(frame, at)?, at + 2))
}

/// Tags, addresses and ports, host first; the sender of a datagram may be the host or the peer.
pub(super) fn flow(
    vlans: Vec<u8>,
    frame: &[u8],
    datagram: &Datagram,
    host_is_sender: bool,
) -> Vec<u8> {
    let (from, to) = (datagram.addresses, datagram.addresses + datagram.size);
    let port = datagram.payload;
    let mut ends = [
        [&frame[from..to], &frame[port..port + 2]].concat(),
        [&frame[to..to + datagram.size], &frame[port + 2..port + 4]].concat(),
    ];
    if !host_is_sender {
        ends.reverse();
    }
    [vlans, ends.concat()].concat()
}

/// The IPv4 datagram at `at`, if it carries `protocol` and is no later fragment.
pub(super) fn v4(frame: &[u8], at: usize, protocol: u8) -> Option<Datagram> {
    let header = usize::from(frame.get(at)? & 15) * 4;
    let carried = *frame.get(at + 9)? == protocol && frame[at] >> 4 == 4 && header >= 20;
    let fragment_offset = half(frame, at + 6)? & 0x1fff;
    (carried && fragment_offset == 0).then_some(Datagram {
        addresses: at + 12,
        size: 4,
        payload: at + header,
        end: at + usize::from(half(frame, at + 2)?),
        is_fragment: half(frame, at + 6)? & 0x2000 != 0,
    })
}

/// Extension headers that are walked at most (RFC 8200 section 4.1 names six places); with more, nothing is found.
const MOST_EXTENSIONS: usize = 6;

/// The same of IPv6, its extension headers skipped.
pub(super) fn v6(frame: &[u8], at: usize, protocol: u8) -> Option<Datagram> {
    let (mut next, mut behind) = (*frame.get(at + 6)?, at + 40);
    let end = behind + usize::from(half(frame, at + 4)?);
    let (mut walked, mut is_fragment) = (0, false);
    while matches!(next, 0 | 43 | 44 | 60) && walked < MOST_EXTENSIONS {
        walked += 1;
        if next == 44 && half(frame, behind + 2)? & 0xfff8 != 0 {
            return None;
        }
        let length = if next == 44 {
            is_fragment = half(frame, behind + 2)? & 1 != 0;
            8
        } else {
            8 + 8 * usize::from(*frame.get(behind + 1)?)
        };
        next = *frame.get(behind)?;
        behind += length;
    }
    (next == protocol && frame[at] >> 4 == 6).then_some(Datagram {
        addresses: at + 8,
        size: 16,
        payload: behind,
        end,
        is_fragment,
    })
}

/// The 16-bit number at an offset.
pub(super) fn half(frame: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]))
}

/// The 32-bit number at an offset.
///
/// # Panics
///
/// If the frame ends before.
#[must_use]
pub fn word(frame: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]])
}
