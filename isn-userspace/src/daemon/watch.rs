//! What the process that stays is told by the kernel: changes to interfaces and their filters, pins that
//! are removed.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::readable::{Readable, register};
use crate::{
    dataplane::Pins,
    failure::{Explain as _, Failure},
    settings::Place,
};

/// Multicast groups of changes to interfaces (`RTNLGRP_LINK`) and to qdiscs and filters (`RTNLGRP_TC`).
const GROUPS: [u32; 2] = [1, 4];

/// Changes to interfaces: they come, go, get another name or lose XDP, and their filters.
pub struct Links(Readable<Socket>);

impl Links {
    /// Begins to watch.
    pub fn open() -> Result<Self, Failure> {
        let open = || -> io::Result<Self> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            for group in GROUPS {
                socket.add_membership(group)?;
            }
            socket.set_non_blocking(true)?;
            Ok(Self(register(socket)?))
        };
        open().explain("cannot watch the interfaces", "see `ulimit -n`")
    }

    /// Waits until something has changed. What it was is for a look at the interfaces to say.
    pub async fn changed(&self) -> Result<(), Failure> {
        loop {
            let what = "cannot watch the interfaces";
            let mut ready = self.0.readable().await.explain(what, "run it again")?;
            match ready.try_io(|socket| socket.get_ref().0.recv_from_full()) {
                Ok(Ok(_)) => return Ok(()),
                // More than the socket holds happened at once.
                Ok(Err(error)) => {
                    tracing::debug!("events about interfaces were lost: {error}");
                    return Ok(());
                }
                Err(_would_block) => {}
            }
        }
    }
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
