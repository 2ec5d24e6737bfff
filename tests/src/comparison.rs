//! Both sides of the gateway held against each other, byte by byte (rules S9 and S10).

use std::{
    net::{IpAddr, SocketAddr},
    ops::Range,
};

use anyhow::{Context as _, Result, ensure};
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
    /// Frames that full queues on the way have lost, by the kernel's own count: this many segments may have left and not arrived.
    pub lost: u64,
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
            lost: 0,
        }
    }

    /// Fails unless every segment crossed the gateway without a changed bit; how many did.
    pub fn ensure_untouched(&self) -> Result<usize> {
        let as_it_is = |segment: &Segment| segment.bytes.clone();
        self.ensure_crossed(as_it_is, as_it_is, as_it_is)
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
        self.ensure_crossed(
            |near| offsets.outbound(near),
            |near| offsets.inbound(near),
            without_checksum,
        )
    }

    /// Fails unless what arrived is what was sent, seen through these functions, but for what queues have lost; how many
    /// segments arrived.
    fn ensure_crossed(
        &self,
        outbound: impl Fn(&Segment) -> Vec<u8>,
        inbound: impl Fn(&Segment) -> Vec<u8>,
        far: impl Fn(&Segment) -> Vec<u8>,
    ) -> Result<usize> {
        let sent = fingerprints(&self.outbound_near, outbound);
        let arrived = fingerprints(&self.outbound_far, &far);
        let missing = ensure_part(&arrived, &self.outbound_far, &sent, &self.outbound_near)
            .context("from host to peer")?;
        let sent = fingerprints(&self.inbound_far, far);
        let arrived_in = fingerprints(&self.inbound_near, inbound);
        let missing_in = ensure_part(&arrived_in, &self.inbound_near, &sent, &self.inbound_far)
            .context("from peer to host")?;
        let gone = missing.len() + missing_in.len();
        ensure!(
            gone as u64 <= self.lost,
            "{gone} segments left and did not arrive, though the queues lost {} only; the first of each direction: {:?}, {:?}",
            self.lost,
            missing.first(),
            missing_in.first()
        );
        Ok(arrived.len() + arrived_in.len())
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

/// Fails unless each segment that arrived was sent, once for each time; gives those that were sent and did not arrive.
///
/// Their order is left open: several processors forward the frames of one flow, and some overtake others.
fn ensure_part<'a>(
    arrived: &[Fingerprint],
    arrived_segments: &[Segment],
    sent: &[Fingerprint],
    sent_segments: &'a [Segment],
) -> Result<Vec<&'a Segment>> {
    let mut missing = Vec::new();
    let mut rest = sent.iter().peekable();
    for (fingerprint, at) in arrived {
        while let Some((_, skipped)) = rest.next_if(|(other, _)| other < fingerprint) {
            missing.push(&sent_segments[*skipped]);
        }
        ensure!(
            rest.next_if(|(other, _)| other == fingerprint).is_some(),
            "{:?} arrived and was not sent; near it in the order of the comparison was sent: {:?} ({} arrived, {} were sent)",
            arrived_segments[*at],
            rest.peek().map(|(_, at)| &sent_segments[*at]),
            arrived.len(),
            sent.len()
        );
    }
    missing.extend(rest.map(|(_, at)| &sent_segments[*at]));
    Ok(missing)
}

/// Digest and index of a segment's bytes.
type Fingerprint = ([u8; 32], usize);

/// Digest and index of each segment's bytes, sorted.
fn fingerprints(segments: &[Segment], bytes: impl Fn(&Segment) -> Vec<u8>) -> Vec<Fingerprint> {
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
