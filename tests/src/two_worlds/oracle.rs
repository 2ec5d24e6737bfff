//! What no packet may ever suffer, checked on each (S9 to S11): only sequence number, acknowledgment, SACK edges and the
//! TCP checksum change; the checksum leaves right exactly if it came right; both directions use one offset.
//!
//! Its own reading of the headers (RFC 791, RFC 8200, RFC 9293, RFC 2018), so that it does not share the data plane's mistakes.

use std::{collections::HashMap, fmt::Write as _, ops::Range};

use anyhow::{Context as _, Result, ensure};
use isn_common::{flow::Direction, verdict::Verdict};

use super::Stepped;

/// Remembers the offset of each flow since its last SYN.
#[derive(Default)]
pub struct Oracle {
    offsets: HashMap<Vec<u8>, u32>,
}

/// A TCP segment in a frame.
pub struct Found {
    /// Tags, addresses and ports, host first.
    flow: Vec<u8>,
    /// Offset of its header.
    at: usize,
    /// Length of its header.
    header: usize,
    /// Offset behind its data.
    end: usize,
}

impl Oracle {
    /// Compares a frame before and after.
    pub fn check(&mut self, direction: Direction, before: &[u8], stepped: &Stepped) -> Result<()> {
        let after = &stepped.frame;
        ensure!(
            before.len() == after.len(),
            "the frame's length changed from {} to {}",
            before.len(),
            after.len()
        );
        let translated = matches!(
            stepped.verdict,
            Verdict::TranslatedIn | Verdict::TranslatedOut
        );
        ensure!(
            translated || before == after || matches!(stepped.verdict, Verdict::Drop(_)),
            "{:?}, and yet octets changed:\n{}",
            stepped.verdict,
            octets_apart(before, after)
        );
        let Some(found) = locate(direction, before) else {
            ensure!(
                before == after,
                "no TCP header here, and yet octets changed:\n{}",
                octets_apart(before, after)
            );
            return Ok(());
        };
        if matches!(stepped.verdict, Verdict::Drop(_)) {
            return Ok(());
        }
        let permitted = found.permitted(direction, before);
        for at in (0..before.len()).filter(|at| before[*at] != after[*at]) {
            ensure!(
                permitted.iter().any(|range| range.contains(&at)),
                "octet {at} must not change:\n{}",
                octets_apart(before, after)
            );
        }
        let (sum_before, sum_after) = (found.sum(before), found.sum(after));
        ensure!(
            sum_before % 0xffff == sum_after % 0xffff,
            "the checksum is off by another difference than it came with:\n{}",
            octets_apart(before, after)
        );
        self.consistent(direction, &found, before, after)
    }

    /// One offset for both directions, which only a SYN of the host replaces (S1, S9).
    fn consistent(
        &mut self,
        direction: Direction,
        found: &Found,
        before: &[u8],
        after: &[u8],
    ) -> Result<()> {
        let moved =
            |at: usize| word(after, found.at + at).wrapping_sub(word(before, found.at + at));
        let flags = before[found.at + 13];
        match direction {
            Direction::Outbound if flags & 0x06 == 0x02 => {
                self.offsets.insert(found.flow.clone(), moved(4));
            }
            Direction::Outbound if moved(4) != 0 => self.same(found, moved(4))?,
            Direction::Inbound if moved(8) != 0 => self.same(found, 0u32.wrapping_sub(moved(8)))?,
            _ => {}
        }
        for range in found.edges(before) {
            let change = word(before, range.start).wrapping_sub(word(after, range.start));
            if change != 0 {
                self.same(found, change)?;
            }
        }
        Ok(())
    }

    fn same(&self, found: &Found, offset: u32) -> Result<()> {
        let known = *self
            .offsets
            .get(&found.flow)
            .context("translated, and no SYN of the host was ever seen")?;
        ensure!(
            known == offset,
            "translated by {offset:#x}; the SYN was by {known:#x}"
        );
        Ok(())
    }

    /// Takes an offset for granted, as of a flow whose record was put into the tables.
    pub fn assume(&mut self, frame: &[u8], offset: u32) {
        if let Some(found) = locate(Direction::Outbound, frame) {
            self.offsets.insert(found.flow, offset);
        }
    }
}

