//! The other ways through a gateway, of a few flows: from the peers, and IPv6, beside plain routing the same way.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use etherparse::PacketBuilder;
use isn_bench_ebpf::{Course, HEADER_WORDS, HEADER_WORDS_V6};
use isn_common::{counter::Counter, flow::Key6};
use isn_tests::wait;

use super::{
    Effort, figures,
    forwarding::say_lost,
    ground::{Ends, Ground},
    injector::Sending,
    rounds::Rounds,
    stage::Stage,
    traffic::{self, HOPS, PEER, SERVICE},
    variant::{FORWARD, Kind, PLAIN, TC, Variant, XDP},
};
use crate::{
    cpu::Softirqs,
    figure::Unit,
    flows::{HIGH_WATER, PEER_NEXT},
    report::Report,
};

/// Where the hosts and the peers of IPv6 are.
pub const HOSTS: &str = "2001:db8:11::/64";
pub const PEERS: &str = "2001:db8:12::/64";
/// Flows of each way.
pub const FLOWS: u32 = 256;
const PATIENCE: Duration = Duration::from_secs(5);
const WINDOW: u16 = 65_535;

/// A way through the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    from_host: bool,
    is_v6: bool,
    /// Part of the names of figures.
    id: &'static str,
    /// For people.
    what: &'static str,
    /// What makes its frames.
    pub program: &'static str,
}

/// All that are measured here.
pub const LINES: [Line; 3] = [
    Line {
        from_host: false,
        is_v6: false,
        id: "in",
        what: "inbound packet",
        program: "established_in_xdp",
    },
    Line {
        from_host: true,
        is_v6: true,
        id: "v6",
        what: "outbound IPv6 packet",
        program: "established_v6_xdp",
    },
    Line {
        from_host: false,
        is_v6: true,
        id: "v6-in",
        what: "inbound IPv6 packet",
        program: "established_v6_in_xdp",
    },
];

const fn host_v6(number: u32) -> Ipv6Addr {
    let [_, _, high, low] = (number + 1).to_be_bytes();
    let last = u16::from_be_bytes([high, low]);
    Ipv6Addr::new(0x2001, 0xdb8, 0x11, 0, 0, 0, 0, last)
}

const PEER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x12, 0, 0, 0, 0, 1);

/// What isnguard knows a flow of IPv6 by.
pub fn key(number: u32) -> Key6 {
    Key6 {
        host: host_v6(number).octets(),
        peer: PEER_V6.octets(),
        host_port: port(number).to_be_bytes(),
        peer_port: SERVICE.to_be_bytes(),
        vlan: 0,
    }
}

fn port(number: u32) -> u16 {
    let (_, port) = traffic::host(number).expect("there are so many flows");
    port
}

impl Line {
    /// The frame of a flow.
    pub fn frame(&self, ground: &Ground, number: u32) -> Result<Vec<u8>> {
        let [from, to] = if self.from_host {
            ground.near
        } else {
            ground.far
        };
        let link = PacketBuilder::ethernet2(from, to);
        let (source, destination) = self.ends(number)?;
        let network = match (source.ip(), destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                link.ipv4(source.octets(), destination.octets(), HOPS)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                link.ipv6(source.octets(), destination.octets(), HOPS)
            }
            _ => unreachable!("both ends are of one family"),
        };
        let (sequence, acknowledgment) = self.numbers(None);
        let segment = network
            .tcp(source.port(), destination.port(), sequence, WINDOW)
            .ack(acknowledgment);
        let mut frame = Vec::new();
        segment.write(&mut frame, &[])?;
        let words = if self.is_v6 {
            HEADER_WORDS_V6
        } else {
            HEADER_WORDS
        };
        frame.resize(8 * words, 0);
        Ok(frame)
    }

    /// Source and destination.
    fn ends(&self, number: u32) -> Result<(SocketAddr, SocketAddr)> {
        let (host, peer): (IpAddr, IpAddr) = if self.is_v6 {
            (host_v6(number).into(), PEER_V6.into())
        } else {
            (traffic::host(number)?.0.into(), PEER.into())
        };
        let host = SocketAddr::new(host, port(number));
        let peer = SocketAddr::new(peer, SERVICE);
        Ok(if self.from_host {
            (host, peer)
        } else {
            (peer, host)
        })
    }

    /// Sequence and acknowledgment number as they are sent or, behind this variant, as they arrive.
    fn numbers(&self, behind: Option<Variant>) -> (u32, u32) {
        let translated = behind.is_some_and(|it| matches!(it.kind, Kind::Isnguard(..)));
        match (self.from_host, translated) {
            (true, false) => (traffic::SEQUENCE, PEER_NEXT),
            (true, true) => (HIGH_WATER, PEER_NEXT),
            (false, false) => (PEER_NEXT, HIGH_WATER),
            (false, true) => (PEER_NEXT, traffic::SEQUENCE),
        }
    }

    /// What sets the frame of a flow apart from others.
    pub fn course(&self, frame: &[u8]) -> Course {
        let (tcp, source, destination) = if self.is_v6 {
            (54, 34, 50)
        } else {
            (34, 26, 30)
        };
        let (address, port) = if self.from_host {
            (source, tcp)
        } else {
            (destination, tcp + 2)
        };
        let word = |at: usize| u32::from_ne_bytes(octets(frame, at));
        let half = |at: usize| u16::from_ne_bytes(octets(frame, at));
        Course {
            address: word(address),
            sequence: word(tcp + 4),
            acknowledgment: word(tcp + 8),
            port: half(port),
            ip_checksum: if self.is_v6 { 0 } else { half(24) },
            tcp_checksum: half(tcp + 16),
            padding: 0,
        }
    }

    /// Whether the host sends.
    pub const fn is_from_host(&self) -> bool {
        self.from_host
    }

    fn counter(&self) -> Counter {
        if self.from_host {
            Counter::PacketsTranslatedOut
        } else {
            Counter::PacketsTranslatedIn
        }
    }
}

