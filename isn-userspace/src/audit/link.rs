//! Link types of captures (the list of link-layer header types of tcpdump.org): where the network header begins, and which it is.

use isn_common::{
    flow::Vlan,
    headers::ethernet::{self, Ethernet, IPV4, IPV6},
    packet::Packet,
    verdict::PassReason,
};

use super::frame::Octets;

/// What stands before the network header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkType(pub u32);

/// Octets before the protocol in a Linux "cooked" header (version 1), beyond those before an EtherType.
const COOKED_BEYOND_ETHERNET: usize = 2;
/// Octets of a Linux "cooked" header of version 2, which begins with the protocol.
const COOKED_V2: usize = 20;
/// Octets of the address family before a packet of a loopback interface.
const FAMILY: usize = 4;

impl LinkType {
    /// BSD loopback: address family in the order of the machine that captured.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// No header: IPv4 or IPv6.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: address family in network order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked", version 1: captures of all interfaces.
    pub const LINUX_SLL: Self = Self(113);
    /// No header: IPv4.
    pub const IPV4: Self = Self(228);
    /// No header: IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked", version 2.
    pub const LINUX_SLL2: Self = Self(276);

    /// Whether [`Self::read`] knows it.
    #[must_use]
    pub const fn is_known(self) -> bool {
        matches!(
            self,
            Self::NULL
                | Self::ETHERNET
                | Self::RAW
                | Self(12 | 14)
                | Self::LOOP
                | Self::LINUX_SLL
                | Self::IPV4
                | Self::IPV6
                | Self::LINUX_SLL2
        )
    }

    /// Finds the network header. The offset is one into `frame`.
    pub fn read(self, frame: &Octets) -> Result<Ethernet, PassReason> {
        match self {
            Self::ETHERNET => ethernet::read(frame),
            Self::LINUX_SLL => {
                // From there on it looks like Ethernet: the protocol is an EtherType, and tags may follow.
                let shorter = frame.from(COOKED_BEYOND_ETHERNET)?;
                let link = ethernet::read(&shorter)?;
                let payload_at = link.payload_at + COOKED_BEYOND_ETHERNET;
                Ok(Ethernet { payload_at, ..link })
            }
            Self::LINUX_SLL2 => {
                let ether_type = frame.load(0).ok_or(PassReason::Truncated)?;
                Ok(untagged(u16::from_be_bytes(ether_type), COOKED_V2))
            }
            Self::NULL | Self::LOOP => by_version(frame, FAMILY),
            _ => by_version(frame, 0),
        }
    }
}

const fn untagged(ether_type: u16, payload_at: usize) -> Ethernet {
    Ethernet {
        ether_type,
        payload_at,
        vlan: Vlan::UNTAGGED,
    }
}

/// Whoever wrote the family may have had other numbers for it; the packet itself says what it is.
fn by_version(frame: &Octets, at: usize) -> Result<Ethernet, PassReason> {
    let [first] = frame.load(at).ok_or(PassReason::Truncated)?;
    match first >> 4 {
        4 => Ok(untagged(IPV4, at)),
        6 => Ok(untagged(IPV6, at)),
        _ => Err(PassReason::NotIp),
    }
}

impl std::fmt::Display for LinkType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.0 {
            0 => "BSD loopback",
            1 => "Ethernet",
            6 => "Token Ring",
            9 | 50 => "PPP",
            10 => "FDDI",
            12 | 14 | 101 => "raw IP",
            51 => "PPPoE",
            104 => "Cisco HDLC",
            105 => "IEEE 802.11",
            107 => "Frame Relay",
            108 => "OpenBSD loopback",
            113 => "Linux cooked",
            119 | 127 | 163 | 192 => "IEEE 802.11 with radio information",
            147..=162 => "private use",
            187 | 201 | 251 | 254..=256 => "Bluetooth",
            189 | 220 | 249 | 266 => "USB",
            190 | 227 => "CAN",
            195 | 215 | 230 | 283 => "IEEE 802.15.4",
            228 => "raw IPv4",
            229 => "raw IPv6",
            239 => "netfilter log",
            253 => "netlink",
            258 => "Apple PKTAP",
            276 => "Linux cooked, version 2",
            _ => return write!(f, "link type {}", self.0),
        };
        write!(f, "link type {} ({name})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_type_finds_the_network_header_and_says_its_name() {
        let ethernet = |tail: &[u8]| [&[0; 12][..], tail].concat();
        let cases: [(u32, Vec<u8>, u16, usize); 9] = [
            (1, ethernet(&[8, 0, 0x45]), IPV4, 14),
            (1, ethernet(&[0x81, 0, 0, 7, 0x86, 0xdd]), IPV6, 18),
            (
                113,
                [&[0; 14][..], &[0x81, 0, 0, 7, 8, 0]].concat(),
                IPV4,
                20,
            ),
            (113, [&[0; 14][..], &[0x86, 0xdd]].concat(), IPV6, 16),
            (276, [&[0x86, 0xdd][..], &[0; 18]].concat(), IPV6, 20),
            (0, vec![2, 0, 0, 0, 0x45], IPV4, 4),
            (108, vec![0, 0, 0, 30, 0x60], IPV6, 4),
            (101, vec![0x60], IPV6, 0),
            (228, vec![0x45], IPV4, 0),
        ];
        for (link, octets, ether_type, payload_at) in cases {
            let link = LinkType(link);
            assert!(
                link.is_known() && link.to_string().contains('('),
                "{link:?}"
            );
            let read = link.read(&Octets::whole(&octets)).unwrap();
            assert_eq!(
                (read.ether_type, read.payload_at),
                (ether_type, payload_at),
                "{link}"
            );
            assert!(
                link.read(&Octets::whole(&[])).is_err(),
                "{link} of no octets"
            );
        }
    }

    #[test]
    fn others_are_not_known_and_have_their_number_said() {
        assert!(!LinkType(105).is_known());
        assert_eq!(LinkType(105).to_string(), "link type 105 (IEEE 802.11)");
        assert_eq!(LinkType(999).to_string(), "link type 999");
    }
}