impl Found {
    fn permitted(&self, direction: Direction, frame: &[u8]) -> Vec<Range<usize>> {
        let checksum = self.at + 16..self.at + 18;
        match direction {
            Direction::Outbound => vec![self.at + 4..self.at + 8, checksum],
            Direction::Inbound if frame[self.at + 13] & 0x10 == 0 => Vec::new(),
            Direction::Inbound => {
                let mut ranges = self.edges(frame);
                ranges.extend([self.at + 8..self.at + 12, checksum]);
                ranges
            }
        }
    }

    /// Where each SACK edge lies.
    fn edges(&self, frame: &[u8]) -> Vec<Range<usize>> {
        let mut edges = Vec::new();
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
            if options[at] == 5 && length % 8 == 2 {
                let first = self.at + 20 + at + 2;
                edges.extend(
                    (first..first + length - 2)
                        .step_by(4)
                        .map(|edge| edge..edge + 4),
                );
            }
            at += length;
        }
        edges
    }

    /// The one's complement sum of what the checksum covers in this frame, not folded; without the addresses and lengths,
    /// which are the same before and after.
    fn sum(&self, frame: &[u8]) -> u64 {
        let covered = &frame[self.at..self.end];
        covered
            .chunks(2)
            .map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)))
            .sum()
    }
}

/// Finds the segment, or gives `None` where there is none that could be translated completely.
#[must_use]
pub fn locate(direction: Direction, frame: &[u8]) -> Option<Found> {
    let mut at = 12;
    let mut flow = Vec::new();
    while matches!(half(frame, at)?, 0x8100 | 0x88a8 | 0x9100) {
        if at > 16 {
            return None;
        }
        let vlan = half(frame, at + 2)? & 0xfff;
        if vlan != 0 {
            flow.extend_from_slice(&vlan.to_be_bytes());
        }
        at += 4;
    }
    let (addresses, size, tcp, end) = match half(frame, at)? {
        0x0800 => v4(frame, at + 2)?,
        0x86dd => v6(frame, at + 2)?,
        _ => return None,
    };
    let header = usize::from(frame.get(tcp + 12)? >> 4) * 4;
    if header < 20 || tcp + header > end || end > frame.len() {
        return None;
    }
    let mut ends = [
        [&frame[addresses..addresses + size], &frame[tcp..tcp + 2]].concat(),
        [
            &frame[addresses + size..addresses + 2 * size],
            &frame[tcp + 2..tcp + 4],
        ]
        .concat(),
    ];
    if direction == Direction::Inbound {
        ends.reverse();
    }
    flow.extend_from_slice(&ends.concat());
    Some(Found {
        flow,
        at: tcp,
        header,
        end,
    })
}

/// Offset and size of the addresses, offset of the TCP header, offset behind the datagram.
type Located = (usize, usize, usize, usize);

fn v4(frame: &[u8], at: usize) -> Option<Located> {
    let header = usize::from(frame.get(at)? & 15) * 4;
    let tcp = *frame.get(at + 9)? == 6 && frame[at] >> 4 == 4 && header >= 20;
    let fragment_offset = half(frame, at + 6)? & 0x1fff;
    (tcp && fragment_offset == 0).then_some((
        at + 12,
        4,
        at + header,
        at + usize::from(half(frame, at + 2)?),
    ))
}

fn v6(frame: &[u8], at: usize) -> Option<Located> {
    let (mut next, mut behind) = (*frame.get(at + 6)?, at + 40);
    let end = behind + usize::from(half(frame, at + 4)?);
    while matches!(next, 0 | 43 | 44 | 60) {
        if next == 44 && half(frame, behind + 2)? & 0xfff8 != 0 {
            return None;
        }
        let length = if next == 44 {
            8
        } else {
            8 + 8 * usize::from(*frame.get(behind + 1)?)
        };
        next = *frame.get(behind)?;
        behind += length;
    }
    (next == 6 && frame[at] >> 4 == 6).then_some((at + 8, 16, behind, end))
}

fn half(frame: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]))
}

fn word(frame: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]])
}

/// The octets in which two frames differ.
#[must_use]
pub fn octets_apart(before: &[u8], after: &[u8]) -> String {
    let mut text = String::new();
    if before.len() != after.len() {
        let _ = writeln!(text, "  {} octets, then {}", before.len(), after.len());
    }
    for (at, (a, b)) in before
        .iter()
        .zip(after)
        .enumerate()
        .filter(|(_, (a, b))| a != b)
    {
        let _ = writeln!(text, "  octet {at:4}: {a:02x} -> {b:02x}");
    }
    text
}