fn octets<const N: usize>(frame: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|octet| frame[at + octet])
}

/// Whether a variant is measured these ways, too. Others know IPv4 flows alone, each from its beginning.
pub fn is_measured(variant: Variant) -> bool {
    [PLAIN, XDP, TC, FORWARD]
        .iter()
        .any(|it| it.id == variant.id)
}

/// Fails unless a segment arrives as the variant has to change it, each way.
pub fn go_through(ends: &Ends, ground: &Ground, variant: Variant) -> Result<()> {
    for line in LINES {
        for number in [0, FLOWS - 1] {
            let (from, to) = if line.from_host {
                (&ends.host, &ends.peer)
            } else {
                (&ends.peer, &ends.host)
            };
            from.say_frame(&line.frame(ground, number)?)?;
            let arrived = wait::until(PATIENCE, "a segment to arrive", || to.hear())
                .with_context(|| line.what)?;
            let (source, destination) = line.ends(number)?;
            let wanted = (source, destination, line.numbers(Some(variant)));
            let is = (
                arrived.source,
                arrived.destination,
                (arrived.seq, arrived.ack),
            );
            ensure!(
                is == wanted,
                "{}: it arrived as {is:?} and not as {wanted:?}",
                line.what
            );
        }
    }
    Ok(())
}

/// Measures all ways through the stages that are for it.
pub fn measure(
    effort: Effort,
    stages: &mut [Stage],
    softirqs: &Softirqs,
    report: &mut Report,
) -> Result<()> {
    let frames = effort.frames / 2;
    let mut stages: Vec<&mut Stage> = stages
        .iter_mut()
        .filter(|it| is_measured(it.variant))
        .collect();
    for line in LINES {
        report.doing(&format!("{}s of {FLOWS} flows through gateways", line.what));
        let mut rounds = Rounds::default();
        for stage in &mut stages {
            stage.send(Sending::Along(line), frames, softirqs)?;
        }
        let before = counted(&stages, line)?;
        let mut missing = 0;
        for _ in 0..effort.rounds {
            for stage in &mut stages {
                let sent = stage.send(Sending::Along(line), frames, softirqs)?;
                rounds.note(stage.variant, sent.cost);
                missing += sent.lost;
            }
        }
        let all = u64::from(frames) * effort.rounds as u64;
        for ((stage, before), now) in stages.iter().zip(before).zip(counted(&stages, line)?) {
            let seen = now - before;
            ensure!(
                stage.isnguard().is_none() || seen <= all && seen + missing >= all,
                "{}: {seen} of {all} packets were translated",
                stage.variant.what
            );
        }
        let all = all * stages.len() as u64;
        say_lost(
            missing,
            all,
            &format!("{}s of {FLOWS} flows", line.what),
            report,
        )?;
        let name = |it: Variant| {
            let what = format!("{} of one of {FLOWS} flows, {}", line.what, it.what);
            (format!("gateway-{}-{}", line.id, it.id), what)
        };
        let against = |_| (PLAIN, None);
        figures(&rounds, Unit::NanosecondsAPacket, name, against, report)?;
    }
    Ok(())
}

/// Packets that isnguard has translated this way, where it is.
fn counted(stages: &[&mut Stage], line: Line) -> Result<Vec<u64>> {
    let counted = |stage: &&mut Stage| {
        stage
            .isnguard()
            .map_or(Ok(0), |it| it.counter(line.counter().name()))
    };
    stages.iter().map(counted).collect()
}
