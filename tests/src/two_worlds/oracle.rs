//! What no packet may ever suffer, checked on each (S9 to S12): only sequence number, acknowledgment, SACK edges, timestamps
//! and checksums change; a checksum leaves right exactly if it came right; both directions use one offset, but for late segments of
//! an incarnation before, which are counted (S14).
//!
//! Its own reading of the headers (RFC 791, RFC 8200, RFC 9293, RFC 2018), so that it does not share the data plane's mistakes.

use std::{collections::HashMap, fmt::Write as _, ops::Range};

use anyhow::{Context as _, Result, ensure};
use isn_common::{
    counter::Counter,
    flow::Direction,
    verdict::{PassReason, Verdict},
};

use super::{
    Stepped,
    quoting::{Quoted, locate_quote},
    reading::{Found, locate, word},
};

const NO_SYN: &str = "translated, and no SYN of the host was ever seen";

/// Remembers the offset of each flow since its last SYN, and those before.
#[derive(Default)]
pub struct Oracle {
    flows: HashMap<Vec<u8>, Offsets>,
}

#[derive(Default)]
struct Offsets {
    current: u32,
    /// Of timestamps.
    stamp: u32,
    former: Vec<[u32; 2]>,
    /// An incarnation before was translated by something that nothing has shown.
    hidden_before: bool,
    /// Its entry may have been lost: what it is translated by next counts.
    unsure: bool,
    /// The packet at hand is translated without an entry, and so may the next one be, by something else.
    computed: bool,
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
        let late = stepped.counted[Counter::PreviousIncarnation.index()];
        match stepped.verdict {
            Verdict::IcmpTranslated => {
                ensure!(late == 0, "an ICMP error counted as a late segment");
                let quoted = locate_quote(direction, before)
                    .context("translated as an ICMP error, and it quotes no segment")?;
                self.note_recomputed(&quoted.segment, stepped);
                self.error(direction, &quoted, before, after)
            }
            Verdict::TranslatedIn | Verdict::TranslatedOut => {
                let found = locate(direction, before)
                    .context("translated, and there is no whole TCP header here")?;
                self.segment(direction, &found, before, stepped)
            }
            Verdict::Pass(reason) => {
                ensure!(
                    before == after,
                    "{reason:?}, and yet octets changed:\n{}",
                    octets_apart(before, after)
                );
                ensure!(
                    late == 0 || reason == PassReason::OffsetZero,
                    "{reason:?}, and yet counted as a late segment"
                );
                if let Some(quoted) = locate_quote(direction, before) {
                    self.left_alone(direction, &quoted, before)?;
                }
                locate(direction, before).map_or(Ok(()), |found| {
                    self.segment(direction, &found, before, stepped)
                })
            }
            Verdict::Drop(_) => Ok(()),
        }
    }

    /// What may become of a segment, and what this one's offset is.
    fn segment(
        &mut self,
        direction: Direction,
        found: &Found,
        before: &[u8],
        stepped: &Stepped,
    ) -> Result<()> {
        self.note_recomputed(found, stepped);
        let after = &stepped.frame;
        only_within(&found.permitted(direction, before), before, after)?;
        same_sum("TCP", found.sum(before), found.sum(after))?;
        let late = stepped.counted[Counter::PreviousIncarnation.index()] != 0;
        self.consistent(direction, found, late, [before, after])
    }

    /// One offset for both directions, which only a SYN of the host replaces (S1, S9), and which only late segments do without
    /// (S14).
    fn consistent(
        &mut self,
        direction: Direction,
        found: &Found,
        late: bool,
        frames: [&[u8]; 2],
    ) -> Result<()> {
        let [before, _] = frames;
        let moved = |at: usize| moved(frames, found.at + at);
        let opens = before[found.at + 13] & 0x06 == 0x02;
        let from_host = direction == Direction::Outbound;
        ensure!(
            !late || from_host && !opens,
            "this cannot be a late segment of the host"
        );
        match direction {
            Direction::Outbound if opens => {
                let stamps = found.stamps(direction, before);
                self.open(
                    &found.flow,
                    moved(4),
                    stamps.first().map(|it| self::moved(frames, it.start)),
                );
            }
            Direction::Outbound if late => {
                let stamps = found.stamps(direction, before);
                let stamp = stamps.first().map(|it| self::moved(frames, it.start));
                return self.former(found, moved(4), stamp);
            }
            Direction::Outbound if moved(4) != 0 => self.current(found, moved(4))?,
            Direction::Inbound if moved(8) != 0 => {
                self.current(found, 0u32.wrapping_sub(moved(8)))?;
            }
            _ => {}
        }
        for range in found.edges(before) {
            let change = moved_back(frames, range.start);
            if change != 0 {
                self.current(found, change)?;
            }
        }
        for range in found.stamps(direction, before) {
            let change = match direction {
                Direction::Outbound => self::moved(frames, range.start),
                Direction::Inbound => moved_back(frames, range.start),
            };
            let none = direction == Direction::Inbound && word(before, range.start) == 0;
            ensure!(!none || change == 0, "a TSecr of 0 stands for none");
            self.stamp(found, change)?;
        }
        Ok(())
    }

    /// What may become of an error: the numbers that its reader knows, and checksums that are as right as before (S12).
    fn error(
        &mut self,
        direction: Direction,
        quoted: &Quoted,
        before: &[u8],
        after: &[u8],
    ) -> Result<()> {
        only_within(&quoted.permitted(direction, before), before, after)?;
        same_sum("ICMP", quoted.sum(before), quoted.sum(after))?;
        if let (Some(one), Some(other)) = (quoted.quoted_sum(before), quoted.quoted_sum(after)) {
            same_sum("quoted TCP", one, other)?;
        }
        let (frames, segment) = ([before, after], &quoted.segment);
        for range in quoted.stamps(direction, before) {
            match direction {
                Direction::Inbound => self.stamp(segment, moved_back(frames, range.start))?,
                Direction::Outbound => self.stamp(segment, moved(frames, range.start))?,
            }
        }
        match direction {
            Direction::Inbound => self.current(segment, moved_back(frames, segment.at + 4)),
            Direction::Outbound => {
                self.current(segment, moved(frames, segment.at + 8))?;
                let mut edges = quoted.edges(before).into_iter();
                edges.try_for_each(|edge| self.current(segment, moved(frames, edge.start)))
            }
        }
    }

    /// An error may pass only if what it quotes has no number to translate (S12).
    fn left_alone(&self, direction: Direction, quoted: &Quoted, before: &[u8]) -> Result<()> {
        let known = self.flows.get(&quoted.segment.flow);
        let offset = known.filter(|it| !it.unsure).map_or(0, |it| it.current);
        ensure!(
            offset == 0 || !quoted.shows_number(direction, before),
            "an error passed that quotes a segment of a flow with offset {offset:#x}"
        );
        Ok(())
    }

    /// A SYN left with this offset, and, if it has a timestamp, with that one.
    fn open(&mut self, flow: &[u8], offset: u32, stamp: Option<u32>) {
        let offsets = self.flows.entry(flow.to_vec()).or_insert_with(|| Offsets {
            current: offset,
            stamp: stamp.unwrap_or(0),
            ..Offsets::default()
        });
        offsets.hidden_before |= offsets.unsure;
        offsets.unsure = false;
        // A SYN without a timestamp does not show how later ones are moved: as before, or not at all.
        let stamp = stamp.unwrap_or(offsets.stamp);
        if [offsets.current, offsets.stamp] != [offset, stamp] {
            offsets.former.push([offsets.current, offsets.stamp]);
            (offsets.current, offsets.stamp) = (offset, stamp);
        }
    }

    /// A timestamp of the living incarnation: none is moved by anything else, though an echo of 0 is not at all.
    fn stamp(&self, found: &Found, change: u32) -> Result<()> {
        let known = self.flows.get(&found.flow).map_or(0, |it| it.stamp);
        ensure!(
            change == 0 || change == known,
            "a timestamp was moved by {change:#x}; the SYN's was by {known:#x}"
        );
        Ok(())
    }

    fn current(&mut self, found: &Found, offset: u32) -> Result<()> {
        let offsets = self.flows.get_mut(&found.flow).context(NO_SYN)?;
        if offsets.unsure {
            offsets.current = offset;
            offsets.unsure = offsets.computed;
        }
        let known = offsets.current;
        ensure!(
            known == offset,
            "translated by {offset:#x}; the SYN was by {known:#x}"
        );
        Ok(())
    }

    fn former(&self, found: &Found, offset: u32, stamp: Option<u32>) -> Result<()> {
        let offsets = self.offsets(found)?;
        let known = &offsets.former;
        // Of an incarnation whose SYN shows no timestamp, the stamp on record is the former one's.
        let last = [offsets.current, offsets.stamp];
        ensure!(
            offsets.hidden_before
                || known
                    .iter()
                    .chain([&last])
                    .any(|[known, moved]| *known == offset
                        && stamp.is_none_or(|stamp| stamp == 0 || stamp == *moved)),
            "a late segment was translated by {offset:#x}, its timestamp by {stamp:#x?}; incarnations before were by {known:#x?}"
        );
        Ok(())
    }

    fn offsets(&self, found: &Found) -> Result<&Offsets> {
        self.flows.get(&found.flow).context(NO_SYN)
    }

    /// Entries may be gone: each flow may be translated otherwise from here on, or not at all.
    pub fn lose(&mut self) {
        for offsets in self.flows.values_mut() {
            offsets.unsure = true;
        }
    }

    /// A packet whose offset was computed again: no SYN is needed for that, and its number is for others to judge (S3). A flow
    /// that is adopted and has none by the key before has none at all.
    fn note_recomputed(&mut self, found: &Found, stepped: &Stepped) {
        let computed = stepped.counted[Counter::KeyedRecomputed.index()] != 0;
        let adopted = stepped.counted[Counter::FlowsAdopted.index()] != 0;
        if computed {
            self.flows.entry(found.flow.clone()).or_default().unsure = true;
        } else if adopted {
            let offsets = self.flows.entry(found.flow.clone()).or_default();
            (offsets.current, offsets.stamp, offsets.unsure) = (0, 0, false);
        }
        if let Some(offsets) = self.flows.get_mut(&found.flow) {
            offsets.computed = computed;
        }
    }

    /// Takes an offset for granted, as of a flow whose record was put into the tables.
    pub fn assume(&mut self, frame: &[u8], offset: u32) {
        if let Some(found) = locate(Direction::Outbound, frame) {
            self.flows.entry(found.flow).or_default().current = offset;
        }
    }
}

fn moved([before, after]: [&[u8]; 2], at: usize) -> u32 {
    word(after, at).wrapping_sub(word(before, at))
}

fn moved_back([before, after]: [&[u8]; 2], at: usize) -> u32 {
    moved([after, before], at)
}

fn only_within(permitted: &[Range<usize>], before: &[u8], after: &[u8]) -> Result<()> {
    for at in (0..before.len()).filter(|at| before[*at] != after[*at]) {
        ensure!(
            permitted.iter().any(|range| range.contains(&at)),
            "octet {at} must not change:\n{}",
            octets_apart(before, after)
        );
    }
    Ok(())
}

/// A checksum that was right is right, and one that was wrong is wrong by as much.
fn same_sum(whose: &str, before: u64, after: u64) -> Result<()> {
    let [before, after] = [before, after].map(|sum| sum % 0xffff);
    ensure!(
        before == after,
        "the {whose} checksum is off by {after:#x}, and came off by {before:#x}"
    );
    Ok(())
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
