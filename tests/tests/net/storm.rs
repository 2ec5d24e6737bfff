//! Both ends of a translated connection live on when its offset is lost (S17): a storm of acknowledgments, between a Linux
//! peer and a host that answers what it cannot use as the standard says, and what breaks it.

use std::{net::SocketAddr, os::fd::AsFd as _, time::Duration};

use anyhow::{Context as _, Result, ensure};
use etherparse::PacketBuilder;
use isn_tests::{
    family::Family,
    flood::ground::link_address,
    gateway::Isnguard,
    packet_socket::PacketSocket,
    scenario::{Connection, host_end, one_life},
    segment::Segment,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{HOST_IF, INSIDE_IF, Lab, LabOptions},
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const BYSTANDER: u16 = 40_001;
const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const KIB: u32 = 64 << 10;
/// Far more rounds than anything but a storm goes.
const ENDLESS: u32 = 2000;
/// Isnguard lets a circle go round this often, to be sure of it: 32 turns are 16 rounds.
const FEW: u32 = 20;
/// A storm makes no pause; the next round is far below a millisecond away.
const SILENCE: Duration = Duration::from_secs(1);

/// The host as RFC 9293 section 3.10.7.4 wants it: an acknowledgment of something not yet sent is answered by one of its own.
/// Linux, whose socket the connection is, drops those silently, so nobody else answers.
struct Host {
    socket: PacketSocket,
    links: [[u8; 6]; 2],
    own: SocketAddr,
    peer: SocketAddr,
    next: u32,
}

impl Host {
    fn acknowledge(&self, number: u32) -> Result<()> {
        let [own, gateway] = self.links;
        let link = PacketBuilder::ethernet2(own, gateway);
        let network = match (self.own, self.peer) {
            (SocketAddr::V4(own), SocketAddr::V4(peer)) => {
                link.ipv4(own.ip().octets(), peer.ip().octets(), 64)
            }
            (SocketAddr::V6(own), SocketAddr::V6(peer)) => {
                link.ipv6(own.ip().octets(), peer.ip().octets(), 64)
            }
            ends => anyhow::bail!("two families: {ends:?}"),
        };
        let segment = network
            .tcp(self.own.port(), self.peer.port(), self.next, 8192)
            .ack(number);
        let mut frame = Vec::with_capacity(segment.size(0));
        segment.write(&mut frame, &[])?;
        self.socket.send(&frame).context("cannot send")
    }

    /// The peer's next acknowledgment, within [`SILENCE`].
    fn hear(&self) -> Result<Option<Segment>> {
        let mut frame = [0; 2048];
        loop {
            let Some(length) = self.socket.receive(&mut frame)? else {
                let mut watched = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
                if poll(&mut watched, PollTimeout::try_from(SILENCE)?)? == 0 {
                    return Ok(None);
                }
                continue;
            };
            let segment = Segment::parse(Duration::ZERO, &frame[..length]);
            if let Some(segment) = segment
                && (segment.source, segment.destination) == (self.peer, self.own)
                && segment.flags.ack
                && segment.payload_len == 0
            {
                return Ok(Some(segment));
            }
        }
    }

    /// Says something that the peer cannot use, and answers its answers until there is silence; how many there were, at most
    /// `most`.
    fn begin(&self, most: u32) -> Result<u32> {
        self.acknowledge(0)?;
        for round in 0..most {
            match self.hear()? {
                Some(segment) => {
                    ensure!(
                        segment.ack != self.next,
                        "the peer can use the host's numbers, so nothing was lost: {segment:?}"
                    );
                    self.acknowledge(segment.seq)?;
                }
                None => return Ok(round),
            }
        }
        // What is still under way belongs to this storm.
        while self.hear()?.is_some() {}
        Ok(most)
    }
}

fn interrupted(family: Family, hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions {
        host_timestamps: false,
        ..LabOptions::default()
    })?;
    // Linux would answer twice a second.
    lab.peer.set_sysctl("net/ipv4/tcp_invalid_ratelimit", "0")?;
    let setup = Setup::new(Placement::Inside, hook);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&setup)?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    one_life(&lab, &server, PORT, FIRST_ISN)?;
    let connection = Connection::open(&lab, &server, PORT, LOWER_ISN)?;
    connection.exchange(KIB.into(), 1)?;
    let own = host_end(&server, PORT);
    ensure!(isnguard.flow(own)?.offset != 0, "{:?}", isnguard.flow(own)?);

    isnguard.detach_by_force()?;
    let host = Host {
        socket: PacketSocket::open(&lab.host, HOST_IF)?,
        links: [
            link_address(&lab.host, HOST_IF)?,
            link_address(&lab.gateway, INSIDE_IF)?,
        ],
        own,
        peer: server.address(),
        next: LOWER_ISN + 1 + KIB,
    };
    let rounds = host.begin(ENDLESS)?;
    ensure!(
        rounds == ENDLESS,
        "no storm arises without isnguard: {rounds} rounds"
    );

    isnguard.attach(&setup)?;
    for storm in 1..=3 {
        let rounds = host.begin(ENDLESS)?;
        println!("{family:?} {hook:?}, storm {storm}: {rounds} rounds");
        ensure!(
            rounds <= FEW,
            "storm {storm} was not interrupted: {rounds} rounds"
        );
        let dropped = isnguard.counter("dropped_ack_storm")?;
        ensure!(dropped >= storm, "storm {storm}: {dropped} counted");
    }
    let bystander = Connection::open(&lab, &server, BYSTANDER, FIRST_ISN)?;
    bystander.exchange(KIB.into(), 2)?;
    bystander.close()
}

#[test]
fn a_storm_is_interrupted_at_xdp() -> Result<()> {
    Family::ALL
        .into_iter()
        .try_for_each(|family| interrupted(family, Hook::Xdp))
}

#[test]
fn a_storm_is_interrupted_at_tc() -> Result<()> {
    Family::ALL
        .into_iter()
        .try_for_each(|family| interrupted(family, Hook::Tc))
}
