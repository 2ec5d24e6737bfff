//! The steps that every test and the demo are made of: watch both sides, open, move bytes, close.

use std::{
    env, io,
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, anyhow, ensure};

use crate::{
    capture::{Capture, Recording},
    chosen_isn::connect,
    comparison::{BothSides, ensure_checksums},
    family::Family,
    namespace::Namespace,
    process,
    segment::Segment,
    server::{Server, close_server_first},
    topology::{HOST_IF, Lab, PEER_IF},
    transfer::{Gate, Outcome, exchange, exchange_unwatched},
    wait,
};

/// Less than the first retransmission timeout (RFC 6298): whoever connects within it needed one SYN.
pub const AT_ONCE: Duration = Duration::from_millis(900);
/// Within it every transfer must get under way.
const PATIENCE: Duration = Duration::from_mins(1);

/// Both ends of an open connection.
#[derive(Debug)]
pub struct Connection {
    /// The host's end.
    pub client: TcpStream,
    /// The peer's end.
    pub server: TcpStream,
    /// From the SYN to the end of the handshake, at the host.
    pub handshake: Duration,
}

impl Connection {
    /// The host opens a connection at once, from its address of the server's family and `port`.
    pub fn open(lab: &Lab, server: &Server, port: u16, isn: u32) -> Result<Self> {
        Self::open_within(AT_ONCE, lab, server, port, isn)
    }

    /// The host opens a connection, taking up to `limit`.
    pub fn open_within(
        limit: Duration,
        lab: &Lab,
        server: &Server,
        port: u16,
        isn: u32,
    ) -> Result<Self> {
        Self::open_from(&lab.host, host_end(server, port), server, isn, limit)
    }

    /// A connection is opened from `local` in `namespace`, taking up to `limit`.
    pub fn open_from(
        namespace: &Namespace,
        local: SocketAddr,
        server: &Server,
        isn: u32,
        limit: Duration,
    ) -> Result<Self> {
        let started = Instant::now();
        let client = connect(namespace, local, server.address(), Some(isn), limit)
            .with_context(|| format!("with initial sequence number {isn}"))?;
        let handshake = started.elapsed();
        Ok(Self {
            client,
            server: server.accept(limit)?,
            handshake,
        })
    }

    /// Moves `bytes` each way and checks that they arrived intact.
    pub fn exchange(&self, bytes: u64, seed: u64) -> Result<Outcome> {
        let outcome = exchange_unwatched(&self.client, &self.server, bytes, seed)?;
        outcome.ensure_intact()?;
        Ok(outcome)
    }

    /// Moves `bytes` each way and does `meanwhile` when a part has arrived; half of them wait for it.
    pub fn exchange_while(
        &self,
        bytes: u64,
        meanwhile: impl FnOnce() -> Result<()>,
    ) -> Result<Outcome> {
        let (received, gate) = (AtomicU64::new(0), Gate::default());
        let outcome = thread::scope(|scope| {
            let transfer =
                scope.spawn(|| exchange(&self.client, &self.server, bytes, 1, &received, &gate));
            let under_way = wait::until(PATIENCE, "the transfer to be under way", || {
                Ok((received.load(Ordering::Relaxed) > bytes / 16).then_some(()))
            });
            let done = under_way.and_then(|()| meanwhile());
            gate.let_through();
            done?;
            transfer
                .join()
                .map_err(|_| anyhow!("the transfer panicked"))?
        })?;
        outcome.ensure_intact()?;
        Ok(outcome)
    }

    /// Closes it, the peer's end first.
    pub fn close(self) -> Result<()> {
        close_server_first(self.client, self.server)
    }
}

/// The host's end of a connection to `server`.
#[must_use]
pub fn host_end(server: &Server, port: u16) -> SocketAddr {
    let family = if server.address().is_ipv4() {
        Family::V4
    } else {
        Family::V6
    };
    family.host(port)
}

/// One short connection that starts at `isn` and leaves the peer in TIME-WAIT.
pub fn one_life(lab: &Lab, server: &Server, port: u16, isn: u32) -> Result<()> {
    let connection = Connection::open(lab, server, port, isn)?;
    connection.exchange(1000, u64::from(isn))?;
    connection.close()
}

