//! From the first octet of a frame to what its datagram carries (IEEE 802.1Q, RFC 791, RFC 8200).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::judgement::Reasons;

/// VLAN identifiers, outermost first.
pub type Vlans = [Option<u16>; 2];

/// IANA numbers of what is carried.
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// Authentication Header.
    pub const AUTHENTICATION: u8 = 51;
    /// `ICMPv6`.
    pub const ICMP6: u8 = 58;
}

/// Which part of a datagram a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// A first fragment.
    First,
    /// A later fragment.
    Later,
}

/// A packet up to what it carries.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Source and destination.
    pub ends: (IpAddr, IpAddr),
    /// Tags, a stripped one included.
    pub vlans: Vlans,
    /// IANA number of what is carried.
    pub protocol: u8,
    /// Which part of it.
    pub part: Part,
    /// Where in the frame it begins.
    pub from: usize,
    /// Where in the frame the packet ends.
    pub to: usize,
}

const SHORT: Reasons = &["pass_truncated", "pass_bad_header"];
const CONTRADICTION: Reasons = &["pass_bad_header"];
const TOO_LONG_A_CHAIN: Reasons = &["pass_extension_headers"];
const CHAIN_ENDS: Reasons = &["pass_bad_header", "pass_truncated", "pass_short_fragment"];
const MOST_EXTENSIONS: usize = 6;

/// Reads a frame; the reasons why it passes if it is no packet that can be looked into.
pub fn read(frame: &[u8], stripped: Option<u16>) -> Result<Packet, Reasons> {
    let mut vlans = [None; 2];
    if let Some(tag) = stripped {
        enter(&mut vlans, tag);
    }
    let mut at = 12;
    let mut tags = usize::from(stripped.is_some());
    loop {
        let ethertype = word(frame, at).ok_or(SHORT)?;
        match ethertype {
            0x8100 | 0x88a8 | 0x9100 if tags == 2 => return Err(&["pass_vlan_depth"]),
            0x8100 | 0x88a8 | 0x9100 => {
                enter(&mut vlans, word(frame, at + 2).ok_or(SHORT)?);
                tags += 1;
                at += 4;
            }
            0x0800 => return ipv4(frame, at + 2, vlans),
            0x86dd => return ipv6(frame, at + 2, vlans),
            _ => return Err(&["pass_not_ip"]),
        }
    }
}

/// Adds a tag's VLAN; identifier 0 names none (IEEE 802.1Q, priority tags).
fn enter(vlans: &mut Vlans, tag: u16) {
    let identifier = Some(tag & 0x0fff).filter(|identifier| *identifier != 0);
    if let Some(free) = vlans.iter_mut().find(|vlan| vlan.is_none()) {
        *free = identifier;
    }
}

/// Two octets as a number.
#[must_use]
pub fn word(octets: &[u8], at: usize) -> Option<u16> {
    let pair = octets.get(at..at + 2)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

fn ipv4(frame: &[u8], at: usize, vlans: Vlans) -> Result<Packet, Reasons> {
    let datagram = &frame[at..];
    let header = Ipv4::read(datagram)?;
    let total = usize::from(word(datagram, 2).ok_or(SHORT)?);
    if total < header.length {
        return Err(CONTRADICTION);
    }
    if total > datagram.len() {
        return Err(SHORT);
    }
    Ok(Packet {
        ends: header.ends,
        vlans,
        protocol: header.protocol,
        part: header.part,
        from: at + header.length,
        to: at + total,
    })
}

fn ipv6(frame: &[u8], at: usize, vlans: Vlans) -> Result<Packet, Reasons> {
    let datagram = &frame[at..];
    let ends = ipv6_ends(datagram)?;
    let total = 40 + usize::from(word(datagram, 4).ok_or(SHORT)?);
    let datagram = datagram.get(..total).ok_or(SHORT)?;
    let chain = Chain::walk(datagram)?;
    Ok(Packet {
        ends,
        vlans,
        protocol: chain.protocol,
        part: chain.part,
        from: at + chain.length,
        to: at + total,
    })
}

/// The header of an IPv4 datagram, whose total length is not looked at.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4 {
    /// Source and destination.
    pub ends: (IpAddr, IpAddr),
    /// IANA number of what is carried.
    pub protocol: u8,
    /// Which part of it.
    pub part: Part,
    /// Octets of the header, options included.
    pub length: usize,
}

impl Ipv4 {
    /// Reads the header at the beginning of `datagram`.
    pub fn read(datagram: &[u8]) -> Result<Self, Reasons> {
        let fixed: &[u8; 20] = datagram.first_chunk().ok_or(SHORT)?;
        let length = usize::from(fixed[0] & 0x0f) * 4;
        if fixed[0] >> 4 != 4 || length < 20 {
            return Err(CONTRADICTION);
        }
        if length > datagram.len() {
            return Err(SHORT);
        }
        let fragment = u16::from_be_bytes([fixed[6], fixed[7]]);
        let address =
            |at: usize| Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]);
        Ok(Self {
            ends: (address(12).into(), address(16).into()),
            protocol: fixed[9],
            part: part(fragment & 0x1fff, fragment & 0x2000 != 0),
            length,
        })
    }
}

const fn part(offset: u16, more: bool) -> Part {
    match (offset, more) {
        (0, false) => Part::Whole,
        (0, true) => Part::First,
        _ => Part::Later,
    }
}

/// Source and destination of an IPv6 datagram.
pub fn ipv6_ends(datagram: &[u8]) -> Result<(IpAddr, IpAddr), Reasons> {
    let fixed: &[u8; 40] = datagram.first_chunk().ok_or(SHORT)?;
    if fixed[0] >> 4 != 6 {
        return Err(CONTRADICTION);
    }
    let address = |at: usize| {
        let octets: [u8; 16] = fixed[at..at + 16].try_into().expect("sixteen octets");
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    Ok((address(8), address(24)))
}

/// What follows the extension headers of an IPv6 datagram.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// IANA number of what is carried.
    pub protocol: u8,
    /// Which part of it.
    pub part: Part,
    /// Octets before it, the fixed header included.
    pub length: usize,
}

impl Chain {
    /// Steps over the extension headers of a datagram that has its fixed header.
    pub fn walk(datagram: &[u8]) -> Result<Self, Reasons> {
        let mut chain = Self {
            protocol: datagram[6],
            part: Part::Whole,
            length: 40,
        };
        let mut headers = 0;
        while matches!(chain.protocol, 0 | 43 | 44 | 60) && chain.part != Part::Later {
            if headers == MOST_EXTENSIONS {
                return Err(TOO_LONG_A_CHAIN);
            }
            headers += 1;
            chain = chain.step(datagram).ok_or(CHAIN_ENDS)?;
        }
        Ok(chain)
    }

    fn step(self, datagram: &[u8]) -> Option<Self> {
        let header: &[u8; 8] = datagram.get(self.length..)?.first_chunk()?;
        let mut next = Self {
            protocol: header[0],
            ..self
        };
        if self.protocol == 44 {
            let fragment = u16::from_be_bytes([header[2], header[3]]);
            next.length += 8;
            match part(fragment >> 3, fragment & 1 != 0) {
                Part::Whole => {}
                other => next.part = other,
            }
        } else {
            next.length += (usize::from(header[1]) + 1) * 8;
        }
        (next.length <= datagram.len()).then_some(next)
    }
}
