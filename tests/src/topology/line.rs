//! Lines between namespaces: made, addressed, complete in what they carry, up.

use std::time::Duration;

use anyhow::Result;
use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags};

use crate::{family::Family, namespace::Namespace, wait};

/// No duplicate address detection, no router advertisements, no reverse path filter: addresses work at once.
pub(super) fn quiet(namespace: &Namespace) -> Result<()> {
    for conf in ["all", "default"] {
        namespace.set_sysctl(&format!("net/ipv4/conf/{conf}/rp_filter"), "0")?;
        namespace.set_sysctl(&format!("net/ipv6/conf/{conf}/accept_dad"), "0")?;
        namespace.set_sysctl(&format!("net/ipv6/conf/{conf}/accept_ra"), "0")?;
    }
    Ok(())
}

pub(super) fn pair(near: &Namespace, near_if: &str, far: &Namespace, far_if: &str) -> Result<()> {
    near.run(
        "ip",
        &[
            "link",
            "add",
            near_if,
            "type",
            "veth",
            "peer",
            "name",
            far_if,
            "netns",
            far.name(),
        ],
    )?;
    near.run("ip", &["link", "set", near_if, "up"])?;
    far.run("ip", &["link", "set", far_if, "up"])?;
    Ok(())
}

pub(super) fn addressed(
    namespace: &Namespace,
    interface: &str,
    family: Family,
    net: u8,
    node: u8,
) -> Result<()> {
    let address = format!("{}/{}", family.address(net, node), family.bits());
    let mut arguments = vec!["address", "add", &address, "dev", interface];
    if family == Family::V6 {
        arguments.push("nodad");
    }
    namespace.run("ip", &arguments).map(drop)
}

pub(super) fn finish_frames(namespace: &Namespace, interface: &str) -> Result<()> {
    namespace
        .run(
            "ethtool",
            &["-K", interface, "tx", "off", "tso", "off", "gso", "off"],
        )
        .map(drop)
}

pub(super) fn await_running(namespace: &Namespace, interfaces: &[&str]) -> Result<()> {
    let what = format!(
        "{} to come up in {}",
        interfaces.join(" and "),
        namespace.name()
    );
    wait::until(Duration::from_secs(10), &what, || {
        let up = namespace.enter(|| -> nix::Result<bool> {
            let running: Vec<String> = getifaddrs()?
                .filter(|entry| entry.flags.contains(InterfaceFlags::IFF_RUNNING))
                .map(|entry| entry.interface_name)
                .collect();
            Ok(interfaces
                .iter()
                .all(|wanted| running.iter().any(|name| name == wanted)))
        })?;
        Ok(up.then_some(()))
    })
}
