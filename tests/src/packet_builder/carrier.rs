//! What carries a segment: Ethernet with tags, and IPv4 or IPv6 (IEEE 802.1Q, RFC 791, RFC 8200).

use isn_common::flow::{Key4, Key6, Vlan};

use super::extension::Extension;

/// TPID of an 802.1Q tag.
pub const DOT1Q: u16 = 0x8100;
/// TPID of an 802.1ad tag.
pub const DOT1AD: u16 = 0x88a8;

/// How a flow's packets are framed, with its addresses and ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// For reports.
    pub name: &'static str,
    /// TPID and TCI of each tag, outermost first.
    pub tags: Vec<(u16, u16)>,
    /// A tag that the device has taken out of the frame. Frames in the kernel's test runs cannot say that.
    pub stripped: Option<u16>,
    /// Network layer.
    pub network: Network,
    /// The host's port.
    pub host_port: u16,
    /// The peer's port.
    pub peer_port: u16,
    /// Octets behind the datagram that belong to Ethernet alone.
    pub trailer: Vec<u8>,
}

/// The network layer of a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// IPv4.
    V4 {
        /// The host's address.
        host: [u8; 4],
        /// The peer's address.
        peer: [u8; 4],
        /// Options, a multiple of 4 octets.
        options: Vec<u8>,
        /// The two octets of flags and fragment offset.
        fragment: u16,
    },
    /// IPv6.
    V6 {
        /// The host's address.
        host: [u8; 16],
        /// The peer's address.
        peer: [u8; 16],
        /// Extension headers in order.
        extensions: Vec<Extension>,
    },
}

/// Of 192.0.2.0/24, which the tests guard.
pub const HOST4: [u8; 4] = [192, 0, 2, 10];
/// A peer.
pub const PEER4: [u8; 4] = [198, 51, 100, 20];
/// Of `2001:db8:1::/48`, which the tests guard.
pub const HOST6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10];
/// A peer.
pub const PEER6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20];

impl Carrier {
    /// IPv4 in untagged Ethernet.
    #[must_use]
    pub const fn v4() -> Self {
        Self::over(
            "IPv4",
            Network::V4 {
                host: HOST4,
                peer: PEER4,
                options: Vec::new(),
                fragment: 0x4000,
            },
        )
    }

    /// IPv6 in untagged Ethernet.
    #[must_use]
    pub const fn v6() -> Self {
        Self::over(
            "IPv6",
            Network::V6 {
                host: HOST6,
                peer: PEER6,
                extensions: Vec::new(),
            },
        )
    }

    const fn over(name: &'static str, network: Network) -> Self {
        Self {
            name,
            tags: Vec::new(),
            stripped: None,
            network,
            host_port: 1025,
            peer_port: 80,
            trailer: Vec::new(),
        }
    }

    /// Under another name in reports.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// With a further tag inside those so far.
    #[must_use]
    pub fn tagged(mut self, tpid: u16, tci: u16) -> Self {
        self.tags.push((tpid, tci));
        self
    }

    /// With another port of the host.
    #[must_use]
    pub const fn from_port(mut self, port: u16) -> Self {
        self.host_port = port;
        self
    }

    /// With another port of the peer.
    #[must_use]
    pub const fn to_port(mut self, port: u16) -> Self {
        self.peer_port = port;
        self
    }

    /// With these IPv4 options.
    ///
    /// # Panics
    ///
    /// Over IPv6.
    #[must_use]
    pub fn ip_options(mut self, octets: &[u8]) -> Self {
        let Network::V4 { options, .. } = &mut self.network else {
            panic!("IPv6 has no options")
        };
        *options = octets.to_vec();
        self
    }

    /// With these octets of flags and fragment offset.
    ///
    /// # Panics
    ///
    /// Over IPv6.
    #[must_use]
    pub fn fragment(mut self, octets: u16) -> Self {
        let Network::V4 { fragment, .. } = &mut self.network else {
            panic!("IPv6 has a header for that")
        };
        *fragment = octets;
        self
    }

    /// With a further extension header.
    ///
    /// # Panics
    ///
    /// Over IPv4.
    #[must_use]
    pub fn extension(mut self, extension: Extension) -> Self {
        let Network::V6 { extensions, .. } = &mut self.network else {
            panic!("IPv4 has no extensions")
        };
        extensions.push(extension);
        self
    }

    /// Padded like the shortest Ethernet frames, with octets that are not 0.
    #[must_use]
    pub fn trailer(mut self, octets: &[u8]) -> Self {
        self.trailer = octets.to_vec();
        self
    }

    /// The VLAN as a flow key has it: at most two tags, and priority tags count as none.
    #[must_use]
    pub fn vlan(&self) -> Vlan {
        let tags = self
            .stripped
            .into_iter()
            .chain(self.tags.iter().map(|tag| tag.1));
        tags.fold(Vlan::UNTAGGED, Vlan::tagged)
    }

    /// The flow's key, if this is IPv4.
    #[must_use]
    pub fn key4(&self) -> Option<Key4> {
        let Network::V4 { host, peer, .. } = self.network else {
            return None;
        };
        let (host_port, peer_port) = (self.host_port.to_be_bytes(), self.peer_port.to_be_bytes());
        Some(Key4 {
            host,
            peer,
            host_port,
            peer_port,
            vlan: self.vlan().0,
        })
    }

    /// The flow's key, if this is IPv6.
    #[must_use]
    pub fn key6(&self) -> Option<Key6> {
        let Network::V6 { host, peer, .. } = self.network else {
            return None;
        };
        let (host_port, peer_port) = (self.host_port.to_be_bytes(), self.peer_port.to_be_bytes());
        Some(Key6 {
            host,
            peer,
            host_port,
            peer_port,
            vlan: self.vlan().0,
        })
    }

    /// Offset of the network header.
    #[must_use]
    pub const fn network_at(&self) -> usize {
        14 + 4 * self.tags.len()
    }

    /// Offset of the TCP header.
    #[must_use]
    pub fn tcp_at(&self) -> usize {
        self.network_at()
            + match &self.network {
                Network::V4 { options, .. } => 20 + options.len(),
                Network::V6 { extensions, .. } => {
                    40 + extensions
                        .iter()
                        .map(|extension| extension.octets.len())
                        .sum::<usize>()
                }
            }
    }
}
