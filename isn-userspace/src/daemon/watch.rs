//! What the process that stays is told by the kernel: interfaces that go, pins that are removed.

use std::io;

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::readable::{Readable, register};
use crate::{
    dataplane::Pins,
    failure::{Explain as _, Failure},
    settings::Place,
};

/// Multicast group of changes to interfaces (`RTNLGRP_LINK`).
const LINK_GROUP: u32 = 1;

/// Interfaces that are removed.
pub struct Links(Readable<Socket>);

impl Links {
    /// Begins to watch.
    pub fn open() -> Result<Self, Failure> {
        let open = || -> io::Result<Self> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            socket.add_membership(LINK_GROUP)?;
            socket.set_non_blocking(true)?;
            Ok(Self(register(socket)?))
        };
        open().explain("cannot watch the interfaces", "see `ulimit -n`")
    }

    /// Waits until interfaces are removed; gives their indices.
    pub async fn gone(&self) -> Result<Vec<u32>, Failure> {
        loop {
            let what = "cannot watch the interfaces";
            let mut ready = self.0.readable().await.explain(what, "run it again")?;
            match ready.try_io(|socket| socket.get_ref().0.recv_from_full()) {
                Ok(Ok((datagram, _))) => {
                    let indices = removed(&datagram);
                    if !indices.is_empty() {
                        return Ok(indices);
                    }
                }
                // Too much happened at once: what was missed shows in `status`.
                Ok(Err(error)) => tracing::debug!("events about interfaces were lost: {error}"),
                Err(_would_block) => {}
            }
        }
    }
}

fn removed(datagram: &[u8]) -> Vec<u32> {
    let mut rest = datagram;
    let mut indices = Vec::new();
    while let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) {
        if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(link)) = &message.payload {
            indices.push(link.header.index);
        }
        let length = (message.header.length as usize).next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
    }
    indices
}

/// Pins that are removed.
pub struct Pinned(Readable<Inotify>);

impl Pinned {
    /// Begins to watch.
    pub fn open(place: &Place) -> Result<Self, Failure> {
        let pins = Pins::new(place);
        let open = || -> io::Result<Self> {
            let events = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
            for dir in [&pins.links(), &pins.home] {
                events.add_watch(dir, AddWatchFlags::IN_DELETE)?;
            }
            Ok(Self(register(events)?))
        };
        open().explain(
            format!("cannot watch {}", pins.home.display()),
            "see /proc/sys/fs/inotify/max_user_instances",
        )
    }

    /// Waits until something is removed.
    pub async fn changed(&self) -> Result<(), Failure> {
        loop {
            let what = "cannot watch the pins";
            let mut ready = self.0.readable().await.explain(what, "run it again")?;
            match ready.try_io(|events| Ok(events.get_ref().0.read_events()?)) {
                Ok(read) => return read.map(drop).explain(what, "run it again"),
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::NetlinkHeader;
    use netlink_packet_route::link::LinkMessage;

    use super::*;

    fn message(index: u32, make: fn(LinkMessage) -> RouteNetlinkMessage) -> Vec<u8> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        let mut message =
            NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(make(link)));
        message.finalize();
        let mut octets = vec![0; message.buffer_len()];
        message.serialize(&mut octets);
        octets
    }

    #[test]
    fn only_removed_interfaces_are_told() {
        let mut datagram = message(7, RouteNetlinkMessage::NewLink);
        datagram.extend(message(8, RouteNetlinkMessage::DelLink));
        datagram.extend(message(9, RouteNetlinkMessage::DelLink));
        assert_eq!(removed(&datagram), [8, 9]);
        assert!(removed(&[]).is_empty());
    }
}
