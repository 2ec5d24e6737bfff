//! A router between gateway and peer, in the place of the wire.
//!
//! ```text
//!   gateway                    router                    peer
//!   outside0 ─────────── near0        far0 ─────────── peer0
//!   203.0.113.1    203.0.113.2   198.51.100.1     198.51.100.2
//!   …:3::1               …:3::2         …2::1            …2::2
//! ```

use anyhow::{Context, Result};

use super::{Lab, LabOptions, OUTSIDE_IF, WIRE_FAR_IF, WIRE_NEAR_IF, Wire, line::addressed};
use crate::{family::Family, namespace::Namespace};

/// The net between gateway and router.
const NET: u8 = 3;

/// A laboratory with a router behind its gateway.
pub fn lab(options: LabOptions) -> Result<Lab> {
    let lab = Lab::new(LabOptions {
        wire: Some(Wire::Outside),
        ..options
    })?;
    let router = of(&lab)?;
    router.set_sysctl("net/ipv4/ip_forward", "1")?;
    router.set_sysctl("net/ipv6/conf/all/forwarding", "1")?;
    for family in Family::ALL {
        let moved = format!("{}/{}", family.address(2, 1), family.bits());
        lab.gateway
            .run("ip", &["address", "del", &moved, "dev", OUTSIDE_IF])?;
        addressed(&lab.gateway, OUTSIDE_IF, family, NET, 1)?;
        addressed(router, WIRE_NEAR_IF, family, NET, 2)?;
        addressed(router, WIRE_FAR_IF, family, 2, 1)?;
        let gateway = family.address(NET, 1).to_string();
        let beyond = family.address(NET, 2).to_string();
        router.run("ip", &["route", "add", family.protected(), "via", &gateway])?;
        lab.gateway
            .run("ip", &["route", "add", family.outside(), "via", &beyond])?;
    }
    Ok(lab)
}

/// The router of such a laboratory.
pub fn of(lab: &Lab) -> Result<&Namespace> {
    lab.wire
        .as_ref()
        .context("a laboratory without a place for a router")
}
