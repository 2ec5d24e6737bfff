//! The two IP versions and the laboratory's addresses of each, all from the prefixes for documentation (RFC 5737, RFC 3849).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An IP version, with the laboratory's addresses of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4: 192.0.2.0/24 inside, 198.51.100.0/24 outside, 203.0.113.0/24 besides.
    V4,
    /// IPv6: `2001:db8:1::/64` inside, `2001:db8:2::/64` outside, `2001:db8:3::/64` besides.
    V6,
}

impl Family {
    /// Both versions.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The host's address with a port.
    #[must_use]
    pub fn host(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address(1, 2), port)
    }

    /// The peer's address with a port.
    #[must_use]
    pub fn peer(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address(2, 2), port)
    }

    /// The prefix of the protected hosts, as `--protect` takes it.
    #[must_use]
    pub fn protected(self) -> &'static str {
        match self {
            Self::V4 => "192.0.2.0/24",
            Self::V6 => "2001:db8:1::/64",
        }
    }

    /// The prefix beyond the gateway.
    #[must_use]
    pub fn outside(self) -> &'static str {
        match self {
            Self::V4 => "198.51.100.0/24",
            Self::V6 => "2001:db8:2::/64",
        }
    }

    /// Bits of either prefix.
    #[must_use]
    pub fn bits(self) -> u8 {
        match self {
            Self::V4 => 24,
            Self::V6 => 64,
        }
    }

    /// A node's address: net 1 is inside, net 2 outside, net 3 is whatever else a layout has; node 1 is the gateway, node 2 the end.
    #[must_use]
    pub fn address(self, net: u8, node: u8) -> IpAddr {
        match (self, net) {
            (Self::V4, 1) => Ipv4Addr::new(192, 0, 2, node).into(),
            (Self::V4, 2) => Ipv4Addr::new(198, 51, 100, node).into(),
            (Self::V4, _) => Ipv4Addr::new(203, 0, 113, node).into(),
            (Self::V6, _) => {
                Ipv6Addr::new(0x2001, 0xdb8, net.into(), 0, 0, 0, 0, node.into()).into()
            }
        }
    }
}
