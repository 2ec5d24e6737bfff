//! SYNs from addresses that nobody has, in bursts.

use std::{
    net::{IpAddr, SocketAddr},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    family::Family,
    namespace::Namespace,
    packet_builder::{Carrier, Network, host_syn, peer_syn},
    topology::Lab,
};

/// Ethernet's header, which the kernel makes.
const LINK_OCTETS: usize = 14;
/// As many as the queues of the laboratory's interfaces hold easily.
const BURST: u32 = 32;
const PAUSE: Duration = Duration::from_millis(1);
/// Nobody listens there.
const CLOSED_PORT: u16 = 1;

/// Who floods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Hosts that are guarded.
    Hosts,
    /// Peers.
    Peers,
}

/// The prefix of the addresses that a side's floods come from: within its net, beside those in use.
const fn prefix(side: Side, family: Family) -> &'static str {
    match (side, family) {
        (Side::Hosts, Family::V4) => "192.0.2.128/25",
        (Side::Hosts, Family::V6) => "2001:db8:1::f:0:0/96",
        (Side::Peers, Family::V4) => "198.51.100.128/25",
        (Side::Peers, Family::V6) => "2001:db8:2::f:0:0/96",
    }
}

/// Answers to the floods go nowhere.
pub fn swallow_answers(lab: &Lab) -> Result<()> {
    for family in Family::ALL {
        lab.peer.run(
            "ip",
            &["route", "add", "blackhole", prefix(Side::Hosts, family)],
        )?;
        lab.host.run(
            "ip",
            &["route", "add", "blackhole", prefix(Side::Peers, family)],
        )?;
    }
    Ok(())
}

/// Sends `count` SYNs of a side.
pub fn flood(
    lab: &Lab,
    side: Side,
    family: Family,
    count: u32,
    random: &mut fastrand::Rng,
) -> Result<()> {
    let (from, to) = match side {
        Side::Hosts => (&lab.host, family.peer(0)),
        Side::Peers => (&lab.peer, family.host(0)),
    };
    let socket = raw(from, family)?;
    for number in 0..count {
        let frame = frame(side, family, random);
        let to = SocketAddr::new(to.ip(), 0);
        match socket.send_to(&frame[LINK_OCTETS..], &to.into()) {
            Ok(_) => {}
            // The interface is down or its queue is full: then this one does not arrive.
            Err(error) if is_lost(&error) => {}
            Err(error) => return Err(error).with_context(|| format!("flooding {to}")),
        }
        if number % BURST == 0 {
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}

fn is_lost(error: &std::io::Error) -> bool {
    let codes = [
        libc::ENOBUFS,
        libc::ENETUNREACH,
        libc::EHOSTUNREACH,
        libc::ENETDOWN,
        libc::EAGAIN,
    ];
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&code))
}

/// A socket that takes packets with their IP headers.
fn raw(namespace: &Namespace, family: Family) -> Result<Socket> {
    let domain = match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    let protocol = Protocol::from(libc::IPPROTO_RAW);
    namespace
        .enter(|| Socket::new(domain, Type::RAW, Some(protocol)))
        .with_context(|| format!("cannot open a raw socket in {}", namespace.name()))
}

fn frame(side: Side, family: Family, random: &mut fastrand::Rng) -> Vec<u8> {
    let (spoofed, port) = (random.u32(..), random.u16(1024..));
    let mut carrier = match family {
        Family::V4 => Carrier::v4(),
        Family::V6 => Carrier::v6(),
    };
    carrier.network = network(side, family, spoofed);
    let tcp = match side {
        Side::Hosts => {
            (carrier.host_port, carrier.peer_port) = (port, CLOSED_PORT);
            host_syn(random.u32(..))
        }
        Side::Peers => {
            (carrier.host_port, carrier.peer_port) = (CLOSED_PORT, port);
            peer_syn(random.u32(..))
        }
    };
    carrier.frame(&tcp)
}

fn network(side: Side, family: Family, spoofed: u32) -> Network {
    let (mut host, mut peer) = (family.host(0).ip(), family.peer(0).ip());
    let one = match side {
        Side::Hosts => &mut host,
        Side::Peers => &mut peer,
    };
    match one {
        IpAddr::V4(address) => {
            let [first, second, third, _] = address.octets();
            *address = [first, second, third, 128 | spoofed.to_be_bytes()[3]].into();
        }
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets[11] = 0xf;
            octets[12..].copy_from_slice(&spoofed.to_be_bytes());
            *address = octets.into();
        }
    }
    match (host, peer) {
        (IpAddr::V4(host), IpAddr::V4(peer)) => Network::V4 {
            host: host.octets(),
            peer: peer.octets(),
            options: Vec::new(),
            fragment: 0,
        },
        (host, peer) => Network::V6 {
            host: octets(host),
            peer: octets(peer),
            extensions: Vec::new(),
        },
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}
