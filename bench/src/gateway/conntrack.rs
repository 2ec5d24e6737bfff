//! A gateway that follows connections is made to forget them all (`IPCTNL_MSG_CT_DELETE` of
//! `linux/netfilter/nfnetlink_conntrack.h`), and one that answers for its peers is asked how often it has.

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

/// Cookies that came back valid, of all CPUs: a table with a line of names and one of hexadecimal numbers for each CPU.
pub fn cookies(stat: &str) -> Result<u64> {
    let mut lines = stat.lines();
    let names = lines.next().unwrap_or_default();
    let column = names.split_whitespace().position(|it| it == "cookie_valid");
    let column = column.with_context(|| format!("no cookie_valid among {names}"))?;
    let mut sum = 0;
    for line in lines {
        let number = line.split_whitespace().nth(column);
        let number = number.with_context(|| format!("too few columns: {line}"))?;
        sum += u64::from_str_radix(number, 16).with_context(|| format!("no number: {number}"))?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_counted_on_all_cpus() {
        let stat = "entries\t\tsyn_received\tcookie_invalid\tcookie_valid\tcookie_retrans\tconn_reopened\n\
                    00000000\t00001d50\t00000000\t00001d4d\t00000000\t00000000\n\
                    00000000\t00000003\t00000000\t00000003\t00000000\t00000000\n";
        assert_eq!(cookies(stat).unwrap(), 0x1d50);
        assert!(cookies("").is_err());
        assert!(cookies("cookie_valid\nxyz\n").is_err());
    }

    #[test]
    fn a_request_is_as_long_as_it_says() {
        let request = request();
        assert_eq!(request.len(), LENGTH as usize);
        assert_eq!(request[..4], LENGTH.to_ne_bytes());
    }
}
