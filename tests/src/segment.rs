//! A TCP segment as it was seen on the wire (RFC 9293 section 3.1), its checksum judged from its own bytes.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use etherparse::{NetSlice, SlicedPacket, TcpOptionElement, TcpSlice, TransportSlice};

/// Offset of the checksum in the TCP header.
pub const CHECKSUM_AT: usize = 16;

/// The control bits that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the header's own bits"
)]
pub struct Flags {
    /// A connection is opened.
    pub syn: bool,
    /// The acknowledgement number counts.
    pub ack: bool,
    /// The sender has no more data.
    pub fin: bool,
    /// The connection is refused or aborted.
    pub rst: bool,
}

/// One TCP segment of a capture.
#[derive(Clone)]
pub struct Segment {
    /// Time of capture, since the Unix epoch.
    pub at: Duration,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number, whether or not it counts.
    pub ack: u32,
    /// Control bits.
    pub flags: Flags,
    /// Bytes of payload.
    pub payload_len: u32,
    /// The edges of every SACK block, left and right (RFC 2018).
    pub sack: Vec<(u32, u32)>,
    /// `TSval` and `TSecr` (RFC 7323).
    pub timestamps: Option<(u32, u32)>,
    /// TCP header and payload as they were captured.
    pub bytes: Vec<u8>,
    /// Whether the checksum fits the addresses and the bytes.
    pub checksum_right: bool,
}

impl Segment {
    /// The segment in an Ethernet frame, with or without VLAN tags; `None` for anything but whole TCP over IPv4 or IPv6.
    #[must_use]
    pub fn parse(at: Duration, frame: &[u8]) -> Option<Self> {
        let packet = SlicedPacket::from_ethernet(frame).ok()?;
        let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
            return None;
        };
        let (source, destination, sum) = match packet.net? {
            NetSlice::Ipv4(ip) => {
                let (source, destination) = (ip.header().source(), ip.header().destination());
                (
                    IpAddr::from(source),
                    IpAddr::from(destination),
                    tcp.calc_checksum_ipv4(source, destination),
                )
            }
            NetSlice::Ipv6(ip) => {
                let (source, destination) = (ip.header().source(), ip.header().destination());
                (
                    IpAddr::from(source),
                    IpAddr::from(destination),
                    tcp.calc_checksum_ipv6(source, destination),
                )
            }
            NetSlice::Arp(_) => return None,
        };
        Some(Self {
            at,
            source: SocketAddr::new(source, tcp.source_port()),
            destination: SocketAddr::new(destination, tcp.destination_port()),
            seq: tcp.sequence_number(),
            ack: tcp.acknowledgment_number(),
            flags: Flags {
                syn: tcp.syn(),
                ack: tcp.ack(),
                fin: tcp.fin(),
                rst: tcp.rst(),
            },
            payload_len: u32::try_from(tcp.payload().len()).ok()?,
            sack: sack_blocks(&tcp),
            timestamps: timestamps(&tcp),
            bytes: tcp.slice().to_vec(),
            checksum_right: sum.is_ok_and(|sum| same_sum(sum, tcp.checksum())),
        })
    }

    /// The sequence number that follows this segment, SYN and FIN counted.
    #[must_use]
    pub fn end(&self) -> u32 {
        let length = self.payload_len + u32::from(self.flags.syn) + u32::from(self.flags.fin);
        self.seq.wrapping_add(length)
    }

    /// A SYN that opens, not one that answers.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        self.flags.syn && !self.flags.ack
    }

    /// An acknowledgement with nothing else in it.
    #[must_use]
    pub fn is_bare_ack(&self) -> bool {
        self.flags
            == Flags {
                ack: true,
                ..Flags::default()
            }
            && self.payload_len == 0
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            destination,
            seq,
            ack,
            flags,
            payload_len,
            sack,
            ..
        } = self;
        write!(
            f,
            "{source} > {destination} seq {seq} ack {ack} len {payload_len}"
        )?;
        let set = [
            (flags.syn, "SYN"),
            (flags.ack, "ACK"),
            (flags.fin, "FIN"),
            (flags.rst, "RST"),
        ];
        for (_, name) in set.iter().filter(|(set, _)| *set) {
            write!(f, " {name}")?;
        }
        if !sack.is_empty() {
            write!(f, " SACK {sack:?}")?;
        }
        Ok(())
    }
}

/// How far `later` lies beyond `earlier`, modulo 2^32; negative when it lies before.
#[must_use]
pub fn distance(earlier: u32, later: u32) -> i32 {
    later.wrapping_sub(earlier).cast_signed()
}

fn sack_blocks(tcp: &TcpSlice) -> Vec<(u32, u32)> {
    tcp.options_iterator()
        .filter_map(|option| match option {
            Ok(TcpOptionElement::SelectiveAcknowledgement(first, rest)) => Some((first, rest)),
            _ => None,
        })
        .flat_map(|(first, rest)| std::iter::once(first).chain(rest.into_iter().flatten()))
        .collect()
}

fn timestamps(tcp: &TcpSlice) -> Option<(u32, u32)> {
    tcp.options_iterator().find_map(|option| match option {
        Ok(TcpOptionElement::Timestamp(value, echo)) => Some((value, echo)),
        _ => None,
    })
}

/// In ones' complement both 0x0000 and 0xffff are zero, and a receiver accepts either.
fn same_sum(computed: u16, carried: u16) -> bool {
    computed == carried || (computed == 0 && carried == 0xffff)
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn frame(vlan: Option<u16>, v6: bool, flip: Option<usize>) -> Vec<u8> {
        let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let payload = b"odd";
        let mut frame = Vec::new();
        let v4 = |step: etherparse::PacketBuilderStep<etherparse::Ethernet2Header>| {
            step.ipv4([192, 0, 2, 2], [198, 51, 100, 2], 64)
        };
        let ip = match (vlan, v6) {
            (Some(id), _) => link.single_vlan(id.try_into().expect("a VLAN id")).ipv4(
                [192, 0, 2, 2],
                [198, 51, 100, 2],
                64,
            ),
            (None, true) => link.ipv6([0x20; 16], [0x30; 16], 64),
            (None, false) => v4(link),
        };
        ip.tcp(1000, 80, u32::MAX, 1024)
            .ack(7)
            .write(&mut frame, payload)
            .expect("a frame in memory");
        if let Some(from_end) = flip {
            let at = frame.len() - from_end;
            frame[at] ^= 1;
        }
        frame
    }

    fn parsed(vlan: Option<u16>, v6: bool, flip: Option<usize>) -> Segment {
        Segment::parse(Duration::ZERO, &frame(vlan, v6, flip)).expect("a TCP segment")
    }

    #[test]
    fn right_checksums_are_right() {
        assert!(parsed(None, false, None).checksum_right);
        assert!(parsed(None, true, None).checksum_right);
        assert!(parsed(Some(7), false, None).checksum_right);
    }

    #[test]
    fn one_flipped_bit_is_seen() {
        assert!(!parsed(None, false, Some(1)).checksum_right);
        assert!(!parsed(None, true, Some(3)).checksum_right);
        assert!(!parsed(Some(7), false, Some(2)).checksum_right);
    }

    #[test]
    fn the_end_wraps() {
        assert_eq!(parsed(None, false, None).end(), 2);
        assert_eq!(distance(u32::MAX, 2), 3);
        assert_eq!(distance(2, u32::MAX), -3);
    }
}
