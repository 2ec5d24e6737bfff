//! A packet socket on one interface: whole Ethernet frames in and out, past the namespace's own protocols.

use std::{
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd},
};

use anyhow::{Context, Result};
use nix::{
    net::if_::if_nametoindex,
    sys::socket::{getsockopt, setsockopt, sockopt::RcvBufForce},
};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

use crate::{
    namespace::Namespace,
    socket_option::{PacketIgnoreOutgoing, PacketStatistics, PacketVnetHeader},
};

/// Room for every frame of a burst, so that none is lost before it is read.
const RECEIVE_BYTES: usize = 64 << 20;

/// Reads the frames that arrive at an interface and sends frames out of it. Never blocks.
#[derive(Debug)]
pub struct PacketSocket(Socket);

impl PacketSocket {
    /// Opens it on `interface` inside `namespace`.
    pub fn open(namespace: &Namespace, interface: &str) -> Result<Self> {
        namespace
            .enter(|| Self::open_here(interface))
            .with_context(|| {
                format!(
                    "cannot open a packet socket on {interface} in {}",
                    namespace.name()
                )
            })
    }

    /// The same, where each frame has a `struct virtio_net_hdr` before it, which says how it is laid out.
    pub fn open_with_layouts(namespace: &Namespace, interface: &str) -> Result<Self> {
        let socket = Self::open(namespace, interface)?;
        setsockopt(&socket, PacketVnetHeader, &1)?;
        Ok(socket)
    }

    fn open_here(interface: &str) -> Result<Self> {
        let all = u16::try_from(libc::ETH_P_ALL)?.to_be();
        // Bound to no protocol at first: otherwise frames of other interfaces arrive before bind.
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        setsockopt(&socket, PacketIgnoreOutgoing, &1)?;
        setsockopt(&socket, RcvBufForce, &RECEIVE_BYTES)?;
        socket.set_nonblocking(true)?;
        socket.bind(&link_address(if_nametoindex(interface)?, all)?)?;
        Ok(Self(socket))
    }

    /// The next frame into `buffer`; `None` when there is none now.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match (&self.0).read(buffer) {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a whole frame.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        (&self.0).write_all(frame)
    }

    /// Frames that arrived and found no room, since last asked.
    pub fn missed(&self) -> Result<u32> {
        Ok(getsockopt(&self.0, PacketStatistics)?.tp_drops)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// An address that stands for an interface; `protocol` in network order.
pub(crate) fn link_address(index: u32, protocol: u16) -> Result<SockAddr> {
    let family = u16::try_from(libc::AF_PACKET)?;
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>())?;
    let fill = |storage: *mut SockAddrStorage, len: *mut libc::socklen_t| {
        // SAFETY: the storage is large and aligned enough for every type of address, zeroed, and lives as long as this call.
        let address = unsafe { &mut *storage.cast::<libc::sockaddr_ll>() };
        address.sll_family = family;
        address.sll_protocol = protocol;
        address.sll_ifindex = index.cast_signed();
        // SAFETY: `len` points to the live length that belongs to the storage.
        unsafe { *len = length };
        Ok(())
    };
    // SAFETY: `fill` leaves a whole sockaddr_ll, the fields it does not set being zero, and its true length.
    let ((), address) = unsafe { SockAddr::try_init(fill) }?;
    Ok(address)
}
