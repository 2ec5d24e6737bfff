//! Connections that are opened through a gateway and closed again, as many as one CPU can, which has both ends too.
//!
//! The server closes as soon as it has accepted, so nothing is said before the peer is really there, behind a proxy too.

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::Range,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use isn_common::counter::Counter;
use isn_tests::namespace::Namespace;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::{Domain, Protocol, Socket, Type};

use super::{
    Effort, figures,
    rounds::Rounds,
    stacks::Stacks,
    traffic::SERVICE,
    variant::{SYNPROXY, TC, Variant, XDP},
};
use crate::{
    cpu::{Softirqs, unhindered},
    figure::{Figure, Unit},
    report::Report,
};

/// Connections under way at once.
const IN_FLIGHT: usize = 64;
/// The first peer; each connection goes to the next one, so that no two join the same ends: SYNPROXY does not open a
/// connection while the one before is in TIME-WAIT.
const FIRST_PEER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// The token of the listener; clients have their numbers.
const LISTENER: u64 = u64::MAX;
/// Without any connection for so long, something is broken.
const PATIENCE: Duration = Duration::from_secs(5);
const MICROSECONDS: f64 = 1e6;
/// What isnguard does with each of them.
const WORK: [Counter; 3] = [
    Counter::SynSafe,
    Counter::HalfOpenInserted,
    Counter::Promoted,
];

/// Measures all of them.
pub fn measure(
    effort: Effort,
    stacks: &[Stacks],
    softirqs: &Softirqs,
    report: &mut Report,
) -> Result<()> {
    report.doing("connections through gateways");
    let (mut rates, mut costs) = (Rounds::default(), Rounds::default());
    let mut listeners = Vec::new();
    let mut before = Vec::new();
    for it in stacks {
        listeners.push(listen(&it.lab.peer)?);
        before.push(it.counted(&WORK)?);
    }
    for round in 0..effort.rounds {
        let first = u32::try_from(round)? * effort.connections;
        let peers = first..first + effort.connections;
        for (it, listener) in stacks.iter().zip(&listeners) {
            let run = || unhindered(|| open_and_close(listener, peers.clone()));
            let (((), own), took) = it
                .lab
                .host
                .enter(|| softirqs.timed(run))
                .with_context(|| format!("connections through {}", it.variant.what))?;
            let count = f64::from(effort.connections);
            rates.note(it.variant, count / own.as_secs_f64());
            costs.note(it.variant, took.work.as_secs_f64() * MICROSECONDS / count);
        }
    }
    let all = u64::from(effort.connections) * effort.rounds as u64;
    for (it, before) in stacks.iter().zip(before) {
        has_worked(it, &before, all)?;
    }
    say(&rates, &costs, report)
}

/// Fails unless what sits in the gateway has done all of its work since then for as many connections.
fn has_worked(stacks: &Stacks, before: &[u64], all: u64) -> Result<()> {
    for ((counter, now), before) in WORK.iter().zip(stacks.counted(&WORK)?).zip(before) {
        let (what, name, counted) = (stacks.variant.what, counter.name(), now - before);
        ensure!(
            counted == all,
            "{what}: of {all} connections, {name} counts {counted}"
        );
    }
    stacks.ensure_answered(all)
}

fn say(rates: &Rounds, costs: &Rounds, report: &mut Report) -> Result<()> {
    let name = |it: Variant| {
        let what = format!("connections, {}", it.what);
        (format!("rate-{}", it.id), what)
    };
    figures(rates, Unit::ConnectionsASecond, name, against, report)?;
    if let Some(ratio) = rates.ratio(TC, SYNPROXY)? {
        let id = format!("rate-{}-by-{}", TC.id, SYNPROXY.id);
        let rate = rates.median(TC)?;
        let figure = Figure::new(id, name(TC).1, rate, Unit::ConnectionsASecond);
        report.add(figure.over(ratio, SYNPROXY.what).must(Some("P13 SYNPROXY")));
    }
    let name = |it: Variant| {
        let what = format!("a connection, {}", it.what);
        (format!("connection-{}", it.id), what)
    };
    let without = |it: Variant| (it.against(), None);
    figures(costs, Unit::MicrosecondsAConnection, name, without, report)
}

fn against(variant: Variant) -> (Variant, Option<&'static str>) {
    let target = match variant.id {
        id if id == XDP.id => Some("P13 XDP_PASS"),
        id if id == TC.id => Some("P13 plain"),
        _ => None,
    };
    (variant.against(), target)
}

/// A listener at all addresses of the peer.
fn listen(peer: &Namespace) -> Result<Socket> {
    peer.enter(|| -> Result<Socket> {
        let listener = socket()?;
        listener.set_reuse_address(true)?;
        listener.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, SERVICE)).into())?;
        listener.listen(1024)?;
        Ok(listener)
    })
    .context("the peer cannot listen")
}

fn socket() -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Opens a connection to each of these peers, by their numbers, and sees it closed.
fn open_and_close(listener: &Socket, mut peers: Range<u32>) -> Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let mut left = peers.len();
    let mut clients = Vec::with_capacity(IN_FLIGHT);
    for (peer, token) in peers.by_ref().take(IN_FLIGHT).zip(0..) {
        clients.push(Some(open(&epoll, peer, token)?));
    }
    let mut events = [EpollEvent::empty(); 2 * IN_FLIGHT];
    while left > 0 {
        let count = epoll.wait(&mut events, EpollTimeout::try_from(PATIENCE)?)?;
        ensure!(count > 0, "{left} connections do not come about");
        for event in &events[..count] {
            if event.data() == LISTENER {
                accept_all(listener)?;
                continue;
            }
            let slot = &mut clients[usize::try_from(event.data())?];
            let client = slot.take().context("an event of a closed socket")?;
            is_closed_by_peer(&client)?;
            drop(client);
            left -= 1;
            if let Some(peer) = peers.next() {
                *slot = Some(open(&epoll, peer, event.data())?);
            }
        }
    }
    Ok(())
}

/// Begins a connection to the peer of a number, and tells when that has closed it.
fn open(epoll: &Epoll, number: u32, token: u64) -> Result<Socket> {
    let client = socket()?;
    let peer = Ipv4Addr::from_bits(FIRST_PEER.to_bits() + number);
    match client.connect(&SocketAddr::from((peer, SERVICE)).into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => {
            return Err(error).with_context(|| format!("cannot connect to {peer}"));
        }
        _ => {}
    }
    let closed = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP;
    epoll.add(&client, EpollEvent::new(closed, token))?;
    Ok(client)
}

/// Accepts whoever is there, and closes.
fn accept_all(listener: &Socket) -> Result<()> {
    loop {
        match listener.accept() {
            Ok((server, _)) => drop(server),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("the peer cannot accept"),
        }
    }
}

fn is_closed_by_peer(client: &Socket) -> Result<()> {
    let mut octet = [std::mem::MaybeUninit::uninit()];
    match client.recv(&mut octet) {
        Ok(0) => Ok(()),
        Ok(_) => bail!("the peer had something to say"),
        Err(error) => Err(error).context("a connection did not come about"),
    }
}
