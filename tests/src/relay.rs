//! A wire that misbehaves by plan: frames between two interfaces are lost, exchanged and doubled as a seed decides.
//!
//! Only TCP is impaired, so that address resolution does not decide a test's length. What happens to the n-th TCP frame of a direction
//! follows from the seed alone. The ends must send complete frames (`Offload::Off`): a relayed frame has no device left to finish it.

use std::{
    os::fd::AsFd,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::{EfdFlags, EventFd},
};

use crate::{
    namespace::Namespace,
    packet_socket::PacketSocket,
    topology::{WIRE_FAR_IF, WIRE_NEAR_IF},
};

const FRAME_ROOM: usize = 70_000;
/// An exchanged frame leaves after this many others …
const OVERTAKEN_BY: u32 = 3;
/// … or when nothing else came for this long.
const HELD_AT_MOST: Duration = Duration::from_millis(2);
const FRAMES_PER_TURN: usize = 64;

/// What the wire does to TCP frames, each a share of 1000.
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
            let mut outbound = Lane::new(impairment, impairment.seed);
            let mut inbound = Lane::new(impairment, !impairment.seed);
            while !await_frames(
                &near,
                &far,
                &stopped,
                outbound.is_holding() || inbound.is_holding(),
            )? {
                let idle = outbound.carry(&near, &far)? + inbound.carry(&far, &near)? == 0;
                if idle {
                    outbound.release(&far)?;
                    inbound.release(&near)?;
                }
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

/// Waits for a frame, or briefly when one is held back; true when told to stop.
fn await_frames(
    near: &impl AsFd,
    far: &impl AsFd,
    stop: &impl AsFd,
    holding: bool,
) -> Result<bool> {
    let limit = if holding {
        PollTimeout::try_from(HELD_AT_MOST)?
    } else {
        PollTimeout::NONE
    };
    let mut watched =
        [stop.as_fd(), near.as_fd(), far.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    match poll(&mut watched, limit) {
        Ok(_) | Err(nix::Error::EINTR) => Ok(watched[0].any().unwrap_or_default()),
        Err(error) => Err(error).context("cannot wait for frames"),
    }
}

/// One direction of the wire.
#[derive(Debug)]
struct Lane {
    impairment: Impairment,
    random: fastrand::Rng,
    buffer: Vec<u8>,
    held: Option<(Vec<u8>, u32)>,
    tally: Tally,
}

impl Lane {
    fn new(impairment: Impairment, seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self {
            impairment,
            random,
            buffer: vec![0; FRAME_ROOM],
            held: None,
            tally: Tally::default(),
        }
    }

    fn is_holding(&self) -> bool {
        self.held.is_some()
    }

    /// Carries what is there, up to a turn's worth; how many frames came.
    fn carry(&mut self, from: &PacketSocket, to: &PacketSocket) -> Result<usize> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut count = 0;
        while count < FRAMES_PER_TURN
            && let Some(length) = from
                .receive(&mut buffer)
                .context("cannot receive a frame")?
        {
            self.handle(&buffer[..length], to)?;
            count += 1;
        }
        self.buffer = buffer;
        Ok(count)
    }

    fn handle(&mut self, frame: &[u8], to: &PacketSocket) -> Result<()> {
        if !is_tcp(frame) {
            self.tally.other += 1;
            return self.pass(frame, to);
        }
        self.tally.tcp += 1;
        // Always three draws, so that one share does not change what another decides.
        let [lost, reordered, duplicated] = [
            self.impairment.loss,
            self.impairment.reorder,
            self.impairment.duplicate,
        ]
        .map(|share| self.random.u32(..1000) < share);
        if lost {
            self.tally.lost += 1;
            return Ok(());
        }
        if reordered && self.held.is_none() {
            self.tally.reordered += 1;
            self.held = Some((frame.to_vec(), OVERTAKEN_BY));
            return Ok(());
        }
        if duplicated {
            self.tally.duplicated += 1;
            self.pass(frame, to)?;
        }
        self.pass(frame, to)
    }

    fn pass(&mut self, frame: &[u8], to: &PacketSocket) -> Result<()> {
        to.send(frame).context("cannot send a frame")?;
        match &mut self.held {
            Some((_, 1)) => self.release(to),
            Some((_, left)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn release(&mut self, to: &PacketSocket) -> Result<()> {
        self.held.take().map_or(Ok(()), |(frame, _)| {
            to.send(&frame).context("cannot send a frame held back")
        })
    }
}

fn is_tcp(frame: &[u8]) -> bool {
    match frame.get(12..14) {
        Some([0x08, 0x00]) => frame.get(23) == Some(&6),
        Some([0x86, 0xdd]) => frame.get(20) == Some(&6),
        _ => false,
    }
}
