//! A gateway of its own for each variant: they all stand beside each other, so that each round can measure every one.

use anyhow::{Result, ensure};
use isn_tests::{
    family::Family,
    flood::ground::link_address,
    namespace::Namespace,
    packet_socket::PacketSocket,
    segment,
    topology::{HOST_IF, INSIDE_IF, Lab, LabOptions, OUTSIDE_IF, PEER_IF},
};

use super::{
    lines,
    traffic::{FRAME, HOSTS, Link, PEERS, Segment},
};

/// Host, gateway, peer; hosts without number behind the one, peers behind the other.
pub struct Ground {
    /// The namespaces.
    pub lab: Lab,
    /// From the host to the gateway.
    pub near: Link,
    /// From the peer to the gateway.
    pub far: Link,
}

impl Ground {
    /// Lays it out. The gateway knows its neighbours for good: what ends frames behind it answers no questions.
    pub fn new() -> Result<Self> {
        let lab = Lab::new(LabOptions::default())?;
        let link = |from: (&Namespace, &str), to: (&Namespace, &str)| -> Result<Link> {
            Ok([link_address(from.0, from.1)?, link_address(to.0, to.1)?])
        };
        let near = link((&lab.host, HOST_IF), (&lab.gateway, INSIDE_IF))?;
        let far = link((&lab.peer, PEER_IF), (&lab.gateway, OUTSIDE_IF))?;
        let ends = [
            (HOSTS, Family::V4.host(0), near[0], INSIDE_IF),
            (PEERS, Family::V4.peer(0), far[0], OUTSIDE_IF),
            (lines::HOSTS, Family::V6.host(0), near[0], INSIDE_IF),
            (lines::PEERS, Family::V6.peer(0), far[0], OUTSIDE_IF),
        ];
        for (prefix, end, link, interface) in ends {
            let (end, link) = (end.ip().to_string(), shown(link));
            let neighbour = ["neigh", "replace", &end, "lladdr", &link, "dev", interface];
            lab.gateway.run("ip", &neighbour)?;
            lab.gateway
                .run("ip", &["route", "add", prefix, "via", &end])?;
            poll(&lab.gateway, interface)?;
        }
        poll(&lab.host, HOST_IF)?;
        poll(&lab.peer, PEER_IF)?;
        Ok(Self { lab, near, far })
    }

    /// From now on, segments that the gateway has joined leave it joined, as with a network card that cuts them.
    pub fn joins(&self) -> Result<()> {
        let whole = ["-K", OUTSIDE_IF, "tx", "on", "tso", "on", "gso", "on"];
        self.lab.gateway.run("ethtool", &whole).map(drop)
    }

    /// Ears and mouths at both ends.
    pub fn ends(&self) -> Result<Ends> {
        Ok(Ends {
            host: End {
                socket: PacketSocket::open(&self.lab.host, HOST_IF)?,
                link: self.near,
            },
            peer: End {
                socket: PacketSocket::open(&self.lab.peer, PEER_IF)?,
                link: self.far,
            },
        })
    }
}

/// Both ends of the way through a gateway.
pub struct Ends {
    /// The host's.
    pub host: End,
    /// The peer's.
    pub peer: End,
}

/// One of them.
pub struct End {
    socket: PacketSocket,
    link: Link,
}

impl End {
    /// Sends a segment to the gateway.
    pub fn say(&self, segment: &Segment) -> Result<()> {
        self.say_frame(&segment.frame(self.link)?)
    }

    /// Sends a frame as it is.
    pub fn say_frame(&self, frame: &[u8]) -> Result<()> {
        Ok(self.socket.send(frame)?)
    }

    /// The next TCP segment that has arrived, if there is one.
    pub fn hear(&self) -> Result<Option<segment::Segment>> {
        let mut frame = [0; 2 * FRAME];
        while let Some(length) = self.socket.receive(&mut frame)? {
            let arrived = segment::Segment::parse(std::time::Duration::ZERO, &frame[..length]);
            if let Some(segment) = arrived {
                ensure!(
                    segment.checksum_right,
                    "a segment from {} to {} arrived damaged",
                    segment.source,
                    segment.destination
                );
                return Ok(Some(segment));
            }
        }
        Ok(None)
    }
}

/// Lets an end of a line take frames that were sent without a socket, by a program: it must poll, as it does with any native XDP
/// program, or with GRO.
pub fn poll(namespace: &Namespace, interface: &str) -> Result<()> {
    let polls = ["-K", interface, "gro", "on"];
    namespace.run("ethtool", &polls).map(drop)
}

fn shown(link: [u8; 6]) -> String {
    link.map(|octet| format!("{octet:02x}")).join(":")
}
