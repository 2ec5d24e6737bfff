//! Whose frames go through a gateway: guarded hosts that nobody has to be, and a peer beyond.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};
use etherparse::{PacketBuilder, TcpOptionElement};
use isn_bench_ebpf::{Course, HEADER_WORDS, HEADER_WORDS_V6};
use isn_common::flow::Key4;

use crate::flows::{HIGH_WATER, OFFSET, PEER_NEXT};

/// Where the hosts are, all behind the laboratory's host.
pub const HOSTS: &str = "10.1.0.0/16";
/// Where the peers are, all behind the laboratory's peer.
pub const PEERS: &str = "198.18.0.0/15";
/// The peer of all open flows.
pub const PEER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// Its port.
pub const SERVICE: u16 = 443;
/// The most flows that can be open.
pub const MOST: u32 = 1 << 15;
/// What a host says next, as it says it.
pub const SEQUENCE: u32 = HIGH_WATER.wrapping_sub(OFFSET);
/// What it waits for, where nothing comes between it and the peer.
pub const ACKNOWLEDGMENT: u32 = PEER_NEXT;

/// What new flows are counted from.
const FIRST_HOST: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 0);
const FIRST_PEER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const FIRST_NEW_PORT: u16 = 0x4000;
const FIRST_PORT: u16 = 10_000;

const WINDOW: u16 = 65_535;
pub const HOPS: u8 = 64;
const MSS: TcpOptionElement = TcpOptionElement::MaximumSegmentSize(1460);
/// Octets of headers, with what fills them up.
pub const FRAME: usize = 8 * HEADER_WORDS;

/// Link layer addresses of a frame: from, to.
pub type Link = [[u8; 6]; 2];

/// A segment without data.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Who sends it.
    pub from: (Ipv4Addr, u16),
    /// To whom.
    pub to: (Ipv4Addr, u16),
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment number, except in a SYN that opens.
    pub acknowledgment: Option<u32>,
    /// Whether it opens or answers what opens.
    pub syn: bool,
}

/// The host's end of an open flow. No two have the same port: a masquerade leaves it as it is.
pub fn host(number: u32) -> Result<(Ipv4Addr, u16)> {
    let [_, _, third, _] = number.to_be_bytes();
    let port = u16::try_from(number)
        .ok()
        .and_then(|it| FIRST_PORT.checked_add(it));
    let port = port.with_context(|| format!("there are no {number} flows"))?;
    let [first, second, ..] = FIRST_HOST.octets();
    Ok((Ipv4Addr::new(first, second, third, 1), port))
}

/// The number of the open flow with this host's port.
pub fn number(port: u16) -> Option<u32> {
    port.checked_sub(FIRST_PORT).map(u32::from)
}

/// What isnguard knows an open flow by.
pub fn key(number: u32) -> Result<Key4> {
    let (address, port) = host(number)?;
    Ok(Key4 {
        host: address.octets(),
        peer: PEER.octets(),
        host_port: port.to_be_bytes(),
        peer_port: SERVICE.to_be_bytes(),
        vlan: 0,
    })
}

/// What the host of an open flow says now and then.
pub fn acknowledgment(number: u32, acknowledgment: u32) -> Result<Segment> {
    Ok(Segment {
        from: host(number)?,
        to: (PEER, SERVICE),
        sequence: SEQUENCE,
        acknowledgment: Some(acknowledgment),
        syn: false,
    })
}

/// How the host of a flow opens it.
pub fn opening(number: u32) -> Result<Segment> {
    Ok(Segment {
        sequence: SEQUENCE.wrapping_sub(1),
        acknowledgment: None,
        syn: true,
        ..acknowledgment(number, 0)?
    })
}

/// How the first of all new flows is opened.
pub fn first_of_all() -> Segment {
    Segment {
        from: (FIRST_HOST, FIRST_NEW_PORT),
        to: (FIRST_PEER, SERVICE),
        sequence: SEQUENCE,
        acknowledgment: None,
        syn: true,
    }
}

impl Segment {
    /// The frame, checksums and all.
    pub fn frame(&self, [from, to]: Link) -> Result<[u8; FRAME]> {
        let mut segment = PacketBuilder::ethernet2(from, to)
            .ipv4(self.from.0.octets(), self.to.0.octets(), HOPS)
            .tcp(self.from.1, self.to.1, self.sequence, WINDOW);
        if let Some(number) = self.acknowledgment {
            segment = segment.ack(number);
        }
        if self.syn {
            segment = segment.syn().options(&[MSS])?;
        }
        let mut frame = [0; FRAME];
        segment.write(&mut frame.as_mut_slice(), &[])?;
        Ok(frame)
    }
}

