//! Both sides of the gateway held against each other, byte by byte (rules S9 and S10).

use std::{
    net::{IpAddr, SocketAddr},
    ops::Range,
};

use anyhow::{Result, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::segment::{CHECKSUM_AT, Segment};

const SEQ_AT: usize = 4;
const ACK_AT: usize = 8;
const OPTIONS_AT: usize = 20;
const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// One connection as the captures on both sides of the gateway show it.
#[derive(Debug, Default)]
pub struct BothSides {
    /// From host to peer, as the host sent it.
    pub outbound_near: Vec<Segment>,
    /// From host to peer, as the peer got it.
    pub outbound_far: Vec<Segment>,
    /// From peer to host, as the host got it.
    pub inbound_near: Vec<Segment>,
    /// From peer to host, as the peer sent it.
    pub inbound_far: Vec<Segment>,
}

impl BothSides {
    /// The host's SYNs as it sent them, retransmissions included.
    #[must_use]
    pub fn openings(&self) -> Vec<&Segment> {
        self.outbound_near
            .iter()
            .filter(|segment| segment.is_opening())
            .collect()
    }

    /// Sorts two captures, keeping the segments between `host` and any other end.
    #[must_use]
    pub fn of(host: SocketAddr, near: Vec<Segment>, far: Vec<Segment>) -> Self {
        let (outbound_near, inbound_near) = by_direction(host, near);
        let (outbound_far, inbound_far) = by_direction(host, far);
        Self {
            outbound_near,
            outbound_far,
            inbound_near,
            inbound_far,
        }
    }

    /// Fails unless every segment crossed the gateway without a changed bit; how many did.
    pub fn ensure_untouched(&self) -> Result<usize> {
        let as_it_is = |segment: &Segment| segment.bytes.clone();
        let outbound = ensure_same(&self.outbound_near, &self.outbound_far, as_it_is, as_it_is)?;
        let inbound = ensure_same(&self.inbound_near, &self.inbound_far, as_it_is, as_it_is)?;
        Ok(outbound + inbound)
    }

    /// Fails unless every segment differs by `offset` and its checksum alone; how many segments there were.
    pub fn ensure_translated(&self, offset: u32) -> Result<usize> {
        self.ensure_translated_by(Offsets {
            sequence: offset,
            timestamp: 0,
        })
    }

    /// Fails unless every segment differs by these offsets and its checksum alone; how many segments there were.
    pub fn ensure_translated_by(&self, offsets: Offsets) -> Result<usize> {
        let outbound = ensure_same(
            &self.outbound_near,
            &self.outbound_far,
            |near| offsets.outbound(near),
            without_checksum,
        )?;
        let inbound = ensure_same(
            &self.inbound_near,
            &self.inbound_far,
            |near| offsets.inbound(near),
            without_checksum,
        )?;
        Ok(outbound + inbound)
    }
}

/// By how much the peer sees other numbers than the host, modulo 2^32.
#[derive(Debug, Clone, Copy)]
pub struct Offsets {
    /// Sequence numbers.
    pub sequence: u32,
    /// Timestamps (RFC 7323).
    pub timestamp: u32,
}

impl Offsets {
    /// What the host sent, as the peer should get it.
    fn outbound(self, near: &Segment) -> Vec<u8> {
        let mut bytes = without_checksum(near);
        add_at(&mut bytes, SEQ_AT, self.sequence);
        for (kind, value) in options(near) {
            if kind == TIMESTAMPS {
                add_at(&mut bytes, value.start, self.timestamp);
            }
        }
        bytes
    }

    /// What the peer sent, found from what the host got.
    fn inbound(self, near: &Segment) -> Vec<u8> {
        let mut bytes = without_checksum(near);
        if !near.flags.ack {
            return bytes;
        }
        add_at(&mut bytes, ACK_AT, self.sequence);
        for (kind, value) in options(near) {
            match kind {
                SACK => value
                    .step_by(4)
                    .for_each(|edge| add_at(&mut bytes, edge, self.sequence)),
                TIMESTAMPS => add_at(&mut bytes, value.start + 4, self.timestamp),
                _ => {}
            }
        }
        bytes
    }
}

/// Fails unless the far segments are the near ones, seen through the two functions; how many there are.
///
/// Their order is left open: several processors forward the frames of one flow, and some overtake others.
fn ensure_same(
    near: &[Segment],
    far: &[Segment],
    through_gateway: impl Fn(&Segment) -> Vec<u8>,
    arrived: impl Fn(&Segment) -> Vec<u8>,
) -> Result<usize> {
    let (expected, found) = (
        fingerprints(near, through_gateway),
        fingerprints(far, arrived),
    );
    let mut rest = found.iter().peekable();
    for (fingerprint, at) in &expected {
        let next = rest.next_if(|(other, _)| other == fingerprint);
        if next.is_none() {
            let unexpected = rest.peek().map(|(_, at)| &far[*at]);
            bail!(
                "{:?} on the host's side has no counterpart on the peer's; next there: {unexpected:?} ({} and {} in all)",
                near[*at],
                near.len(),
                far.len()
            );
        }
    }
    ensure!(
        rest.next().is_none(),
        "{} segments on the host's side, {} on the peer's",
        near.len(),
        far.len()
    );
    Ok(near.len())
}

/// Digest and index of each segment's bytes, sorted.
fn fingerprints(
    segments: &[Segment],
    bytes: impl Fn(&Segment) -> Vec<u8>,
) -> Vec<([u8; 32], usize)> {
    let digest = |segment| Sha256::digest(bytes(segment)).into();
    let mut all: Vec<_> = segments
        .iter()
        .enumerate()
        .map(|(at, segment)| (digest(segment), at))
        .collect();
    all.sort_unstable();
    all
}

/// Fails at the first segment whose checksum is wrong; how many segments were looked at.
pub fn ensure_checksums<'a>(segments: impl IntoIterator<Item = &'a Segment>) -> Result<usize> {
    let mut count = 0;
    for segment in segments {
        ensure!(segment.checksum_right, "wrong checksum: {segment:?}");
        count += 1;
    }
    Ok(count)
}

