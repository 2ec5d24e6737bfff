//! Who opens a connection, uses it and closes it, and then the same again from a lower sequence number, without end.

use std::{
    io::{Read, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    chosen_isn::connect,
    server::{Server, close_server_first},
    topology::Lab,
};

/// Whoever is not through by then has failed: several retransmissions were in vain.
const LIMIT: Duration = Duration::from_secs(10);
const HIGH_ISN: u32 = 3_000_000_000;
const LOW_ISN: u32 = 1_000_000_000;
const OCTETS: usize = 1000;

/// Who keeps opening connections.
#[derive(Debug)]
pub struct Newcomer<'a> {
    lab: &'a Lab,
    server: Server,
    ends: std::vec::IntoIter<SocketAddr>,
}

/// What became of the connections of newcomers.
#[derive(Debug, Default)]
pub struct Tally {
    /// Connections of flows not known before that went well.
    pub fresh: u64,
    /// Connections that needed an offset and went well.
    pub moved: u64,
    /// Those that needed one, well or not.
    pub tried_moved: u64,
    /// Connections that failed, and how.
    pub failures: Vec<String>,
    /// The longest handshake.
    pub slowest: Duration,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.fresh += other.fresh;
        self.moved += other.moved;
        self.tried_moved += other.tried_moved;
        self.failures.extend(other.failures);
        self.slowest = self.slowest.max(other.slowest);
        self
    }

    /// Fails unless at least 999 of 1000 connections went well.
    pub fn ensure_nearly_all(&self) -> Result<()> {
        let failed = self.failures.len() as u64;
        let all = self.fresh + self.moved + failed;
        ensure!(
            self.fresh > 0 && self.moved > 0 && failed * 1000 <= all,
            "{failed} of {all} new connections failed: {:?}",
            &self.failures[..self.failures.len().min(5)]
        );
        Ok(())
    }
}

impl<'a> Newcomer<'a> {
    /// One whose connections come from `ends`, one after the other, and go to a listener of its own at `peer`.
    pub fn new(lab: &'a Lab, ends: Vec<SocketAddr>, peer: SocketAddr) -> Result<Self> {
        Ok(Self {
            lab,
            server: Server::listen(&lab.peer, peer)?,
            ends: ends.into_iter(),
        })
    }

    /// Opens two connections every `pace`, or as often as they come up, as long as `goes_on` says so. Both begin at one end,
    /// which serves never again.
    pub fn keep_coming(&mut self, pace: Duration, goes_on: impl Fn() -> bool) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut next = Instant::now();
        while goes_on() {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            next += pace;
            let local = self.ends.next().context("no port is left")?;
            let Some(()) = self.noted(local, HIGH_ISN, &mut tally) else {
                continue;
            };
            tally.fresh += 1;
            tally.tried_moved += 1;
            if self.noted(local, LOW_ISN, &mut tally).is_some() {
                tally.moved += 1;
            }
        }
        Ok(tally)
    }

    fn noted(&self, local: SocketAddr, isn: u32, tally: &mut Tally) -> Option<()> {
        match self.live(local, isn) {
            Ok(handshake) => {
                tally.slowest = tally.slowest.max(handshake);
                Some(())
            }
            Err(error) => {
                let failure = format!("from {local}, starting at {isn}: {error:#}");
                tally.failures.push(failure);
                None
            }
        }
    }

    /// A whole connection; how long its handshake took.
    fn live(&self, local: SocketAddr, isn: u32) -> Result<Duration> {
        let started = Instant::now();
        let client = connect(
            &self.lab.host,
            local,
            self.server.address(),
            Some(isn),
            LIMIT,
        )?;
        let handshake = started.elapsed();
        let server = self.accept(local)?;
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(LIMIT))?;
        }
        let octets = [local.port().to_be_bytes(), [isn.to_be_bytes()[0], 7]].concat();
        carry(&client, &server, &octets.repeat(OCTETS / octets.len())).context("to the peer")?;
        carry(&server, &client, &octets.repeat(OCTETS / octets.len())).context("to the host")?;
        close_server_first(client, server)?;
        Ok(handshake)
    }

    /// The peer's end; those of connections that had failed are passed over.
    fn accept(&self, local: SocketAddr) -> Result<TcpStream> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let stream = self.server.accept(left)?;
            if stream.peer_addr().is_ok_and(|peer| peer == local) {
                return Ok(stream);
            }
        }
    }
}

fn carry(mut from: &TcpStream, mut to: &TcpStream, octets: &[u8]) -> Result<()> {
    from.write_all(octets)?;
    let mut arrived = vec![0; octets.len()];
    to.read_exact(&mut arrived)?;
    ensure!(arrived == octets, "other octets than were sent");
    Ok(())
}
