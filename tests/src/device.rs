//! A device in user space: a TCP end that answers at an address of its own behind the host's interface, as much of RFC 9293
//! section 3.10.7 as a scanner asks of it, with initial sequence numbers of a generator of the wild.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::AsFd as _,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use etherparse::{PacketBuilder, TcpOptionElement};
use isn_generators::{Generator, Tuple};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::{EfdFlags, EventFd},
};

use crate::{
    chosen_isn::connect,
    family::Family,
    flood::ground::link_address,
    packet_socket::PacketSocket,
    segment::Segment,
    topology::{HOST_IF, INSIDE_IF, Lab},
    urgent::before_all_others,
};

const WINDOW: u16 = 8192;
const HOPS: u8 = 64;
/// Who has no answer by then gets none.
const ANSWER: Duration = Duration::from_secs(5);
const MSS: TcpOptionElement = TcpOptionElement::MaximumSegmentSize(1460);

/// A running device; it stops when dropped.
#[derive(Debug)]
pub struct Device {
    stop: EventFd,
    thread: Option<JoinHandle<Result<()>>>,
}

/// What the device says to one segment.
#[derive(Debug, Clone, Copy)]
struct Answer {
    seq: u32,
    ack: Option<u32>,
    syn: bool,
}

impl Device {
    /// Its address, in the guarded prefix, that no kernel has.
    pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
    /// The port where it listens.
    pub const OPEN_PORT: u16 = 80;
    /// A port where it does not.
    pub const CLOSED_PORT: u16 = 81;

    /// Answers from now on; the gateway is told where it lies.
    pub fn start(lab: &Lab, generator: Box<dyn Generator>) -> Result<Self> {
        Self::start_at(lab, Self::ADDRESS, generator)
    }

    /// The same at another address of the guarded prefix that no kernel has.
    pub fn start_at(lab: &Lab, address: Ipv4Addr, generator: Box<dyn Generator>) -> Result<Self> {
        let own = link_address(&lab.host, HOST_IF)?;
        let gateway = link_address(&lab.gateway, INSIDE_IF)?;
        let [shown_address, link] = [address.to_string(), shown(own)];
        let neighbour = [
            "neigh",
            "replace",
            &shown_address,
            "lladdr",
            &link,
            "dev",
            INSIDE_IF,
        ];
        lab.gateway.run("ip", &neighbour)?;
        let socket = PacketSocket::open(&lab.host, HOST_IF)?;
        let stop = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        let stopped = stop.as_fd().try_clone_to_owned()?;
        let thread = thread::spawn(move || {
            // A number that leaves long after its clock was read is not the generator's.
            before_all_others();
            let mut works = Works {
                address,
                socket,
                links: [own, gateway],
                generator,
                started: Instant::now(),
            };
            loop {
                works.answer_all()?;
                let mut watched = [stopped.as_fd(), works.socket.as_fd()]
                    .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
                poll(&mut watched, PollTimeout::NONE).context("cannot wait for frames")?;
                if watched[0].any() == Some(true) {
                    return Ok(());
                }
            }
        });
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Opens a connection to a device from this port of the peer. The device resets it: it is over at once, and both ends know.
    pub fn probe(lab: &Lab, device: Ipv4Addr, port: u16) -> Result<()> {
        let to = SocketAddr::new(device.into(), Self::OPEN_PORT);
        match connect(&lab.peer, Family::V4.peer(port), to, None, ANSWER) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error).with_context(|| format!("{to} does not answer")),
        }
    }

    /// Stops it; fails if it could not do its work.
    pub fn stop(mut self) -> Result<()> {
        self.end().context("the device had been stopped before")?
    }

    fn end(&mut self) -> Option<Result<()>> {
        let thread = self.thread.take()?;
        if let Err(error) = self.stop.write(1) {
            return Some(Err(error).context("cannot tell the device to stop"));
        }
        Some(
            thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the device panicked"))),
        )
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.end() {
            eprintln!("the device failed: {error:#}");
        }
    }
}

struct Works {
    address: Ipv4Addr,
    socket: PacketSocket,
    links: [[u8; 6]; 2],
    generator: Box<dyn Generator>,
    started: Instant,
}

impl Works {
    fn answer_all(&mut self) -> Result<()> {
        let mut frame = [0; 2048];
        while let Some(length) = self.socket.receive(&mut frame)? {
            let Some(segment) = Segment::parse(Duration::ZERO, &frame[..length]) else {
                continue;
            };
            if segment.destination.ip() == IpAddr::from(self.address)
                && let Some(answer) = self.answer(&segment)
            {
                self.send(&segment, answer)?;
            }
        }
        Ok(())
    }

    /// RFC 9293 sections 3.10.7.1 (closed) and 3.10.7.2 (listening).
    fn answer(&mut self, segment: &Segment) -> Option<Answer> {
        let listens = segment.destination.port() == Device::OPEN_PORT;
        let flags = segment.flags;
        let end = segment.end();
        if flags.rst {
            None
        } else if flags.ack {
            Some(Answer {
                seq: segment.ack,
                ack: None,
                syn: false,
            })
        } else if listens && flags.syn {
            let tuple = Tuple {
                host: segment.destination.ip(),
                host_port: segment.destination.port(),
                peer: segment.source.ip(),
                peer_port: segment.source.port(),
            };
            Some(Answer {
                seq: self.generator.next(self.started.elapsed(), &tuple),
                ack: Some(end),
                syn: true,
            })
        } else if listens {
            None
        } else {
            Some(Answer {
                seq: 0,
                ack: Some(end),
                syn: false,
            })
        }
    }

    fn send(&self, to: &Segment, answer: Answer) -> Result<()> {
        let (SocketAddr::V4(peer), SocketAddr::V4(own)) = (to.source, to.destination) else {
            return Ok(());
        };
        let [source, gateway] = self.links;
        let mut segment = PacketBuilder::ethernet2(source, gateway)
            .ipv4(own.ip().octets(), peer.ip().octets(), HOPS)
            .tcp(own.port(), peer.port(), answer.seq, WINDOW);
        if let Some(number) = answer.ack {
            segment = segment.ack(number);
        }
        segment = if answer.syn {
            segment.syn().options(&[MSS])?
        } else {
            segment.rst()
        };
        let mut frame = Vec::with_capacity(segment.size(0));
        segment.write(&mut frame, &[])?;
        self.socket.send(&frame).context("cannot send an answer")
    }
}

fn shown(link: [u8; 6]) -> String {
    link.map(|octet| format!("{octet:02x}")).join(":")
}
