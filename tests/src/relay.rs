//! A wire that misbehaves by plan: frames between two interfaces are lost, exchanged and doubled as a seed decides.
//!
//! Only TCP is impaired, so that address resolution does not decide a test's length. What happens to the n-th TCP frame of a direction
//! follows from the seed alone. The ends must send complete frames (`Offload::Off`): a relayed frame has no device left to finish it.

use std::{
    os::fd::AsFd,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::eventfd::{EfdFlags, EventFd},
};

use self::lane::Lane;
use crate::{
    namespace::Namespace,
    packet_socket::PacketSocket,
    topology::{WIRE_FAR_IF, WIRE_NEAR_IF},
    urgent::before_all_others,
};

mod lane;

/// What the wire does to TCP frames, the first three each a share of 1000.
#[derive(Debug, Clone, Copy)]
pub struct Impairment {
    /// From which everything else follows.
    pub seed: u64,
    /// Frames lost.
    pub loss: u32,
    /// Frames overtaken by the next few.
    pub reorder: u32,
    /// Frames sent twice.
    pub duplicate: u32,
    /// Losses come at about even distances, not by chance: as many in every part of a transfer.
    pub even_loss: bool,
    /// How long every frame is under way, each way.
    pub delay: Duration,
    /// How many octets a second pass, each way; 0 for no limit. The queue before it has no end.
    pub rate: u32,
}

impl Impairment {
    /// A wire that does nothing to what it carries.
    pub const NONE: Self = Self {
        seed: 0,
        loss: 0,
        reorder: 0,
        duplicate: 0,
        even_loss: false,
        delay: Duration::ZERO,
        rate: 0,
    };
}

/// What the wire did in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// TCP frames that came.
    pub tcp: u64,
    /// Other frames, passed on as they were.
    pub other: u64,
    /// TCP frames lost.
    pub lost: u64,
    /// TCP frames overtaken.
    pub reordered: u64,
    /// TCP frames sent twice.
    pub duplicated: u64,
    /// Frames lost against the plan, for want of room; a test that needs exact numbers must see 0.
    pub missed: u64,
}

/// What the wire did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tallies {
    /// From the host's side to the peer's.
    pub outbound: Tally,
    /// From the peer's side to the host's.
    pub inbound: Tally,
}

/// A running relay; it stops when told to or dropped.
#[derive(Debug)]
pub struct Relay {
    stop: EventFd,
    thread: Option<JoinHandle<Result<Tallies>>>,
}

impl Relay {
    /// Carries frames between the two interfaces of the wire namespace. Prints its seed.
    pub fn start(wire: &Namespace, impairment: Impairment) -> Result<Self> {
        println!("relay in {}: {impairment:?}", wire.name());
        let near = PacketSocket::open(wire, WIRE_NEAR_IF)?;
        let far = PacketSocket::open(wire, WIRE_FAR_IF)?;
        let stop = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        let stopped = stop.as_fd().try_clone_to_owned()?;
        let thread = thread::spawn(move || {
            before_all_others();
            let mut outbound = Lane::new(impairment, impairment.seed);
            let mut inbound = Lane::new(impairment, !impairment.seed);
            loop {
                let due = outbound
                    .next_due()
                    .into_iter()
                    .chain(inbound.next_due())
                    .min();
                if await_frames(&near, &far, &stopped, due)? {
                    break;
                }
                outbound.carry(&near, &far)?;
                inbound.carry(&far, &near)?;
            }
            outbound.tally.missed += u64::from(near.missed()?);
            inbound.tally.missed += u64::from(far.missed()?);
            Ok(Tallies {
                outbound: outbound.tally,
                inbound: inbound.tally,
            })
        });
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Stops it and says what it did; frames still held are lost with it.
    pub fn stop(mut self) -> Result<Tallies> {
        self.end().context("the relay had been stopped before")?
    }

    fn end(&mut self) -> Option<Result<Tallies>> {
        let thread = self.thread.take()?;
        if let Err(error) = self.stop.write(1) {
            return Some(Err(error).context("cannot tell the relay to stop"));
        }
        Some(
            thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the relay panicked"))),
        )
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.end() {
            eprintln!("the relay failed: {error:#}");
        }
    }
}

/// Waits for a frame, or until something is due; true when told to stop.
fn await_frames(
    near: &impl AsFd,
    far: &impl AsFd,
    stop: &impl AsFd,
    due: Option<Instant>,
) -> Result<bool> {
    let limit = due.map(|due| due.saturating_duration_since(Instant::now()).into());
    let mut watched =
        [stop.as_fd(), near.as_fd(), far.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    match ppoll(&mut watched, limit, None) {
        Ok(_) | Err(nix::Error::EINTR) => Ok(watched[0].any().unwrap_or_default()),
        Err(error) => Err(error).context("cannot wait for frames"),
    }
}
