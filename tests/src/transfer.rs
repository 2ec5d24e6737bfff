//! Bytes both ways over a connection at once, digested at all four ends.
//!
//! The content is pseudorandom and follows from a seed: a block of it repeated, each copy stamped with its number, so that a lost,
//! doubled or exchanged piece shows in the digest.

use std::{
    fmt,
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use sha2::{Digest as _, Sha256};

const BLOCK: usize = 64 << 10;
/// A connection that moves nothing for this long is taken to be broken.
const STALL: Duration = Duration::from_mins(1);

/// A SHA-256 digest, written in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The first eight hexadecimal digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What went in at one end and came out at the other.
#[derive(Debug, Clone, Copy)]
pub struct OneWay {
    /// Digest of what was written.
    pub sent: Digest,
    /// Digest of what was read.
    pub received: Digest,
}

/// What became of a transfer.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// From the client to the server.
    pub upward: OneWay,
    /// From the server to the client.
    pub downward: OneWay,
    /// Bytes in each direction.
    pub bytes: u64,
    /// From the first byte written to the last byte read.
    pub took: Duration,
}

impl Outcome {
    /// Whether everything arrived as it was sent.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        [self.upward, self.downward]
            .iter()
            .all(|way| way.sent == way.received)
    }

    /// Fails, naming the direction, unless everything arrived as it was sent.
    pub fn ensure_intact(&self) -> Result<()> {
        for (name, way) in [
            ("to the server", self.upward),
            ("to the client", self.downward),
        ] {
            ensure!(
                way.sent == way.received,
                "{} bytes {name}: sent {}, received {}",
                self.bytes,
                way.sent,
                way.received
            );
        }
        Ok(())
    }
}

/// Holds the second half of a transfer back until it is opened, so that something can happen in the midst of it, however fast
/// it is.
#[derive(Default)]
pub struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// One that holds nothing back.
    #[must_use]
    pub fn open() -> Self {
        let gate = Self::default();
        gate.let_through();
        gate
    }

    /// Holds nothing back any more.
    pub fn let_through(&self) {
        *self.is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_while(is_open, |is_open| !*is_open));
    }
}

/// Moves `bytes` each way at once; both streams stay open. `received` counts the bytes read at both ends, as they come.
pub fn exchange(
    client: &TcpStream,
    server: &TcpStream,
    bytes: u64,
    seed: u64,
    received: &AtomicU64,
    gate: &Gate,
) -> Result<Outcome> {
    for stream in [client, server] {
        stream.set_read_timeout(Some(STALL))?;
        stream.set_write_timeout(Some(STALL))?;
    }
    let started = Instant::now();
    let (up_seed, down_seed) = (seed, !seed);
    thread::scope(|scope| {
        let up_sent = scope.spawn(|| send(client, bytes, up_seed, gate));
        let up_received = scope.spawn(|| receive(server, bytes, received));
        let down_sent = scope.spawn(|| send(server, bytes, down_seed, gate));
        let down_received = scope.spawn(|| receive(client, bytes, received));
        let sent = (ended(up_sent)?, ended(down_sent)?);
        let arrived = (ended(up_received)?, ended(down_received)?);
        Ok(Outcome {
            upward: OneWay {
                sent: sent.0,
                received: arrived.0,
            },
            downward: OneWay {
                sent: sent.1,
                received: arrived.1,
            },
            bytes,
            took: started.elapsed(),
        })
    })
}

/// Moves `bytes` one way; both streams stay open. How long it took, from the first byte written to the last byte read.
pub fn carry(from: &TcpStream, to: &TcpStream, bytes: u64, seed: u64) -> Result<Duration> {
    from.set_write_timeout(Some(STALL))?;
    to.set_read_timeout(Some(STALL))?;
    let started = Instant::now();
    thread::scope(|scope| {
        let sent = scope.spawn(|| send(from, bytes, seed, &Gate::open()));
        let received = receive(to, bytes, &AtomicU64::new(0))?;
        let sent = ended(sent)?;
        ensure!(sent == received, "sent {sent}, received {received}");
        Ok(started.elapsed())
    })
}

/// Like [`exchange`], for who does not watch the progress.
pub fn exchange_unwatched(
    client: &TcpStream,
    server: &TcpStream,
    bytes: u64,
    seed: u64,
) -> Result<Outcome> {
    let received = AtomicU64::new(0);
    exchange(client, server, bytes, seed, &received, &Gate::open())
}

fn ended<T>(thread: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread
        .join()
        .map_err(|_| anyhow!("an end of the transfer panicked"))?
}

fn send(mut to: &TcpStream, bytes: u64, seed: u64, gate: &Gate) -> Result<Digest> {
    let mut block = vec![0; BLOCK];
    fastrand::Rng::with_seed(seed).fill(&mut block);
    let mut digest = Sha256::new();
    let mut sent = 0;
    for number in 0_u64.. {
        if sent == bytes {
            break;
        }
        if sent >= bytes / 2 {
            gate.pass();
        }
        block[..8].copy_from_slice(&number.to_be_bytes());
        let piece = &block[..usize::try_from((bytes - sent).min(BLOCK as u64))?];
        digest.update(piece);
        to.write_all(piece)
            .with_context(|| format!("writing stopped after {sent} of {bytes} bytes"))?;
        sent += piece.len() as u64;
    }
    Ok(Digest(digest.finalize().into()))
}

fn receive(mut from: &TcpStream, bytes: u64, progress: &AtomicU64) -> Result<Digest> {
    let mut buffer = vec![0; BLOCK];
    let mut digest = Sha256::new();
    let mut received = 0;
    while received < bytes {
        let room = usize::try_from((bytes - received).min(BLOCK as u64))?;
        let length = from
            .read(&mut buffer[..room])
            .with_context(|| format!("reading stopped after {received} of {bytes} bytes"))?;
        ensure!(
            length > 0,
            "the connection ended after {received} of {bytes} bytes"
        );
        digest.update(&buffer[..length]);
        received += length as u64;
        progress.fetch_add(length as u64, Ordering::Relaxed);
    }
    Ok(Digest(digest.finalize().into()))
}
