//! Interfaces: what they are, and whether the data plane can sit on them.

use netlink_packet_route::link::{
    InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, LinkXdp,
};

use super::{hook::Traits, netlink::Netlink};
use crate::{
    doctor,
    failure::{Explain as _, Failure},
};

/// What is known of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Index, unique in its namespace.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Kind of a virtual interface ("veth", "tun"); `None` for hardware.
    pub kind: Option<String>,
    /// Link-layer type, in words.
    pub link_layer: String,
    /// Whether frames begin with an Ethernet header.
    pub ethernet: bool,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// Identifiers of the XDP programs on it: one, or one native and one generic.
    pub xdp_programs: Vec<u32>,
    /// Whether it is switched on.
    pub up: bool,
    /// Largest packet in octets, without the Ethernet header.
    pub mtu: u32,
    /// Index of the bridge, bond or the like that it is a port of.
    pub controller: Option<u32>,
    /// Index of the interface that it lies on, as a VLAN does; for a veth, its other end.
    pub lower: Option<u32>,
    /// How many ask for frames that are for others.
    pub promiscuity: u32,
    /// Hardware address; zeros where it is none of Ethernet.
    pub address: [u8; 6],
}

impl From<&LinkMessage> for Interface {
    fn from(link: &LinkMessage) -> Self {
        let mut interface = Self {
            index: link.header.index,
            name: String::new(),
            kind: None,
            link_layer: link.header.link_layer_type.to_string(),
            ethernet: link.header.link_layer_type == LinkLayerType::Ether,
            loopback: link.header.flags.contains(LinkFlags::Loopback),
            xdp_programs: Vec::new(),
            up: link.header.flags.contains(LinkFlags::Up),
            mtu: 0,
            controller: None,
            lower: None,
            promiscuity: 0,
            address: [0; 6],
        };
        for attribute in &link.attributes {
            match attribute {
                LinkAttribute::IfName(name) => interface.name.clone_from(name),
                LinkAttribute::LinkInfo(infos) => interface.kind = kind(infos),
                LinkAttribute::Xdp(xdp) => interface.xdp_programs = xdp_programs(xdp),
                LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
                LinkAttribute::Controller(index) => interface.controller = Some(*index),
                LinkAttribute::Link(index) => interface.lower = Some(*index),
                LinkAttribute::Promiscuity(number) => interface.promiscuity = *number,
                LinkAttribute::Address(octets) => {
                    interface.address = octets.as_slice().try_into().unwrap_or_default();
                }
                _ => {}
            }
        }
        interface
    }
}

fn kind(infos: &[LinkInfo]) -> Option<String> {
    infos.iter().find_map(|info| match info {
        LinkInfo::Kind(InfoKind::Other(other)) => Some(other.clone()),
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    })
}

fn xdp_programs(attributes: &[LinkXdp]) -> Vec<u32> {
    let mut found: Vec<u32> = attributes
        .iter()
        .filter_map(|attribute| match *attribute {
            LinkXdp::ProgId(id)
            | LinkXdp::DrvProgId(id)
            | LinkXdp::SkbProgId(id)
            | LinkXdp::HwProgId(id) => Some(id),
            _ => None,
        })
        .filter(|id| *id != 0)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

impl Interface {
    /// What decides which hook is taken on it.
    #[must_use]
    pub fn traits(&self) -> Traits<'_> {
        Traits {
            kind: self.kind.as_deref(),
            joins: doctor::joins(&self.name),
        }
    }
}

/// All interfaces of the current network namespace.
pub fn all(netlink: &mut Netlink) -> Result<Vec<Interface>, Failure> {
    netlink.interfaces().explain(
        "cannot list the interfaces",
        "see whether `ip link` works in this namespace",
    )
}

/// The interface called `name`, refused if the data plane cannot sit on it.
pub fn usable<'a>(interfaces: &'a [Interface], name: &str) -> Result<&'a Interface, Failure> {
    let refused = |why: String, remedy: &str| {
        Err(Failure::new(
            format!("cannot attach to `{name}`"),
            why,
            remedy,
        ))
    };
    let Some(interface) = interfaces.iter().find(|interface| interface.name == name) else {
        let names: Vec<&str> = interfaces
            .iter()
            .filter(|interface| interface.ethernet)
            .map(|interface| interface.name.as_str())
            .collect();
        let there = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        return refused(
            "there is no such interface in this network namespace".into(),
            &format!("name an Ethernet interface; there are: {there}"),
        );
    };
    if interface.loopback {
        return refused(
            "it is the loopback interface; no guarded host is behind it".into(),
            "name the interface that faces the hosts (--inside) or the peers (--outside)",
        );
    }
    if !interface.ethernet {
        return refused(
            format!(
                "its frames are not Ethernet frames (link-layer type {})",
                interface.link_layer
            ),
            "name an Ethernet interface on the path; tun, PPP, WireGuard and the like carry bare IP \
             packets, which are not supported",
        );
    }
    Ok(interface)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn interface(name: &str, index: u32) -> Interface {
        Interface {
            index,
            name: name.into(),
            kind: None,
            link_layer: "ether".into(),
            ethernet: true,
            loopback: false,
            xdp_programs: vec![],
            up: true,
            mtu: 1500,
            controller: None,
            lower: None,
            promiscuity: 0,
            address: [2, 0, 0, 0, 0, 1],
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_names_there_are() {
        let there = [interface("eth0", 2), interface("eth1", 3)];
        assert_eq!(usable(&there, "eth1").unwrap().index, 3);
        let failure = usable(&there, "eth7").unwrap_err();
        assert!(failure.to_string().contains("cannot attach to `eth7`"));
        assert!(failure.remedy().contains("eth0, eth1"));
    }

    #[test]
    fn loopback_and_bare_ip_are_refused() {
        let loopback = Interface {
            loopback: true,
            ethernet: false,
            ..interface("lo", 1)
        };
        assert!(
            usable(&[loopback], "lo")
                .unwrap_err()
                .to_string()
                .contains("loopback")
        );
        let tun = Interface {
            ethernet: false,
            link_layer: "none".into(),
            ..interface("tun0", 4)
        };
        assert!(
            usable(&[tun], "tun0")
                .unwrap_err()
                .to_string()
                .contains("not Ethernet")
        );
    }

    #[test]
    fn one_program_reported_twice_counts_once() {
        let reported = [
            LinkXdp::ProgId(7),
            LinkXdp::DrvProgId(7),
            LinkXdp::SkbProgId(0),
        ];
        assert_eq!(xdp_programs(&reported), [7]);
    }
}
