//! Both sides of the gateway held against each other, byte by byte (rules S9 and S10).

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::segment::{CHECKSUM_AT, Segment};

const SEQ_AT: usize = 4;
const ACK_AT: usize = 8;
const OPTIONS_AT: usize = 20;
const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;
const SACK: u8 = 5;

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
        let sequence = |near: &Segment| {
            let mut bytes = without_checksum(near);
            add_at(&mut bytes, SEQ_AT, offset);
            bytes
        };
        let acknowledgements = |near: &Segment| {
            let mut bytes = without_checksum(near);
            shift_acknowledgements(&mut bytes, near, offset);
            bytes
        };
        let outbound = ensure_same(
            &self.outbound_near,
            &self.outbound_far,
            sequence,
            without_checksum,
        )?;
        let inbound = ensure_same(
            &self.inbound_near,
            &self.inbound_far,
            acknowledgements,
            without_checksum,
        )?;
        Ok(outbound + inbound)
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
                "{:?} on the host's side has no counterpart on the peer's; next there: {unexpected:?}",
                near[*at]
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

fn shift_acknowledgements(bytes: &mut [u8], segment: &Segment, offset: u32) {
    if !segment.flags.ack {
        return;
    }
    add_at(bytes, ACK_AT, offset);
    let header = bytes.len() - segment.payload_len as usize;
    let mut at = OPTIONS_AT;
    while at < header && bytes[at] != END_OF_OPTIONS {
        if bytes[at] == NO_OPERATION {
            at += 1;
            continue;
        }
        let length = usize::from(bytes[at + 1]);
        if bytes[at] == SACK {
            (at + 2..at + length)
                .step_by(4)
                .for_each(|edge| add_at(bytes, edge, offset));
        }
        at += length;
    }
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
mod tests {
    use std::time::Duration;

    use etherparse::{PacketBuilder, TcpOptionElement::SelectiveAcknowledgement};

    use super::*;

    const HOST: [u8; 4] = [192, 0, 2, 2];
    const PEER: [u8; 4] = [198, 51, 100, 2];

    fn segment(from: [u8; 4], to: [u8; 4], seq: u32, ack: u32, sack: Option<u32>) -> Segment {
        let ports = if from == HOST { (4000, 80) } else { (80, 4000) };
        let mut step = PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(from, to, 64)
            .tcp(ports.0, ports.1, seq, 1024)
            .ack(ack);
        if let Some(edge) = sack {
            let blocks = [Some((edge, edge.wrapping_add(9))), None, None];
            let option =
                SelectiveAcknowledgement((edge.wrapping_add(20), edge.wrapping_add(30)), blocks);
            step = step.options(&[option]).expect("two blocks have room");
        }
        let mut frame = Vec::new();
        step.write(&mut frame, b"data").expect("a frame in memory");
        Segment::parse(Duration::ZERO, &frame).expect("a TCP segment")
    }

    /// Both sides of a gateway that adds `seq`, takes off `ack` and `edge`.
    fn crossed(seq: u32, ack: u32, edge: u32) -> BothSides {
        let near = vec![
            segment(HOST, PEER, 100, 7, None),
            segment(PEER, HOST, 7, 104, Some(110)),
        ];
        let far = vec![
            segment(
                PEER,
                HOST,
                7,
                104_u32.wrapping_add(ack),
                Some(110_u32.wrapping_add(edge)),
            ),
            segment(HOST, PEER, 100_u32.wrapping_add(seq), 7, None),
        ];
        BothSides::of((HOST, 4000).into(), near, far)
    }

    #[test]
    fn a_complete_translation_is_recognised() {
        for offset in [1, 0x8000_0000, u32::MAX - 105] {
            assert_eq!(
                crossed(offset, offset, offset)
                    .ensure_translated(offset)
                    .ok(),
                Some(2)
            );
            assert!(crossed(offset, offset, offset).ensure_untouched().is_err());
        }
        assert_eq!(crossed(0, 0, 0).ensure_untouched().ok(), Some(2));
    }

    #[test]
    fn a_number_left_behind_is_noticed() {
        for (seq, ack, edge) in [(0, 5, 5), (5, 0, 5), (5, 5, 0), (5, 5, 6)] {
            assert!(
                crossed(seq, ack, edge).ensure_translated(5).is_err(),
                "{seq} {ack} {edge}"
            );
        }
    }
}
