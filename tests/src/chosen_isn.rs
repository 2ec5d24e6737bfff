//! TCP connections whose first sequence number is chosen, as a host with an unsafe generator would choose it.
//!
//! Linux lets a fresh socket be told its next sequence number while it is under repair (`TCP_REPAIR`, `TCP_QUEUE_SEQ`); the SYN then
//! carries exactly that number (RFC 9293 section 3.4) and everything after it is the ordinary stack.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{getsockopt, setsockopt, sockopt::TcpRepair},
};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    namespace::Namespace,
    socket_option::{TcpQueueSeq, TcpRepairQueue, TcpTimestamp},
};

const REPAIR_OFF: u32 = 0;
const REPAIR_ON: u32 = 1;
const SEND_QUEUE: libc::c_int = 2;

/// A connection that has been asked for and is not yet there.
#[derive(Debug)]
pub struct Attempt {
    socket: Socket,
    started: Instant,
}

impl Attempt {
    /// Sends the SYN from `local` to `peer`, with `isn` where one is chosen.
    ///
    /// 0 cannot be chosen: Linux takes it to mean that there is no choice, and the attempt is refused with `InvalidInput`.
    pub fn start(
        namespace: &Namespace,
        local: SocketAddr,
        peer: SocketAddr,
        isn: Option<u32>,
    ) -> io::Result<Self> {
        Self::start_prepared(namespace, local, peer, isn, |_| Ok(()))
    }

    /// The same after `prepare` has had the socket, unbound yet.
    pub fn start_prepared(
        namespace: &Namespace,
        local: SocketAddr,
        peer: SocketAddr,
        isn: Option<u32>,
        prepare: impl FnOnce(&Socket) -> nix::Result<()>,
    ) -> io::Result<Self> {
        if isn == Some(0) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "Linux cannot be told to start at sequence number 0",
            ));
        }
        let socket = namespace.enter(|| {
            Socket::new(
                Domain::for_address(local),
                Type::STREAM,
                Some(Protocol::TCP),
            )
        })?;
        if let Some(isn) = isn {
            choose(&socket, isn)?;
        }
        // After the repair, which resets it.
        socket.set_reuse_address(true)?;
        prepare(&socket)?;
        socket.bind(&local.into())?;
        socket.set_nonblocking(true)?;
        let started = Instant::now();
        match socket.connect(&peer.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
            _ => Ok(Self { socket, started }),
        }
    }

    /// Waits up to `limit`: the stream once the handshake is done, `None` while it is not.
    pub fn wait(&mut self, limit: Duration) -> io::Result<Option<TcpStream>> {
        if !writable_within(&self.socket, limit)? {
            return Ok(None);
        }
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        let stream = TcpStream::from(self.socket.try_clone()?);
        stream.set_nonblocking(false)?;
        Ok(Some(stream))
    }

    /// How long ago the SYN was sent.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Connects from `local` to `peer` inside `namespace`, starting at `isn` where one is given; `TimedOut` when `limit` passes first.
pub fn connect(
    namespace: &Namespace,
    local: SocketAddr,
    peer: SocketAddr,
    isn: Option<u32>,
    limit: Duration,
) -> io::Result<TcpStream> {
    Attempt::start(namespace, local, peer, isn)?
        .wait(limit)?
        .ok_or_else(|| {
            let what = format!("no connection from {local} to {peer} within {limit:?}");
            io::Error::new(io::ErrorKind::TimedOut, what)
        })
}

/// The number that the next new byte of an open connection will have.
pub fn next_seq(stream: &TcpStream) -> nix::Result<u32> {
    repaired(stream, || {
        setsockopt(stream, TcpRepairQueue, &SEND_QUEUE)?;
        getsockopt(stream, TcpQueueSeq)
    })
}

/// Puts the clock of an open connection's timestamps forward by `ticks` (RFC 7323 section 5.4).
pub fn advance_timestamps(stream: &TcpStream, ticks: u32) -> nix::Result<()> {
    repaired(stream, || {
        let now = getsockopt(stream, TcpTimestamp)?;
        setsockopt(stream, TcpTimestamp, &now.wrapping_add(ticks))
    })
}

fn repaired<T>(socket: &impl AsFd, work: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
    setsockopt(socket, TcpRepair, &REPAIR_ON)?;
    let outcome = work();
    setsockopt(socket, TcpRepair, &REPAIR_OFF)?;
    outcome
}

fn choose(socket: &Socket, isn: u32) -> nix::Result<()> {
    repaired(socket, || {
        setsockopt(socket, TcpRepairQueue, &SEND_QUEUE)?;
        setsockopt(socket, TcpQueueSeq, &isn)
    })
}

/// Waits until `socket` can be written or has failed; false when `limit` passes first.
fn writable_within(socket: &Socket, limit: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut watched = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
        match poll(&mut watched, timeout) {
            Ok(0) if Instant::now() >= deadline => return Ok(false),
            Ok(0) | Err(nix::Error::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}
