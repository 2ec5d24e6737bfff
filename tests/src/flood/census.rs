//! How many frames, and how many SYNs among them, the hooks of the gateway's inside interface get to see, counted by packet
//! sockets there: they look right before TC ingress and right after TC egress, with no queue in between.

use anyhow::{Context as _, Result, ensure};
use isn_common::counter::Counter;
use nix::{
    net::if_::if_nametoindex,
    sys::socket::{getsockopt, setsockopt, sockopt::RcvBuf},
};
use serde_json::Value;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use crate::{
    family::Family, gateway::Isnguard, packet_socket::link_address,
    socket_option::PacketStatistics, topology::INSIDE_IF, wait,
};

/// What went one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OneWay {
    /// Frames of any kind.
    pub frames: u64,
    /// Frames of the family with a SYN.
    pub syns: u64,
}

/// What was counted at one moment, by the packet sockets and by isnguard.
#[derive(Debug, Clone)]
pub struct Census {
    /// From the hosts to the gateway.
    pub from_hosts: OneWay,
    /// From the gateway to the hosts.
    pub to_hosts: OneWay,
    counters: Value,
}

impl Census {
    /// By how much a counter of isnguard has grown since an earlier census; 0 where this version does not have it.
    #[must_use]
    pub fn grown(&self, since: &Self, counter: &str) -> u64 {
        let of = |census: &Self| census.counters[counter].as_u64().unwrap_or(0);
        of(self).wrapping_sub(of(since))
    }

    /// Fails unless isnguard has counted every frame and every SYN of a guarded host since an earlier census, and each of
    /// those SYNs under exactly one decision.
    pub fn ensure_accounted(&self, since: &Self) -> Result<()> {
        let frames = |census: &Self| census.from_hosts.frames + census.to_hosts.frames;
        let seen = self.grown(since, "packets_seen");
        let passed = frames(self) - frames(since);
        ensure!(
            seen == passed,
            "isnguard counted {seen} packets, and {passed} frames passed its hooks"
        );
        let syns = self.from_hosts.syns - since.from_hosts.syns;
        let seen = self.grown(since, "syn_seen");
        // Its sender repeats it, so it is not counted as seen.
        let contended = self.grown(since, "dropped_contended");
        ensure!(
            seen + contended == syns,
            "isnguard counted {seen} SYNs and {contended} contended ones, and {syns} came from the hosts"
        );
        let decided: u64 = DECISIONS.iter().map(|it| self.grown(since, it)).sum();
        ensure!(
            decided == seen,
            "isnguard counted {decided} decisions on {seen} SYNs"
        );
        Ok(())
    }
}

/// Counters of what becomes of a SYN; each SYN adds to one.
const DECISIONS: [&str; 8] = [
    Counter::SynSafe.name(),
    Counter::SynRewritten.name(),
    Counter::SynRetransmit.name(),
    Counter::SynWouldRewrite.name(),
    Counter::SynOnLiveFlow.name(),
    Counter::BypassTcpAuth.name(),
    Counter::BypassOneWay.name(),
    Counter::TableFull.name(),
];

/// Counts as long as it lives.
#[derive(Debug)]
pub struct Counting {
    frames: [Tap; 2],
    syns: [Tap; 2],
}

impl Counting {
    /// Begins at the gateway of a laboratory.
    pub fn begin(gateway: &crate::namespace::Namespace, family: Family) -> Result<Self> {
        let tap = |filter: Vec<SockFilter>| -> Result<Tap> {
            let socket = gateway
                .enter(|| counting_socket(&filter))
                .context("cannot count the frames of the gateway's inside interface")?;
            Ok(Tap { socket, count: 0 })
        };
        Ok(Self {
            frames: [tap(all(HOST_TO_US))?, tap(all(OUTGOING))?],
            syns: [tap(syns(HOST_TO_US, family))?, tap(syns(OUTGOING, family))?],
        })
    }

    /// What all say at a moment at which nothing passes.
    pub fn take(&mut self, isnguard: &Isnguard) -> Result<Census> {
        wait::until(QUIET_LIMIT, "a moment without traffic", || {
            let before = self.read()?;
            let counters = isnguard.stats()?["counters"].clone();
            Ok((self.read()? == before).then_some(Census {
                from_hosts: before[0],
                to_hosts: before[1],
                counters,
            }))
        })
    }

