//! Who is guarded, and how: prefixes with rules for service ports.

use std::net::IpAddr;

use super::flow::Key;

/// How SYNs of a guarded host are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is changed (S4).
    Observe,
    /// A SYN that would regress is moved ahead (S2).
    Monotonic,
    /// Every SYN is moved by a function of the 4-tuple, and ahead if it would regress so (S3).
    Keyed,
}

/// A range of service ports and what applies to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// First port.
    pub first_port: u16,
    /// Last port.
    pub last_port: u16,
    /// What applies; `None` takes the ports out.
    pub mode: Option<Mode>,
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

/// What the first rule says that covers one of these ports of `host`, or `None` if it is not guarded, or taken out.
#[must_use]
pub fn mode_for(guards: &[Guard], host: IpAddr, ports: &[u16]) -> Option<Mode> {
    let guard = guards
        .iter()
        .filter(|guard| guard.prefix.holds(host))
        .max_by_key(|guard| guard.prefix.length())?;
    let covers = |rule: &&Rule| {
        let range = rule.first_port..=rule.last_port;
        ports.iter().any(|port| range.contains(port))
    };
    guard.rules.iter().find(covers)?.mode
}

/// Whether a flow is keyed: a segment in mid-flow does not tell which of the two ports is the service's.
#[must_use]
pub fn is_keyed(guards: &[Guard], key: &Key) -> bool {
    let either = [key.host_port, key.peer_port];
    mode_for(guards, key.host, &either) == Some(Mode::Keyed)
}

/// What applies to a SYN of this flow that opens to `service_port`.
#[must_use]
pub fn mode_of_syn(guards: &[Guard], key: &Key, service_port: u16) -> Option<Mode> {
    let either = mode_for(guards, key.host, &[key.host_port, key.peer_port]);
    let service = mode_for(guards, key.host, &[service_port]);
    match (either, service) {
        (Some(Mode::Keyed), _) => Some(Mode::Keyed),
        (either, Some(Mode::Keyed)) => either,
        (_, service) => service,
    }
}

/// Whether these two cannot be the ends of a connection.
#[must_use]
pub fn are_odd(key: &Key) -> bool {
    is_odd(key.host) || is_odd(key.peer) || key.host == key.peer
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
