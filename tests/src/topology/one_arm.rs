//! A gateway with one arm: host and peer are behind the same interface, and every packet crosses it twice.
//!
//! ```text
//!   host0 ──┐
//!           ├── switch ── inside0 (192.0.2.1, 198.51.100.1)
//!   peer0 ──┘
//! ```

use anyhow::Result;

use super::{
    HOST_IF, INSIDE_IF, Lab, PEER_IF,
    line::{await_running, finish_frames, pair, quiet},
};
use crate::namespace::Namespace;

/// Makes it, the switch in the place of the wire. Every frame is complete wherever it is looked at.
pub fn lab() -> Result<Lab> {
    let (host, gateway) = (Namespace::new("host")?, Namespace::new("gw")?);
    let (peer, switch) = (Namespace::new("peer")?, Namespace::new("switch")?);
    switch.run("ip", &["link", "add", "bridge0", "type", "bridge"])?;
    switch.run("ip", &["link", "set", "bridge0", "up"])?;
    for (node, interface, port) in [
        (&host, HOST_IF, "port1"),
        (&gateway, INSIDE_IF, "port2"),
        (&peer, PEER_IF, "port3"),
    ] {
        quiet(node)?;
        without_redirects(node)?;
        pair(node, interface, &switch, port)?;
        switch.run("ip", &["link", "set", port, "master", "bridge0"])?;
        finish_frames(node, interface)?;
        await_running(node, &[interface])?;
    }
    let lab = Lab {
        host,
        gateway,
        peer,
        wire: Some(switch),
    };
    lab.address(INSIDE_IF)?;
    lab.set_manners(false)?;
    Ok(lab)
}

/// The gateway tells nobody that a shorter way exists, and nobody would believe it.
fn without_redirects(node: &Namespace) -> Result<()> {
    for conf in ["all", "default"] {
        node.set_sysctl(&format!("net/ipv4/conf/{conf}/send_redirects"), "0")?;
        for family in ["ipv4", "ipv6"] {
            node.set_sysctl(&format!("net/{family}/conf/{conf}/accept_redirects"), "0")?;
        }
    }
    Ok(())
}
