//! Addresses that nobody has, and routes on which they are lost: strangers beyond the peer, and guarded bystanders for whom
//! the host answers.
//!
//! Strangers are of 198.18.0.0/15 (RFC 2544) and `2001:db8:4::/64`. Bystanders are the upper half of the guarded prefix.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{family::Family, namespace::Namespace, server::Server, topology::Lab};

/// A port of the peer and of the bystanders where somebody listens and nobody accepts.
pub const OPEN_PORT: u16 = 9;
/// A port of theirs where nobody listens.
pub const CLOSED_PORT: u16 = 10;
/// How many bystanders are asked or used as sources.
const BYSTANDERS: u64 = 100;
/// How many strangers there are, at least.
const STRANGERS: u64 = 1 << 17;

/// The stranger of a number; they repeat after 2^17.
#[must_use]
pub(super) fn stranger(family: Family, number: u64) -> IpAddr {
    let number = u32::try_from(number % STRANGERS).expect("17 bits");
    match family {
        Family::V4 => Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() | number).into(),
        Family::V6 => {
            let net = Ipv6Addr::new(0x2001, 0xdb8, 4, 0, 0, 0, 0, 0).to_bits();
            Ipv6Addr::from_bits(net | u128::from(number)).into()
        }
    }
}

/// The bystander of a number.
#[must_use]
pub(super) fn bystander(family: Family, number: u64) -> IpAddr {
    let number = u8::try_from(number % BYSTANDERS).expect("less than 100");
    match family {
        Family::V4 => Ipv4Addr::new(192, 0, 2, 130 + number).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0x8000, 0, 0, number.into()).into(),
    }
}

const fn strangers(family: Family) -> &'static str {
    match family {
        Family::V4 => "198.18.0.0/15",
        Family::V6 => "2001:db8:4::/64",
    }
}

const fn bystanders(family: Family) -> &'static str {
    match family {
        Family::V4 => "192.0.2.128/25",
        Family::V6 => "2001:db8:1:0:8000::/65",
    }
}

/// Whoever listens at [`OPEN_PORT`], as long as this lives.
#[derive(Debug)]
pub struct Listeners {
    _peer: Server,
    _bystanders: Server,
}

/// Prepares a laboratory for floods and crowds: what strangers are sent is lost at the peer, bystanders are the host.
pub fn prepare(lab: &Lab, family: Family) -> Result<Listeners> {
    let route = |namespace: &Namespace, words: &[&str]| -> Result<()> {
        let version = if family == Family::V4 { "-4" } else { "-6" };
        let words = [&[version, "route", "add"], words].concat();
        namespace.run("ip", &words).map(drop)
    };
    let node = |net, node| family.address(net, node).to_string();
    let (strangers, bystanders) = (strangers(family), bystanders(family));
    route(&lab.peer, &["blackhole", strangers])?;
    route(&lab.gateway, &[strangers, "via", &node(2, 2)])?;
    route(&lab.gateway, &[bystanders, "via", &node(1, 2)])?;
    route(&lab.host, &[strangers, "via", &node(1, 1)])?;
    route(&lab.host, &["local", bystanders, "dev", "lo"])?;
    // Without the kernel's message about a flood: the bystanders' listener answers every SYN with a cookie.
    lab.host.set_sysctl("net/ipv4/tcp_syncookies", "2")?;
    lab.peer
        .set_sysctl("net/ipv4/tcp_max_tw_buckets", "262144")?;
    let anybody: IpAddr = match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    Ok(Listeners {
        _peer: Server::listen(&lab.peer, family.peer(OPEN_PORT))?,
        _bystanders: Server::listen(&lab.host, SocketAddr::new(anybody, OPEN_PORT))?,
    })
}

/// The link layer address of an interface.
pub fn link_address(namespace: &Namespace, interface: &str) -> Result<[u8; 6]> {
    let shown = namespace.run("ip", &["-j", "link", "show", "dev", interface])?;
    let links: Value = serde_json::from_str(&shown)
        .with_context(|| format!("`ip -j link` printed no JSON: {shown}"))?;
    let octets: Vec<u8> = links[0]["address"]
        .as_str()
        .with_context(|| format!("{interface} has no link layer address: {links}"))?
        .split(':')
        .map(|octet| u8::from_str_radix(octet, 16))
        .collect::<Result<_, _>>()?;
    octets
        .try_into()
        .map_err(|octets| anyhow::anyhow!("{octets:?} is no Ethernet address"))
}
