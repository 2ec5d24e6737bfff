//! Many connections opened and closed together, the peer's end first, so that the peer keeps TIME-WAIT of all of them.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use nix::sys::socket::getsockopt;

use super::peer::FAREWELL;
use crate::{chosen_isn::Attempt, server::TCP_CLOSE, socket_option::TcpState, topology::Lab, wait};

/// Connections that are opened together: fewer than wait at a listener.
const AT_ONCE: usize = 100;
/// A connection that takes longer to come or go has hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens connections of the host from `ends` to `peer`, all starting at `isn`; they come in the order of `ends`.
pub fn open_all(
    lab: &Lab,
    ends: &[SocketAddr],
    peer: SocketAddr,
    isn: u32,
) -> Result<Vec<TcpStream>> {
    let mut open = Vec::with_capacity(ends.len());
    for some in ends.chunks(AT_ONCE) {
        let begin = |end: &SocketAddr| {
            Attempt::start(&lab.host, *end, peer, Some(isn))
                .with_context(|| format!("cannot open a connection from {end}"))
        };
        let mut attempts: Vec<Attempt> = some.iter().map(begin).collect::<Result<_>>()?;
        for (attempt, end) in attempts.iter_mut().zip(some) {
            let what = || format!("no connection from {end}, starting at {isn}");
            let stream = attempt.wait(PATIENCE).with_context(what)?;
            open.push(stream.with_context(what)?);
        }
    }
    Ok(open)
}

/// Has the crowd's peer close connections on which nothing was said yet; afterwards the same 4-tuples are free at the host.
pub fn close_all(mut connections: Vec<TcpStream>) -> Result<()> {
    for stream in &mut connections {
        stream.write_all(&FAREWELL.to_be_bytes())?;
    }
    for stream in &mut connections {
        stream.set_read_timeout(Some(PATIENCE))?;
        let unread = stream
            .read(&mut [0])
            .context("the peer's FIN did not arrive")?;
        ensure!(unread == 0, "unread data when the peer closed");
        stream.shutdown(Shutdown::Write)?;
    }
    for stream in &connections {
        wait::until(PATIENCE, "the host's socket to be closed", || {
            let state = getsockopt(stream, TcpState)?;
            Ok((state == TCP_CLOSE).then_some(()))
        })?;
    }
    Ok(())
}

/// Gives each of `ends` a life that starts at `high`, which the crowd's peer ends, and opens it anew at `low`, a hundred
/// after the other, so that what is remembered of them is young.
pub fn open_again(
    lab: &Lab,
    ends: &[SocketAddr],
    peer: SocketAddr,
    (high, low): (u32, u32),
) -> Result<Vec<TcpStream>> {
    let mut open = Vec::with_capacity(ends.len());
    for some in ends.chunks(AT_ONCE) {
        close_all(open_all(lab, some, peer, high)?)?;
        open.extend(open_all(lab, some, peer, low)?);
    }
    Ok(open)
}
