//! One connection: opened with a chosen number, used, and ended in one of the ways that connections end (RFC 9293 section 3.6).

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::socket::getsockopt;
use socket2::SockRef;

use super::ledger::{Count, Ledger};
use crate::{load::pass_block, scenario::Connection, socket_option::TcpState, wait};

/// More than the longest that outages of the interface delay anything, and less than a peer in TIME-WAIT would refuse a number for.
pub const PATIENCE: Duration = Duration::from_secs(45);
/// Between two octets that find out whether the other end is still there.
const PROBE: Duration = Duration::from_millis(300);
/// Pauses between two pieces of work, in milliseconds: short, and now and then long.
const SHORT: std::ops::Range<u64> = 0..60;
const LONG: std::ops::Range<u64> = 1_000..4_000;
/// `TCP_CLOSE` of `include/net/tcp_states.h`.
const TCP_CLOSE: u8 = 7;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The peer closes first, and keeps TIME-WAIT.
    PeerCloses,
    /// The host closes first, and keeps TIME-WAIT: its port rests.
    HostCloses,
    /// The host resets.
    HostResets,
    /// The peer resets.
    PeerResets,
}

impl End {
    /// Any, the first one more often than the others.
    pub fn any(random: &mut fastrand::Rng) -> Self {
        match random.u8(..10) {
            0 => Self::HostCloses,
            1 | 2 => Self::HostResets,
            3 | 4 => Self::PeerResets,
            _ => Self::PeerCloses,
        }
    }

    const fn counted(self) -> Count {
        match self {
            Self::PeerCloses => Count::PeerClosed,
            Self::HostCloses => Count::HostClosed,
            Self::HostResets => Count::HostReset,
            Self::PeerResets => Count::PeerReset,
        }
    }
}

/// Moves blocks both ways with pauses between them.
pub fn live(connection: &Connection, random: &mut fastrand::Rng, ledger: &Ledger) -> Result<()> {
    for stream in [&connection.client, &connection.server] {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
    }
    for _ in 0..random.u32(1..8) {
        let up = pass_block(&connection.client, &connection.server, random);
        up.context("from the host to the peer")?;
        let down = pass_block(&connection.server, &connection.client, random);
        down.context("from the peer to the host")?;
        ledger.add(Count::Blocks, 2);
        let pause = if random.u8(..30) == 0 { LONG } else { SHORT };
        thread::sleep(Duration::from_millis(random.u64(pause)));
    }
    Ok(())
}

/// Ends it; returns when both ends know.
pub fn end(connection: Connection, how: End, ledger: &Ledger) -> Result<()> {
    let Connection { client, server, .. } = connection;
    let ended = match how {
        End::PeerCloses => close(&server, &client),
        End::HostCloses => close(&client, &server),
        End::HostResets => reset(client, &server),
        End::PeerResets => reset(server, &client),
    };
    ended.with_context(|| format!("{how:?}"))?;
    ledger.note(how.counted());
    Ok(())
}

/// FIN, FIN, and the second to close has nothing left of the connection.
fn close(first: &TcpStream, second: &TcpStream) -> Result<()> {
    first.shutdown(Shutdown::Write).context("the first FIN")?;
    await_fin(second).context("at the second to close")?;
    second.shutdown(Shutdown::Write).context("the second FIN")?;
    await_fin(first).context("at the first to close")?;
    wait::until(PATIENCE, "the second to close to be done", || {
        let state = getsockopt(second, TcpState)?;
        Ok((state == TCP_CLOSE).then_some(()))
    })
}

fn await_fin(mut stream: &TcpStream) -> Result<()> {
    let unread = stream
        .read(&mut [0])
        .context("waiting for the other's FIN")?;
    ensure!(unread == 0, "there was unread data");
    Ok(())
}

/// RST. If it gets lost, the other end learns of it when it says something.
fn reset(first: TcpStream, mut second: &TcpStream) -> Result<()> {
    SockRef::from(&first).set_linger(Some(Duration::ZERO))?;
    drop(first);
    second.set_read_timeout(Some(PROBE))?;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match second.read(&mut [0]) {
            Ok(length) => bail!("{length} octets in place of a reset"),
            Err(error) if is_reset(&error) => return Ok(()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) => {}
            Err(error) => return Err(error).context("waiting for the reset"),
        }
        match second.write(&[0]) {
            Err(error) if is_reset(&error) => return Ok(()),
            Err(error) => return Err(error).context("asking for the reset"),
            Ok(_) => {}
        }
    }
    bail!("the reset never arrived")
}

fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}
