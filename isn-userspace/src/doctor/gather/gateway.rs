//! Facts about routes, forwarding, connection tracking and address translation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use nix::{ifaddrs::getifaddrs, libc};

use super::{
    super::{
        Known,
        judge::{
            gateway::Gateway,
            placement::{Sides, Way},
        },
    },
    firewall, sysctl,
};
use crate::{
    dataplane::{interfaces::Interface, netlink::Netlink},
    settings::Placed,
};

/// Addresses of strangers: the way to them is looked up, and nothing is sent there.
const STRANGERS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(1, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2600, 0, 0, 0, 0, 0, 0, 1)),
];
/// No route at all, or one that says no.
const NO_ROUTE: [i32; 5] = [
    libc::ENETUNREACH,
    libc::EHOSTUNREACH,
    libc::EACCES,
    libc::EINVAL,
    libc::EAFNOSUPPORT,
];
/// Addresses of a prefix that are looked at, since some may be this machine's own.
const FIRST_FEW: usize = 4;
/// Kinds of interfaces past which a flowtable takes its flows.
const STACKED: [&str; 3] = ["bridge", "macvlan", "vlan"];
/// Kinds that hand frames on to what they lie on.
const ON_ANOTHER: [&str; 3] = ["macsec", "macvlan", "vlan"];

/// Where an instance on these interfaces is; `None` without any.
#[must_use]
pub fn sides(
    placed: &[Placed],
    attached: bool,
    guarded: &[IpNet],
    interfaces: &[Interface],
    netlink: &mut Netlink,
) -> Option<Sides> {
    let first = placed.first()?;
    let names: Vec<String> = placed.iter().map(|it| it.interface.clone()).collect();
    let is_bridge = |index: u32| {
        let controller = interfaces.iter().find(|it| it.index == index);
        controller.is_some_and(|it| it.kind.as_deref() == Some("bridge"))
    };
    let here = interfaces.iter().filter(|it| names.contains(&it.name));
    let bridged = here.filter_map(|it| it.controller).any(is_bridge);
    let mut roads = Roads {
        interfaces,
        own: addresses()
            .into_iter()
            .map(|(_, address)| address)
            .collect(),
        netlink,
    };
    let ways = guarded.iter().map(|prefix| (*prefix, roads.way(prefix)));
    Some(Sides {
        placement: first.placement,
        attached,
        bridged,
        ways: ways.collect(),
        guarded: guarded.to_vec(),
        interfaces: names,
    })
}

/// What tells where packets leave.
struct Roads<'a> {
    interfaces: &'a [Interface],
    own: Vec<IpAddr>,
    netlink: &'a mut Netlink,
}

impl Roads<'_> {
    fn way(&mut self, prefix: &IpNet) -> Known<Way> {
        if prefix.prefix_len() == 0 {
            let [v4, v6] = STRANGERS;
            return self.to(if prefix.addr().is_ipv4() { v4 } else { v6 });
        }
        let mut last = Way::Local;
        // From the back: the gateway's own address is often the first.
        let first_few: Vec<IpAddr> = prefix.hosts().take(FIRST_FEW).collect();
        for address in first_few.into_iter().rev() {
            last = self.to(address)?;
            if last != Way::Local {
                break;
            }
        }
        Ok(last)
    }

    fn to(&mut self, address: IpAddr) -> Known<Way> {
        // The route to an own IPv6 address comes a moment after the address.
        if self.own.contains(&address) {
            return Ok(Way::Local);
        }
        let index = match self.netlink.way_to(address) {
            Ok(Some(index)) => index,
            Ok(None) => return Ok(Way::Nowhere),
            Err(error)
                if error
                    .raw_os_error()
                    .is_some_and(|it| NO_ROUTE.contains(&it)) =>
            {
                return Ok(Way::Nowhere);
            }
            Err(error) => return Err(format!("{address} cannot be looked up: {error}")),
        };
        let interface = self.interfaces.iter().find(|it| it.index == index);
        Ok(match interface {
            None => Way::Nowhere,
            Some(it) if it.loopback => Way::Local,
            Some(it) => Way::Over(it.name.clone(), below(it, self.interfaces)),
        })
    }
}

/// What an interface lies on, and its ports.
fn below(interface: &Interface, interfaces: &[Interface]) -> Vec<String> {
    let ports = interfaces
        .iter()
        .filter(|it| it.controller == Some(interface.index));
    let lies = interface
        .kind
        .as_deref()
        .is_some_and(|it| ON_ANOTHER.contains(&it));
    let lower = interface.lower.filter(|_| lies);
    let lower = interfaces.iter().filter(|it| Some(it.index) == lower);
    ports.chain(lower).map(|it| it.name.clone()).collect()
}

/// Reads everything about the gateway.
#[must_use]
pub fn gateway(sides: Option<Sides>, interfaces: &[Interface]) -> Gateway {
    let names = sides.as_ref().map_or(&[][..], |it| &it.interfaces);
    let stacked = interfaces.iter().filter(|it| {
        let kind = it.kind.as_deref();
        names.contains(&it.name) && kind.is_some_and(|kind| STACKED.contains(&kind))
    });
    let stacked = stacked.map(|it| it.name.clone()).collect();
    Gateway {
        forwards_v4: sysctl::number("net/ipv4/ip_forward"),
        forwards_v6: sysctl::number("net/ipv6/conf/all/forwarding"),
        rp_filter: names
            .iter()
            .filter(|name| interfaces.iter().any(|it| it.name == **name))
            .map(|name| (name.clone(), rp_filter(name)))
            .collect(),
        ruleset: firewall::ruleset(),
        connections: sysctl::if_there("net/netfilter/nf_conntrack_count"),
        liberal: sysctl::if_there("net/netfilter/nf_conntrack_tcp_be_liberal"),
        addresses: addresses(),
        stacked,
        sides,
    }
}

/// The larger of `net.ipv4.conf.all.rp_filter` and the interface's own, which is the one that counts.
pub fn rp_filter(interface: &str) -> Known<u32> {
    let all = sysctl::number("net/ipv4/conf/all/rp_filter")?;
    let own = sysctl::number(&format!("net/ipv4/conf/{interface}/rp_filter"))?;
    Ok(all.max(own))
}

/// Addresses that strangers can reach; none where they cannot be listed.
fn addresses() -> Vec<(String, IpAddr)> {
    let listed = getifaddrs().into_iter().flatten();
    let mut found: Vec<(String, IpAddr)> = listed
        .filter_map(|it| {
            let address = it.address?;
            let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
            let v6 = address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip()));
            Some((it.interface_name, v4.or(v6)?))
        })
        .filter(|(_, address)| match address {
            IpAddr::V4(it) => !it.is_loopback(),
            IpAddr::V6(it) => !it.is_loopback() && !it.is_unicast_link_local(),
        })
        .collect();
    found.dedup();
    found
}