/// Octets of data in a segment that is full, as large as those of hosts with timestamps.
pub const DATA: usize = 1448;

impl Segment {
    /// The frame with as much data as fits.
    pub fn full(&self, [from, to]: Link) -> Result<Vec<u8>> {
        let mut segment = PacketBuilder::ethernet2(from, to)
            .ipv4(self.from.0.octets(), self.to.0.octets(), HOPS)
            .tcp(self.from.1, self.to.1, self.sequence, WINDOW);
        if let Some(number) = self.acknowledgment {
            segment = segment.ack(number);
        }
        let mut frame = Vec::new();
        segment.write(&mut frame, &[0; DATA])?;
        Ok(frame)
    }
}

/// What a frame begins with, as words in memory.
pub fn words(frame: &[u8]) -> [u64; HEADER_WORDS_V6] {
    let (words, _) = frame.as_chunks();
    std::array::from_fn(|word| words.get(word).map_or(0, |it| u64::from_ne_bytes(*it)))
}

/// What sets the frame of an open flow apart from others.
pub fn course(frame: &[u8]) -> Course {
    let word = |at| u32::from_ne_bytes(octets(frame, at));
    let half = |at| u16::from_ne_bytes(octets(frame, at));
    Course {
        address: word(26),
        sequence: word(38),
        acknowledgment: word(42),
        port: half(34),
        ip_checksum: half(24),
        tcp_checksum: half(50),
        padding: 0,
    }
}

fn octets<const N: usize>(frame: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|octet| frame[at + octet])
}

#[cfg(test)]
mod tests {
    use isn_bench_ebpf::fresh;
    use isn_tests::segment::Segment as Parsed;

    use super::*;

    const LINK: Link = [[2; 6], [4; 6]];

    fn parsed(segment: &Segment) -> Parsed {
        let frame = segment.frame(LINK).unwrap();
        let end = if segment.syn { 58 } else { 54 };
        Parsed::parse(std::time::Duration::ZERO, &frame[..end]).unwrap()
    }

    #[test]
    fn frames_say_what_they_are_told_and_their_checksums_are_right() {
        let open = parsed(&acknowledgment(300, 77).unwrap());
        assert_eq!(open.source.to_string(), "10.1.1.1:10300");
        assert_eq!(open.destination.to_string(), "198.18.0.1:443");
        assert_eq!((open.seq, open.ack), (SEQUENCE, 77));
        assert!(open.checksum_right && open.flags.ack && !open.flags.syn);
        let syn = parsed(&opening(0).unwrap());
        assert!(syn.checksum_right && syn.flags.syn && !syn.flags.ack);
        assert_eq!(syn.end(), SEQUENCE);
    }

    #[test]
    fn courses_lie_where_their_fields_do() {
        let frame = acknowledgment(513, 77).unwrap().frame(LINK).unwrap();
        let course = course(&frame);
        assert_eq!(course.address.to_ne_bytes(), [10, 1, 2, 1]);
        assert_eq!(u16::from_be(course.port), 10_513);
        assert_eq!(u32::from_be(course.sequence), SEQUENCE);
        assert_eq!(u32::from_be(course.acknowledgment), 77);
        assert_eq!(course.tcp_checksum.to_ne_bytes(), frame[50..52]);
        assert_eq!(words(&frame)[7].to_ne_bytes(), frame[56..]);
    }

    #[test]
    fn flows_have_ports_of_their_own() {
        let last = host(MOST - 1).unwrap();
        assert_eq!(last, (Ipv4Addr::new(10, 1, 127, 1), 42_767));
        assert_eq!(number(last.1), Some(MOST - 1));
        assert_eq!(number(9_999), None);
        assert!(host(60_000).is_err());
    }

    #[test]
    fn sums_of_new_flows_stay_within_their_halves() {
        let [largest, other] = [fresh(0x7fff), fresh(u32::MAX >> 1)];
        assert_eq!(
            (largest.host, largest.port, largest.peer),
            (0x3fff, 0x7fff, 0)
        );
        assert_eq!(other.peer, 0xffff);
        assert!(FIRST_NEW_PORT.checked_add(largest.port).is_some());
        assert_ne!(fresh(1), fresh(1 << 15));
    }
}
