//! What no packet may ever suffer, checked on each (S9 to S11): only sequence number, acknowledgment, SACK edges and the
//! TCP checksum change; the checksum leaves right exactly if it came right; both directions use one offset.
//!
//! Its own reading of the headers (RFC 791, RFC 8200, RFC 9293, RFC 2018), so that it does not share the data plane's mistakes.

use std::{collections::HashMap, fmt::Write as _};

use anyhow::{Context as _, Result, ensure};
use isn_common::{flow::Direction, verdict::Verdict};

use super::{
    Stepped,
    reading::{Found, locate, word},
};

/// Remembers the offset of each flow since its last SYN.
#[derive(Default)]
pub struct Oracle {
    offsets: HashMap<Vec<u8>, u32>,
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
