//! One packet of a capture, and the TCP segment in it. The parsers are the data plane's own, so that what the audit takes for a
//! segment is what isnguard would take for one; only a packet that the capture has cut is good as long as its TCP header is there.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use isn_common::{
    flow::{Direction, End, FlowKey},
    headers::ethernet::{Ethernet, IPV4, IPV6},
    packet::Packet,
    segment::Family,
    tcp::{flags::Flags, seq::Seq},
    verdict::PassReason,
};

use super::link::LinkType;

/// What an IP length field can say: no packet counts as cut short on the wire, since the capture may have cut it without a note.
const LONGEST: usize = 0xffff;
/// Octets of an IPv6 header, which its length field leaves out.
const IPV6_HEADER: usize = 40;

/// A packet as the capture holds it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Since the Unix epoch.
    pub at: Duration,
    /// What it begins with.
    pub link: LinkType,
    /// Its octets, as far as they were captured.
    pub octets: &'a [u8],
    /// How many there were on the wire.
    pub length: u32,
}

/// The octets of a frame for the data plane's parsers.
#[derive(Clone, Copy)]
pub struct Octets<'a> {
    octets: &'a [u8],
    length: u32,
}

impl Octets<'_> {
    #[cfg(test)]
    pub fn whole(octets: &[u8]) -> Octets<'_> {
        Octets {
            octets,
            length: u32::try_from(octets.len()).unwrap(),
        }
    }

    /// Without the first `octets`.
    pub fn from(&self, octets: usize) -> Result<Self, PassReason> {
        Ok(Self {
            octets: self.octets.get(octets..).ok_or(PassReason::Truncated)?,
            length: self
                .length
                .saturating_sub(u32::try_from(octets).unwrap_or(u32::MAX)),
        })
    }

    /// The same, at least as long as the longest packet behind `link`.
    fn uncut(self, link: Ethernet) -> Self {
        let header = if link.ether_type == IPV6 {
            IPV6_HEADER
        } else {
            0
        };
        let longest = u32::try_from(link.payload_at + header + LONGEST).unwrap_or(u32::MAX);
        Self {
            length: self.length.max(longest),
            ..self
        }
    }
}

impl Packet for Octets<'_> {
    fn length(&self) -> u32 {
        self.length
    }

    fn load<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.octets.get(at..)?.first_chunk().copied()
    }

    fn store<const N: usize>(&mut self, _: usize, _: [u8; N]) -> Option<()> {
        None
    }
}

/// A TCP segment that somebody sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// When.
    pub at: Duration,
    /// Who.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// Its first sequence number.
    pub sequence: Seq,
    /// The number behind its last: data, SYN and FIN counted.
    pub end: Seq,
    /// What it acknowledges.
    pub acknowledgment: Option<Seq>,
    /// Control bits.
    pub flags: Flags,
}

impl Frame<'_> {
    /// The segment in it, or why there is none.
    pub fn segment(&self) -> Result<Spoken, PassReason> {
        let octets = Octets {
            octets: self.octets,
            length: self.length,
        };
        let link = self.link.read(&octets)?;
        match link.ether_type {
            IPV4 => self.spoken::<[u8; 4]>(octets, link),
            IPV6 => self.spoken::<[u8; 16]>(octets, link),
            _ => Err(PassReason::NotIp),
        }
    }

    fn spoken<A: Family + Into<IpAddr>>(
        &self,
        octets: Octets,
        link: Ethernet,
    ) -> Result<Spoken, PassReason> {
        let (key, segment) = A::locate(&octets.uncut(link), link, Direction::Outbound)?;
        if !segment.is_whole {
            return Err(PassReason::ShortFragment);
        }
        let end = |end: End<A>| SocketAddr::new(end.address.into(), u16::from_be_bytes(end.port));
        let spoken = Spoken {
            at: self.at,
            from: end(key.host()),
            to: end(key.peer()),
            sequence: segment.sequence,
            end: segment.sequence.advanced(segment.sequence_length()),
            acknowledgment: segment.flags.ack().then_some(segment.acknowledgment),
            flags: segment.flags,
        };
        // Neither side could be told from the other.
        if spoken.from == spoken.to {
            return Err(PassReason::OddAddress);
        }
        Ok(spoken)
    }
}
