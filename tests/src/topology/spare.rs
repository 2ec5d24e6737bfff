//! A second gateway between the same two ends, on lines of its own, for the day on which the first one fails.
//!
//! ```text
//!   host0 ───── inside0  gateway  outside0 ───── peer0
//!   host1 ───── inside0  spare    outside0 ───── peer1
//! ```
//!
//! Its lines have IPv6 addresses alone; IPv4 is routed over them too.

use anyhow::Result;

use super::{
    INSIDE_IF, Lab, OUTSIDE_IF,
    line::{addressed, await_running, finish_frames, pair, quiet},
};
use crate::{family::Family, namespace::Namespace};

/// The host's interface towards it.
const HOST_IF: &str = "host1";
/// The peer's interface towards it.
const PEER_IF: &str = "peer1";
const NEAR_NET: u8 = 4;
const FAR_NET: u8 = 5;

/// One who forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The laboratory's gateway.
    First,
    /// The spare one.
    Spare,
}

/// An end whose route can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The host.
    Host,
    /// The peer.
    Peer,
}

/// Adds it, up and routed; nobody uses it yet.
pub fn add(lab: &Lab) -> Result<Namespace> {
    let spare = Namespace::new("gw2")?;
    quiet(&spare)?;
    pair(&lab.host, HOST_IF, &spare, INSIDE_IF)?;
    pair(&spare, OUTSIDE_IF, &lab.peer, PEER_IF)?;
    spare.set_sysctl("net/ipv4/ip_forward", "1")?;
    spare.set_sysctl("net/ipv6/conf/all/forwarding", "1")?;
    for (end, end_if, own_if, net) in [
        (&lab.host, HOST_IF, INSIDE_IF, NEAR_NET),
        (&lab.peer, PEER_IF, OUTSIDE_IF, FAR_NET),
    ] {
        addressed(end, end_if, Family::V6, net, 2)?;
        addressed(&spare, own_if, Family::V6, net, 1)?;
        finish_frames(end, end_if)?;
        finish_frames(&spare, own_if)?;
        await_running(end, &[end_if])?;
        await_running(&spare, &[own_if])?;
    }
    for family in Family::ALL {
        route(&spare, family.protected(), (NEAR_NET, 2), INSIDE_IF)?;
        route(&spare, family.outside(), (FAR_NET, 2), OUTSIDE_IF)?;
    }
    Ok(spare)
}

/// From now on what this end sends goes by that gateway.
pub fn send_by(lab: &Lab, end: End, by: By) -> Result<()> {
    for family in Family::ALL {
        let (namespace, to, near, net, interface) = match end {
            End::Host => (&lab.host, family.outside(), 1, NEAR_NET, HOST_IF),
            End::Peer => (&lab.peer, family.protected(), 2, FAR_NET, PEER_IF),
        };
        match by {
            By::Spare => route(namespace, to, (net, 1), interface)?,
            By::First => {
                let gateway = family.address(near, 1).to_string();
                namespace.run("ip", &["route", "replace", to, "via", &gateway])?;
            }
        }
    }
    Ok(())
}

fn route(namespace: &Namespace, to: &str, (net, node): (u8, u8), interface: &str) -> Result<()> {
    let hop = Family::V6.address(net, node).to_string();
    let route = [
        "route", "replace", to, "via", "inet6", &hop, "dev", interface,
    ];
    namespace.run("ip", &route).map(drop)
}
