//! Floods of SYNs from addresses that nobody has, from either side, and an account of them that does not depend on isnguard.
//!
//! `ground` prepares a laboratory, `syn` makes the frames, `census` counts what the hooks of an interface get to see.

use std::{
    io,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nix::net::if_::if_nametoindex;
use socket2::{Domain, Protocol, Socket, Type};

use self::syn::Syns;
use crate::{
    family::Family,
    namespace::Namespace,
    packet_socket::link_address,
    topology::{HOST_IF, INSIDE_IF, Lab, OUTSIDE_IF, PEER_IF},
    wait,
};

pub mod census;
pub mod ground;
mod syn;

/// Where a flood comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The hosts' side: guarded addresses ask strangers.
    Hosts,
    /// The peers' side: strangers ask guarded addresses.
    Peers,
}

impl Side {
    /// Both sides.
    pub const ALL: [Self; 2] = [Self::Hosts, Self::Peers];
}

/// Whom a scan finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// Nobody: nothing ever answers.
    Silence,
    /// The peer's closed ports: resets answer.
    Refusal,
}

/// What was sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent {
    /// Frames that the kernel took.
    pub taken: u64,
    /// Frames for which it had no room.
    pub refused: u64,
}

/// A flood that can begin.
#[derive(Debug)]
pub struct Flood {
    socket: Socket,
    syns: Syns,
}

/// Frames sent between two looks at the clock, at most.
const BURST: u64 = 64;

impl Flood {
    /// A flood of SYNs from `side`, each of a flow of its own.
    pub fn new(lab: &Lab, family: Family, side: Side) -> Result<Self> {
        let (from, interface, to, next) = match side {
            Side::Hosts => (&lab.host, HOST_IF, &lab.gateway, INSIDE_IF),
            Side::Peers => (&lab.peer, PEER_IF, &lab.gateway, OUTSIDE_IF),
        };
        let own = ground::link_address(from, interface)?;
        let next = ground::link_address(to, next)?;
        Ok(Self {
            socket: sender(from, interface)?,
            syns: Syns::new(family, side, own, next),
        })
    }

    /// A scan of `what` by the bystander number 0, a flow of its own for each SYN.
    pub fn scan(lab: &Lab, family: Family, what: Scan) -> Result<Self> {
        let flood = Self::new(lab, family, Side::Hosts)?;
        let syns = flood.syns.scanning(what);
        Ok(Self { syns, ..flood })
    }

    /// Sends `count` frames, evenly over about `time`; faster than that it is not, slower it may be.
    pub fn send(&self, count: u64, time: Duration) -> Result<Sent> {
        let started = Instant::now();
        let mut sent = Sent::default();
        while sent.taken + sent.refused < count {
            let done = sent.taken + sent.refused;
            let share = started.elapsed().as_secs_f64() / time.as_secs_f64();
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "far below 2^52, and positive"
            )]
            let due = ((count as f64 * share) as u64).min(count);
            if due <= done {
                std::thread::sleep(wait::PAUSE_BETWEEN_LOOKS);
            }
            for number in done..due.min(done + BURST) {
                match self.socket.send(&self.syns.frame(number)) {
                    Ok(_) => sent.taken += 1,
                    Err(error) if is_full(&error) => sent.refused += 1,
                    Err(error) => return Err(error).context("cannot send a SYN of the flood"),
                }
            }
        }
        Ok(sent)
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EAGAIN))
}

/// A packet socket that sends frames and gets none.
fn sender(namespace: &Namespace, interface: &str) -> Result<Socket> {
    let open = || -> Result<Socket> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        socket.bind(&link_address(if_nametoindex(interface)?, 0)?)?;
        Ok(socket)
    };
    namespace
        .enter(open)
        .with_context(|| format!("cannot open a packet socket on {interface}"))
}
