//! A second host behind the gateway, on a line of its own.

use anyhow::Result;

use super::{
    HOST_IF, Lab,
    line::{addressed, await_running, finish_frames, pair, quiet},
};
use crate::{family::Family, namespace::Namespace};

/// The gateway's interface that faces the second host.
const INSIDE_IF: &str = "inside1";
/// The net between the two.
const NET: u8 = 3;

/// The second host's address of a family.
#[must_use]
pub fn address(family: Family) -> std::net::IpAddr {
    family.address(NET, 2)
}

/// Adds it: like the first, it sends complete frames and no timestamps. The peer knows no way to it.
pub fn add(lab: &Lab) -> Result<Namespace> {
    let host = Namespace::new("host2")?;
    quiet(&host)?;
    pair(&host, HOST_IF, &lab.gateway, INSIDE_IF)?;
    for family in Family::ALL {
        addressed(&host, HOST_IF, family, NET, 2)?;
        addressed(&lab.gateway, INSIDE_IF, family, NET, 1)?;
        let gateway = family.address(NET, 1).to_string();
        host.run("ip", &["route", "add", family.outside(), "via", &gateway])?;
    }
    finish_frames(&host, HOST_IF)?;
    finish_frames(&lab.gateway, INSIDE_IF)?;
    host.set_sysctl("net/ipv4/tcp_timestamps", "0")?;
    await_running(&host, &[HOST_IF])?;
    await_running(&lab.gateway, &[INSIDE_IF])?;
    Ok(host)
}
