//! Makes a gateway forget all connections (`IPCTNL_MSG_CT_DELETE` of `linux/netfilter/nfnetlink_conntrack.h`).

use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result, ensure};
use isn_tests::namespace::Namespace;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

/// Subsystem 1, conntrack; message 2, delete; without a tuple, everything.
const DELETE: u16 = 1 << 8 | 2;
/// A netlink header and `struct nfgenmsg`.
const LENGTH: u32 = 16 + 4;

/// Forgets them, whatever their state.
pub fn forget_all(gateway: &Namespace) -> Result<()> {
    let error = gateway
        .enter(ask)
        .with_context(|| format!("cannot ask conntrack in {}", gateway.name()))?;
    ensure!(
        error == 0,
        "conntrack in {} does not forget its connections: {}",
        gateway.name(),
        nix::Error::from_raw(-error)
    );
    Ok(())
}

/// The negative error number of the answer, 0 for none.
fn ask() -> Result<i32> {
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkNetFilter,
    )?;
    send(netlink.as_raw_fd(), &request(), MsgFlags::empty())?;
    let mut answer = [0; 256];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    let error = answer[..length].get(16..20);
    let error = error.context("netlink gave a short answer")?;
    Ok(i32::from_ne_bytes(error.try_into()?))
}

fn request() -> Vec<u8> {
    let flags = u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_ACK).unwrap_or_default();
    let mut message = Vec::new();
    message.extend(LENGTH.to_ne_bytes());
    message.extend(DELETE.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 12]);
    message
}