    fn read(&mut self) -> Result<[OneWay; 2]> {
        let mut ways = [OneWay::default(); 2];
        for (at, way) in ways.iter_mut().enumerate() {
            way.frames = self.frames[at].read()?;
            way.syns = self.syns[at].read()?;
        }
        Ok(ways)
    }
}

const QUIET_LIMIT: std::time::Duration = std::time::Duration::from_mins(1);

#[derive(Debug)]
struct Tap {
    socket: Socket,
    count: u64,
}

impl Tap {
    fn read(&mut self) -> Result<u64> {
        // Those that found no room in the socket are among them; reading starts both numbers anew.
        let since = getsockopt(&self.socket, PacketStatistics)?.tp_packets;
        self.count += u64::from(since);
        Ok(self.count)
    }
}

/// `PACKET_OUTGOING` of `linux/if_packet.h`, and whether the type of a packet must be that.
const OUTGOING: bool = true;
const HOST_TO_US: bool = false;
const PACKET_OUTGOING: u32 = 4;
/// `SKF_AD_OFF + SKF_AD_PKTTYPE` of `linux/filter.h`.
const PACKET_TYPE: u32 = 0xffff_f004;
/// Octets that are kept of a frame that counts: none would be kept of one that does not.
const KEPT: u32 = 1;

/// Classic BPF (`linux/bpf_common.h`): loads of a word, half a word and an octet, comparisons, returning.
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_OCTET: u16 = 0x30;
const LOAD_OCTET_BEHIND_X: u16 = 0x50;
const LOAD_IHL_INTO_X: u16 = 0xb1;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_SET: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Every frame of a direction.
fn all(outgoing: bool) -> Vec<SockFilter> {
    let mut filter = vec![SockFilter::new(LOAD_WORD, 0, 0, PACKET_TYPE)];
    let (keep, drop) = if outgoing { (0, 1) } else { (1, 0) };
    filter.push(SockFilter::new(JUMP_IF_EQUAL, keep, drop, PACKET_OUTGOING));
    filter.extend([KEPT, 0].map(|octets| SockFilter::new(RETURN, 0, 0, octets)));
    filter
}

/// The frames of a direction that carry TCP segments of a family with a SYN.
fn syns(outgoing: bool, family: Family) -> Vec<SockFilter> {
    let (ether_type, protocol_at) = match family {
        Family::V4 => (0x0800, 23),
        Family::V6 => (0x86dd, 20),
    };
    let flags = match family {
        Family::V4 => vec![
            SockFilter::new(LOAD_IHL_INTO_X, 0, 0, 14),
            SockFilter::new(LOAD_OCTET_BEHIND_X, 0, 0, 14 + 13),
        ],
        Family::V6 => vec![SockFilter::new(LOAD_OCTET, 0, 0, 14 + 40 + 13)],
    };
    let behind = u8::try_from(flags.len()).expect("one or two");
    let to_end = |left: u8| left + behind + 2;
    let (keep, drop) = if outgoing {
        (0, to_end(4))
    } else {
        (to_end(4), 0)
    };
    let mut filter = vec![
        SockFilter::new(LOAD_WORD, 0, 0, PACKET_TYPE),
        SockFilter::new(JUMP_IF_EQUAL, keep, drop, PACKET_OUTGOING),
        SockFilter::new(LOAD_HALF, 0, 0, 12),
        SockFilter::new(JUMP_IF_EQUAL, 0, to_end(2), ether_type),
        SockFilter::new(LOAD_OCTET, 0, 0, protocol_at),
        SockFilter::new(JUMP_IF_EQUAL, 0, to_end(0), 6),
    ];
    filter.extend(flags);
    filter.push(SockFilter::new(JUMP_IF_SET, 0, 1, 0x02));
    filter.extend([KEPT, 0].map(|octets| SockFilter::new(RETURN, 0, 0, octets)));
    filter
}

fn counting_socket(filter: &[SockFilter]) -> Result<Socket> {
    let all = u16::try_from(libc::ETH_P_ALL)?.to_be();
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
    socket.attach_filter(filter)?;
    // Nobody reads it: what counts is how many frames there were.
    setsockopt(&socket, RcvBuf, &0)?;
    socket.bind(&link_address(if_nametoindex(INSIDE_IF)?, all)?)?;
    Ok(socket)
}