/// The segments that arrive at `end`: complete ones also where the sender leaves checksums to its device.
pub fn arriving_at(end: IpAddr, segments: &[Segment]) -> impl Iterator<Item = &Segment> {
    segments
        .iter()
        .filter(move |segment| segment.destination.ip() == end)
}

fn by_direction(host: SocketAddr, segments: Vec<Segment>) -> (Vec<Segment>, Vec<Segment>) {
    let involved = segments
        .into_iter()
        .filter(|segment| segment.source == host || segment.destination == host);
    involved.partition(|segment| segment.source == host)
}

/// Kind and place of the value of every option that has one.
fn options(segment: &Segment) -> Vec<(u8, Range<usize>)> {
    let bytes = &segment.bytes;
    let header = bytes.len() - segment.payload_len as usize;
    let mut found = Vec::new();
    let mut at = OPTIONS_AT;
    while at < header && bytes[at] != END_OF_OPTIONS {
        if bytes[at] == NO_OPERATION {
            at += 1;
            continue;
        }
        let end = at + usize::from(bytes[at + 1]);
        found.push((bytes[at], at + 2..end));
        at = end;
    }
    found
}

fn add_at(bytes: &mut [u8], at: usize, offset: u32) {
    let field: &mut [u8; 4] = (&mut bytes[at..at + 4]).try_into().expect("four bytes");
    *field = u32::from_be_bytes(*field)
        .wrapping_add(offset)
        .to_be_bytes();
}

fn without_checksum(segment: &Segment) -> Vec<u8> {
    let mut bytes = segment.bytes.clone();
    bytes[CHECKSUM_AT..CHECKSUM_AT + 2].fill(0);
    bytes
}

#[cfg(test)]
mod tests;