/// Fails if a connection of the host that starts at `isn` comes about within `limit`.
pub fn ensure_hangs(
    lab: &Lab,
    server: &Server,
    port: u16,
    isn: u32,
    limit: Duration,
) -> Result<()> {
    ensure_hangs_from(&lab.host, host_end(server, port), server, isn, limit)
}

/// Fails if a connection from `local` in `namespace` that starts at `isn` comes about within `limit`.
pub fn ensure_hangs_from(
    namespace: &Namespace,
    local: SocketAddr,
    server: &Server,
    isn: u32,
    limit: Duration,
) -> Result<()> {
    match connect(namespace, local, server.address(), Some(isn), limit) {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(()),
        Err(error) => Err(error).context("the connection was expected to hang"),
        Ok(_) => anyhow::bail!("a connection from {local} that starts at {isn} came about"),
    }
}

/// The seed of a test's random choices: `ISN_TEST_SEED`, else a new one. Printed, so that a failure can be had again.
pub fn seed() -> Result<u64> {
    let seed = match env::var("ISN_TEST_SEED") {
        Ok(given) => given
            .parse()
            .with_context(|| format!("ISN_TEST_SEED is no number: {given}"))?,
        Err(_) => fastrand::u64(..),
    };
    println!("ISN_TEST_SEED={seed}");
    Ok(seed)
}

/// Captures running at the host and at the peer.
#[derive(Debug)]
pub struct Watch<'a> {
    lab: &'a Lab,
    near: Capture,
    far: Capture,
    lost_before: u64,
}

impl<'a> Watch<'a> {
    /// Starts both, into `NAME-host.pcap` and `NAME-peer.pcap` in `dir`.
    pub fn start(lab: &'a Lab, dir: &Path, name: &str) -> Result<Self> {
        let near = Capture::start(&lab.host, HOST_IF, &dir.join(format!("{name}-host.pcap")))?;
        let far = Capture::start(&lab.peer, PEER_IF, &dir.join(format!("{name}-peer.pcap")))?;
        Ok(Self {
            lab,
            near,
            far,
            lost_before: lab.lost_frames()?,
        })
    }

    /// Ends both. An echo that goes both ways first: what was under way before it has arrived by then. What is sent later,
    /// a retransmission for example, may be seen by one of the captures only, and is left out.
    pub fn stop(self) -> Result<Seen> {
        let peer = Family::V4.peer(0).ip().to_string();
        wait::until(PATIENCE, "an echo from the peer", || {
            let mut echo = self.lab.host.command("ping")?;
            echo.args(["-n", "-q", "-c", "1", "-W", "1", &peer]);
            Ok(process::run_to_end(echo)?.status.success().then_some(()))
        })?;
        let until = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(Seen {
            until,
            near: self.near.stop()?,
            far: self.far.stop()?,
            lost: self.lab.lost_frames()?.saturating_sub(self.lost_before),
        })
    }
}

/// What was seen at the host and at the peer.
#[derive(Debug, Clone)]
pub struct Seen {
    /// At the host.
    pub near: Recording,
    /// At the peer.
    pub far: Recording,
    /// Frames that full queues in the laboratory lost meanwhile.
    pub lost: u64,
    /// Both captures saw everything up to here, since the Unix epoch.
    pub until: Duration,
}

impl Seen {
    /// The segments of the host's `port`, both sides, every checksum verified by two judges.
    pub fn verified(&self, host: SocketAddr) -> Result<BothSides> {
        let whole = |recording: &Recording| -> Result<Vec<Segment>> {
            let mut segments = recording.segments()?;
            segments.retain(|segment| segment.at <= self.until);
            Ok(segments)
        };
        let (near, far) = (whole(&self.near)?, whole(&self.far)?);
        ensure!(
            ensure_checksums(near.iter().chain(&far))? > 0,
            "an empty capture proves nothing"
        );
        for recording in [&self.near, &self.far] {
            let wrong = recording.tcpdump_verdict()?;
            ensure!(
                wrong == 0,
                "tcpdump calls {wrong} packets of {} incorrect",
                recording.file().display()
            );
        }
        Ok(BothSides {
            lost: self.lost,
            ..BothSides::of(host, near, far)
        })
    }
}
