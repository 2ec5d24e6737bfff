//! Segments beyond 64 KiB inside the kernel, cut only at the last device ("BIG TCP"): IPv4 packets whose total length is 0, IPv6 packets with a
//! jumbo payload option (RFC 2675).

use std::os::fd::AsRawFd;

use anyhow::{Context, Result, ensure};
use nix::{
    net::if_::if_nametoindex,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket},
};

use crate::topology::{HOST_IF, INSIDE_IF, Lab, OUTSIDE_IF, PEER_IF};

/// The largest packet that a device then takes, in octets.
pub const LARGEST: u32 = 185_000;

/// Of `linux/if_link.h`; the program `ip` of Linux 6.1 has no word for the second.
const IFLA_GSO_MAX_SIZE: u16 = 41;
const IFLA_GSO_IPV4_MAX_SIZE: u16 = 63;

/// Of the laboratory's lines.
const MTU: u32 = 1500;
/// The option that makes an IPv6 packet a jumbogram, with its extension header: part of no segment that leaves a device, but Linux counts it
/// when it asks whether the segments will fit.
const JUMBO_OPTION: u32 = 8;

/// Lets every device of the laboratory take them, and the gateway forward them.
pub fn allow(lab: &Lab) -> Result<()> {
    let mtu = (MTU + JUMBO_OPTION).to_string();
    for interface in [INSIDE_IF, OUTSIDE_IF] {
        lab.gateway
            .run("ip", &["link", "set", "dev", interface, "mtu", &mtu])?;
    }
    for (namespace, interface) in [
        (&lab.host, HOST_IF),
        (&lab.gateway, INSIDE_IF),
        (&lab.gateway, OUTSIDE_IF),
        (&lab.peer, PEER_IF),
    ] {
        namespace
            .enter(|| set_limits(interface))
            .with_context(|| format!("{interface} in {}", namespace.name()))?;
    }
    Ok(())
}

fn set_limits(interface: &str) -> Result<()> {
    let index = if_nametoindex(interface)?.cast_signed();
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    send(netlink.as_raw_fd(), &request(index), MsgFlags::empty())?;
    let mut answer = [0; 1024];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // A netlink header, then the negative error number, 0 for none.
    let error = answer[..length]
        .get(16..20)
        .context("netlink gave a short answer")?;
    let error = i32::from_ne_bytes(error.try_into()?);
    ensure!(
        error == 0,
        "the kernel does not let {interface} take packets of {LARGEST} octets: {}",
        nix::Error::from_raw(-error)
    );
    Ok(())
}

/// `RTM_NEWLINK` with both limits, to be answered.
fn request(index: i32) -> Vec<u8> {
    let flags = u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_ACK).unwrap_or_default();
    let mut body = vec![0; 16];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    for kind in [IFLA_GSO_MAX_SIZE, IFLA_GSO_IPV4_MAX_SIZE] {
        body.extend(8_u16.to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(LARGEST.to_ne_bytes());
    }
    let mut message = Vec::new();
    message.extend(
        u32::try_from(16 + body.len())
            .unwrap_or_default()
            .to_ne_bytes(),
    );
    message.extend(libc::RTM_NEWLINK.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message
}
