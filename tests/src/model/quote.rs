//! ICMP errors and the segments they quote (S12; RFC 792, RFC 4443, RFC 4884).

use std::net::IpAddr;

use super::{
    Direction,
    checksum::carried_over,
    flow::{Key, Translation},
    judgement::Reasons,
    network::{Chain, Ipv4, Packet, Part, ipv6_ends, protocol, word},
    options::number,
    segment::Flags,
    translation::{acknowledgments, move_number, move_stamps, with_checksum},
};

/// Octets before the quote.
const HEADER: usize = 8;
/// Fewest octets of TCP that a quote must show.
const FEWEST: usize = 8;
const PASS: Reasons = &["pass_icmp"];

/// An error and the segment it quotes.
#[derive(Clone, Copy, Debug)]
pub struct Quote {
    /// The flow of the quoted segment.
    pub key: Key,
    /// Which way the error goes; the quoted segment went the other.
    pub direction: Direction,
    /// Where in the frame the error begins.
    pub icmp_at: usize,
    /// Where in the frame the quoted segment begins.
    pub tcp_at: usize,
    /// Where in the frame the quote ends.
    pub end: usize,
}

impl Quote {
    /// Reads an ICMP message; the reasons why it passes if it quotes no segment.
    pub fn read(frame: &[u8], packet: &Packet, direction: Direction) -> Result<Self, Reasons> {
        if packet.part != Part::Whole {
            return Err(&["pass_icmp_fragment", "pass_icmp"]);
        }
        let message = &frame[packet.from..packet.to];
        let header: [u8; HEADER] = *message
            .first_chunk()
            .ok_or(&["pass_icmp", "pass_bad_header", "pass_truncated"][..])?;
        let v4 = packet.protocol == protocol::ICMP;
        let said = said_length(header, v4).ok_or(PASS)?;
        let end = packet.to.min(packet.from + HEADER + said);
        let quoted_at = packet.from + HEADER;
        let quoted = Quoted::read(&frame[quoted_at..end], v4).ok_or(PASS)?;
        let tcp_at = quoted_at + quoted.length;
        if end < tcp_at + FEWEST {
            return Err(PASS);
        }
        let port = |at| word(frame, at).ok_or(PASS);
        let ports = (port(tcp_at)?, port(tcp_at + 2)?);
        Ok(Self {
            key: Key::oriented(packet, quoted.ends, ports, direction.opposite()),
            direction,
            icmp_at: packet.from,
            tcp_at,
            end,
        })
    }

    /// Puts the quoted numbers back to what their sender knows; whether there was any.
    #[must_use]
    pub fn put_back(&self, frame: &mut [u8], translation: Translation) -> bool {
        let before = frame[self.icmp_at..self.end].to_vec();
        let quoted = &mut frame[self.tcp_at..self.end];
        let any = match self.direction {
            Direction::Inbound => of_host(quoted, translation),
            Direction::Outbound => of_peer(quoted, translation),
        };
        let stored = u16::from_be_bytes([before[2], before[3]]);
        let sum = carried_over(stored, &before, &frame[self.icmp_at..self.end]);
        frame[self.icmp_at + 2..self.icmp_at + 4].copy_from_slice(&sum.to_be_bytes());
        any
    }
}

/// How many octets the quote has by RFC 4884; `None` if the message is no error.
fn said_length(header: [u8; HEADER], v4: bool) -> Option<usize> {
    let said = match (v4, header[0]) {
        (true, 3 | 11 | 12) => usize::from(header[5]) * 4,
        (false, 1 | 3) => usize::from(header[4]) * 8,
        (true, 4 | 5) | (false, 2 | 4) => 0,
        _ => return None,
    };
    Some(if said == 0 { usize::MAX / 2 } else { said })
}

struct Quoted {
    ends: (IpAddr, IpAddr),
    length: usize,
}

impl Quoted {
    /// The headers of a quoted datagram that carries TCP from the first octet on.
    fn read(quote: &[u8], v4: bool) -> Option<Self> {
        let (ends, protocol, part, length) = if v4 {
            let header = Ipv4::read(quote).ok()?;
            (header.ends, header.protocol, header.part, header.length)
        } else {
            let ends = ipv6_ends(quote).ok()?;
            let chain = Chain::walk(quote).ok()?;
            (ends, chain.protocol, chain.part, chain.length)
        };
        let shows = protocol == protocol::TCP && part != Part::Later;
        shows.then_some(Self { ends, length })
    }
}

/// A quoted segment of the host: its number and `TSval`.
fn of_host(quoted: &mut [u8], translation: Translation) -> bool {
    let flags = flags_of(quoted);
    if flags.is_some_and(|flags| flags.rst() && flags.ack()) && number(quoted, 4) == 0 {
        return false;
    }
    with_checksum(quoted, |quoted| {
        move_number(quoted, 4, translation.sequence.wrapping_neg());
        let stamps = move_stamps(quoted, translation.stamp.wrapping_neg(), 2, false);
        translation.sequence != 0 || stamps
    })
}

/// A quoted segment of the peer: its acknowledgment, SACK edges and `TSecr`.
fn of_peer(quoted: &mut [u8], translation: Translation) -> bool {
    let Some(flags) = flags_of(quoted) else {
        return false;
    };
    if !flags.ack() || (flags.rst() && number(quoted, 8) == 0) {
        return false;
    }
    with_checksum(quoted, |quoted| {
        acknowledgments(quoted, flags, translation, |by| by).any
    })
}

fn flags_of(quoted: &[u8]) -> Option<Flags> {
    quoted.get(13).map(|flags| Flags(*flags))
}
