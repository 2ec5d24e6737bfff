//! Numbered UDP datagrams that cross the gateway both ways all the time: nobody repeats one that is lost, so that each loss shows.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};

use crate::{family::Family, namespace::Namespace, topology::Lab};

/// Between two datagrams one way, about: dense enough that a millisecond's gap at a hook would lose some, thin enough for the
/// queues of a busy machine.
const PACE: Duration = Duration::from_micros(400);
/// Room for what arrives while the reader does not get the processor.
const RECEIVE_BYTES: usize = 16 << 20;
/// The number that says: no more.
const END: u64 = u64::MAX;
/// Nothing comes any more when it has been silent for so long after the end.
const SILENCE: Duration = Duration::from_millis(200);
const END_LIMIT: Duration = Duration::from_secs(20);
const PORT: u16 = 9;

/// What became of the datagrams, both ways together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many were sent.
    pub sent: u64,
    /// How many never arrived.
    pub lost: u64,
    /// How many arrived once more than they were sent.
    pub again: u64,
}

/// The stream, until it is stopped.
#[derive(Debug)]
pub struct Datagrams {
    stop: Arc<AtomicBool>,
    lanes: Vec<JoinHandle<Result<Tally>>>,
}

impl Datagrams {
    /// Starts it between host and peer, both ways.
    pub fn start(lab: &Lab, family: Family) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (host, peer) = (family.host(PORT), family.peer(PORT));
        let mut lanes = Vec::new();
        for (from, to) in [
            ((&lab.host, host), (&lab.peer, peer)),
            ((&lab.peer, peer), (&lab.host, host)),
        ] {
            // A port of its own for each way: what comes back is another lane's.
            let sender = socket(from.0, SocketAddr::new(from.1.ip(), 0))?;
            let receiver = socket(to.0, to.1)?;
            let stop = Arc::clone(&stop);
            lanes.push(thread::spawn(move || lane(&sender, &receiver, to.1, &stop)));
        }
        Ok(Self { stop, lanes })
    }

    /// Ends it; what was under way has arrived by then.
    pub fn stop(mut self) -> Result<Tally> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for lane in self.lanes.drain(..) {
            let one = lane
                .join()
                .map_err(|_| anyhow!("a lane of datagrams panicked"))??;
            all.sent += one.sent;
            all.lost += one.lost;
            all.again += one.again;
        }
        Ok(all)
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn socket(namespace: &Namespace, at: SocketAddr) -> Result<UdpSocket> {
    let socket = namespace
        .enter(|| UdpSocket::bind(at))
        .with_context(|| format!("cannot bind {at} in {}", namespace.name()))?;
    setsockopt(&socket, RcvBufForce, &RECEIVE_BYTES)?;
    Ok(socket)
}

fn lane(
    sender: &UdpSocket,
    receiver: &UdpSocket,
    to: SocketAddr,
    stop: &AtomicBool,
) -> Result<Tally> {
    receiver.set_read_timeout(Some(SILENCE))?;
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let seen = scope.spawn(|| {
            let seen = receive(receiver);
            ended.store(true, Ordering::Relaxed);
            seen
        });
        let sent = send(sender, to, stop, &ended)?;
        let seen = seen
            .join()
            .map_err(|_| anyhow!("the receiver of datagrams panicked"))??;
        Ok(tally(sent, &seen))
    })
}

/// Sends until it is stopped, and then the end until it was heard; how many there were.
fn send(socket: &UdpSocket, to: SocketAddr, stop: &AtomicBool, ended: &AtomicBool) -> Result<u64> {
    let mut number = 0u64;
    while !stop.load(Ordering::Relaxed) {
        socket
            .send_to(&number.to_be_bytes(), to)
            .with_context(|| format!("sending to {to}"))?;
        number += 1;
        thread::sleep(PACE);
    }
    let begun = Instant::now();
    while !ended.load(Ordering::Relaxed) {
        ensure!(
            begun.elapsed() < END_LIMIT,
            "the end of the datagrams never arrived at {to}"
        );
        socket.send_to(&END.to_be_bytes(), to)?;
        thread::sleep(PACE * 20);
    }
    Ok(number)
}

/// How often each number came.
fn receive(socket: &UdpSocket) -> Result<Vec<u8>> {
    let mut seen: Vec<u8> = Vec::new();
    let mut octets = [0; 8];
    let mut is_over = false;
    loop {
        match socket.recv(&mut octets) {
            Ok(8) if octets == END.to_be_bytes() => is_over = true,
            Ok(length) => {
                ensure!(length == 8, "a datagram of {length} octets arrived");
                let at = usize::try_from(u64::from_be_bytes(octets))?;
                ensure!(at < 1 << 32, "a datagram with number {at} was never sent");
                seen.resize(seen.len().max(at + 1), 0);
                seen[at] = seen[at].saturating_add(1);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) => {}
            Err(error) => return Err(error).context("receiving datagrams"),
        }
        if is_over {
            return Ok(seen);
        }
    }
}

fn tally(sent: u64, seen: &[u8]) -> Tally {
    let once = seen.iter().filter(|times| **times > 0).count() as u64;
    Tally {
        sent,
        lost: sent.saturating_sub(once),
        again: seen
            .iter()
            .map(|times| u64::from(times.saturating_sub(1)))
            .sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_came_is_lost_and_what_came_twice_is_told() {
        let told = |sent, lost, again| Tally { sent, lost, again };
        assert_eq!(tally(4, &[1, 1, 1, 1]), told(4, 0, 0));
        assert_eq!(tally(4, &[1, 0, 3]), told(4, 2, 2));
        assert_eq!(tally(2, &[]), told(2, 2, 0));
    }
}
