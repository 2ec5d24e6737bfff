//! Where metrics are served: loopback, unless an address is given.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

/// An address and a port to listen on. A port alone means loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsAddress(pub SocketAddr);

impl MetricsAddress {
    /// Whether others than this machine can reach it.
    #[must_use]
    pub fn is_open(self) -> bool {
        !self.0.ip().to_canonical().is_loopback()
    }
}

impl FromStr for MetricsAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let on_loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let parsed = match text.parse::<u16>() {
            Ok(port) => Ok(on_loopback(port)),
            Err(_) => text.parse::<SocketAddr>(),
        };
        parsed.map(Self).map_err(|_| {
            "neither a port (9464, on loopback) nor an address with a port (127.0.0.1:9464, [::1]:9464); names are not looked up"
                .into()
        })
    }
}

impl fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> MetricsAddress {
        text.parse().unwrap()
    }

    #[test]
    fn a_port_alone_is_on_loopback() {
        assert_eq!(parsed("9464").to_string(), "127.0.0.1:9464");
        assert!(!parsed("9464").is_open());
    }

    #[test]
    fn what_is_not_loopback_is_told_apart() {
        for closed in ["127.0.0.2:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(!parsed(closed).is_open(), "{closed}");
        }
        for open in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[2001:db8::1]:1"] {
            assert!(parsed(open).is_open(), "{open}");
        }
    }

    #[test]
    fn names_and_halves_are_refused() {
        for wrong in [
            "",
            "localhost:9464",
            "127.0.0.1",
            "::1",
            "65536",
            ":9464",
            "[::1]",
        ] {
            assert!(wrong.parse::<MetricsAddress>().is_err(), "{wrong:?}");
        }
    }
}
