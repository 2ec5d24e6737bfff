//! The peer's end: it accepts, and it closes first, so that it is the one that keeps TIME-WAIT (RFC 9293 section 3.6).

use std::{
    io::{self, Read},
    net::{Shutdown, SocketAddr, TcpStream},
    os::fd::AsFd,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::getsockopt,
};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{namespace::Namespace, socket_option::TcpState, wait};

const CLOSING_LIMIT: Duration = Duration::from_secs(10);
const LISTENING_LIMIT: Duration = Duration::from_secs(20);

/// A listener inside a namespace.
#[derive(Debug)]
pub struct Server {
    listener: Socket,
    address: SocketAddr,
}

impl Server {
    /// Listens at `address` inside `namespace`.
    pub fn listen(namespace: &Namespace, address: SocketAddr) -> Result<Self> {
        Self::listen_by(Protocol::TCP, namespace, address, |_| Ok(()))
    }

    /// Listens by another protocol of streams, or with a listener that `prepare` has had first.
    pub fn listen_by(
        protocol: Protocol,
        namespace: &Namespace,
        address: SocketAddr,
        prepare: impl FnOnce(&Socket) -> nix::Result<()> + Send,
    ) -> Result<Self> {
        let bound = || -> io::Result<Socket> {
            let domain = Domain::for_address(address);
            let listener = Socket::new(domain, Type::STREAM, Some(protocol))?;
            prepare(&listener)?;
            listener.set_reuse_address(true)?;
            listener.bind(&address.into())?;
            listener.listen(128)?;
            Ok(listener)
        };
        let listener = namespace
            .enter(bound)
            .with_context(|| format!("cannot listen at {address} in {}", namespace.name()))?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection; fails when none came within `limit`.
    pub fn accept(&self, limit: Duration) -> Result<TcpStream> {
        let mut watched = [PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        let ready = poll(
            &mut watched,
            PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX),
        )?;
        ensure!(
            ready == 1,
            "no connection arrived at {} within {limit:?}",
            self.address
        );
        let (socket, _) = self.listener.accept()?;
        Ok(socket.into())
    }
}

/// Closes a connection, the server's end first, and returns when the client's end is free for the same 4-tuple again.
pub fn close_server_first(mut client: TcpStream, server: TcpStream) -> Result<()> {
    client.set_read_timeout(Some(CLOSING_LIMIT))?;
    server
        .shutdown(Shutdown::Write)
        .context("cannot close the server's end")?;
    let unread = io::copy(&mut client.by_ref().take(1), &mut io::sink())
        .context("the server's FIN did not arrive")?;
    ensure!(
        unread == 0,
        "the client had unread data when the server closed"
    );
    client
        .shutdown(Shutdown::Write)
        .context("cannot close the client's end")?;
    wait::until(CLOSING_LIMIT, "the client's socket to be closed", || {
        let state = getsockopt(&client, TcpState)?;
        Ok((state == TCP_CLOSE).then_some(()))
    })?;
    // Not before: closing a socket that has unread data resets the connection.
    drop(server);
    Ok(())
}

/// `TCP_CLOSE` of `include/net/tcp_states.h`.
pub(crate) const TCP_CLOSE: u8 = 7;
/// As /proc/net/tcp writes states, which are those of `include/net/tcp_states.h`.
const TCP_ESTABLISHED: &str = "01";
const TCP_TIME_WAIT: &str = "06";
const TCP_LISTEN: &str = "0A";

/// How many connections a namespace's TCP keeps in TIME-WAIT.
pub fn time_waits(namespace: &Namespace) -> Result<usize> {
    count(namespace, TCP_TIME_WAIT, None)
}

/// How many connections a namespace's TCP has open on a local port.
pub fn established(namespace: &Namespace, port: u16) -> Result<usize> {
    count(namespace, TCP_ESTABLISHED, Some(port))
}

/// Waits until somebody listens on a local port.
pub fn await_listener(namespace: &Namespace, port: u16) -> Result<()> {
    let what = format!("a listener on port {port} in {}", namespace.name());
    wait::until(LISTENING_LIMIT, &what, || {
        Ok((count(namespace, TCP_LISTEN, Some(port))? > 0).then_some(()))
    })
}

/// Waits until no connection on a local port can send any more: gone, or in TIME-WAIT.
pub fn await_closed(namespace: &Namespace, port: u16) -> Result<()> {
    let what = format!(
        "the connections on port {port} in {} to end",
        namespace.name()
    );
    wait::until(CLOSING_LIMIT, &what, || {
        let states = states(namespace, Some(port))?;
        let silent = |state: &String| [TCP_TIME_WAIT, TCP_LISTEN].contains(&state.as_str());
        Ok(states.iter().all(silent).then_some(()))
    })
}

/// How many sockets of a namespace are in a state, on a local port where one is given.
fn count(namespace: &Namespace, state: &str, port: Option<u16>) -> Result<usize> {
    let states = states(namespace, port)?;
    Ok(states.iter().filter(|other| *other == state).count())
}

/// The states of a namespace's sockets, those on a local port where one is given.
fn states(namespace: &Namespace, port: Option<u16>) -> Result<Vec<String>> {
    let end = port.map_or_else(String::new, |port| format!(":{port:04X}"));
    let mut states = Vec::new();
    for table in ["tcp", "tcp6"] {
        // Below the headline: number, local end, remote end, state.
        for line in namespace.proc_net(table)?.lines().skip(1) {
            let mut words = line.split_whitespace().skip(1);
            let is_it = words.next().is_some_and(|local| local.ends_with(&end));
            states.extend(words.nth(1).filter(|_| is_it).map(str::to_owned));
        }
    }
    Ok(states)
}
