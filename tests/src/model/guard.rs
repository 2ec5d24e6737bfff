//! Who is guarded, and how: prefixes with rules for service ports.

use std::net::IpAddr;

/// How SYNs of a guarded host are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is changed (S4).
    Observe,
    /// A SYN that would regress is moved ahead (S2).
    Monotonic,
}

/// A range of service ports and what applies to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// First port.
    pub first_port: u16,
    /// Last port.
    pub last_port: u16,
    /// What applies.
    pub mode: Mode,
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// An IPv4 address and how many of its bits count.
    V4([u8; 4], u32),
    /// An IPv6 address and how many of its bits count.
    V6([u8; 16], u32),
}

/// What applies to the hosts of a prefix: the first rule that covers the service port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The hosts; where several prefixes hold an address, the longest decides alone.
    pub prefix: Prefix,
    /// Rules in order.
    pub rules: Vec<Rule>,
}

/// What applies to `host` for this service port, or `None` if it is not guarded.
#[must_use]
pub fn mode_for(guards: &[Guard], host: IpAddr, service_port: u16) -> Option<Mode> {
    let guard = guards
        .iter()
        .filter(|guard| guard.prefix.holds(host))
        .max_by_key(|guard| guard.prefix.length())?;
    guard
        .rules
        .iter()
        .find(|rule| (rule.first_port..=rule.last_port).contains(&service_port))
        .map(|rule| rule.mode)
}

/// Whether no endpoint can have this address.
#[must_use]
pub fn is_odd(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(address.octets()[0], 0 | 127 | 224..),
        IpAddr::V6(address) => {
            address.is_unspecified() || address.is_loopback() || address.octets()[0] == 0xff
        }
    }
}

impl Prefix {
    const fn length(&self) -> u32 {
        match self {
            Self::V4(_, length) | Self::V6(_, length) => *length,
        }
    }

    fn holds(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4(prefix, length), IpAddr::V4(address)) => {
                let differ = u32::from_be_bytes(*prefix) ^ u32::from(address);
                differ.leading_zeros() >= *length
            }
            (Self::V6(prefix, length), IpAddr::V6(address)) => {
                let differ = u128::from_be_bytes(*prefix) ^ u128::from(address);
                differ.leading_zeros() >= *length
            }
            _ => false,
        }
    }
}
