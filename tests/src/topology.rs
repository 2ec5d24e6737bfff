//! The laboratory's layout: a protected host, a gateway and a peer, each a network namespace, joined by veth pairs.
//!
//! ```text
//!   host                 gateway                  peer
//!   host0 ───────── inside0   outside0 ───────── peer0
//!   192.0.2.2       192.0.2.1   198.51.100.1     198.51.100.2
//!   2001:db8:1::2   …1::1         …2::1          2001:db8:2::2
//! ```
//!
//! One of the two lines may run through a fourth namespace, the wire, where a relay carries the frames.

use anyhow::{Context as _, Result};

use self::line::{addressed, await_running, finish_frames, pair, quiet};
use crate::{family::Family, namespace::Namespace};

mod line;
pub mod neighbour;
pub mod one_arm;
pub mod router;
pub mod spare;

/// The host's interface.
pub const HOST_IF: &str = "host0";
/// The gateway's interface that faces the host.
pub const INSIDE_IF: &str = "inside0";
/// The gateway's interface that faces the peer.
pub const OUTSIDE_IF: &str = "outside0";
/// The peer's interface.
pub const PEER_IF: &str = "peer0";
/// The wire's interface on the side of the host.
pub const WIRE_NEAR_IF: &str = "near0";
/// The wire's interface on the side of the peer.
pub const WIRE_FAR_IF: &str = "far0";

/// Who finishes checksums and cuts segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offload {
    /// The sender, as on a real wire: every frame is complete wherever it is looked at.
    Off,
    /// The end hosts leave both to a device further on, so unfinished checksums and segments up to 64 KiB reach the gateway;
    /// the gateway finishes what it sends, so that the frames that *arrive* at an end can be verified.
    EndHosts,
}

/// Where the wire, a namespace for a relay, is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Between host and gateway.
    Inside,
    /// Between gateway and peer.
    Outside,
}

/// What can be chosen about a laboratory.
#[derive(Debug, Clone, Copy)]
pub struct LabOptions {
    /// Who finishes checksums.
    pub offload: Offload,
    /// Whether the host's TCP sends timestamps; the regressing hosts of the wild do not.
    pub host_timestamps: bool,
    /// Whether there is a fourth namespace for a relay, and where.
    pub wire: Option<Wire>,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            offload: Offload::Off,
            host_timestamps: false,
            wire: None,
        }
    }
}

/// Host, gateway and peer, up and routed.
#[derive(Debug)]
pub struct Lab {
    /// The protected host.
    pub host: Namespace,
    /// The gateway, where isnguard runs.
    pub gateway: Namespace,
    /// The peer, which keeps TIME-WAIT whatever RSTs arrive (`tcp_rfc1337=1`).
    pub peer: Namespace,
    /// The namespace for a relay, where one was asked for.
    pub wire: Option<Namespace>,
}

impl Lab {
    /// Makes the namespaces, joins them and waits until every line is up. Needs root.
    pub fn new(options: LabOptions) -> Result<Self> {
        let lab = Self {
            host: Namespace::new("host")?,
            gateway: Namespace::new("gw")?,
            peer: Namespace::new("peer")?,
            wire: options.wire.map(|_| Namespace::new("wire")).transpose()?,
        };
        for namespace in lab.namespaces() {
            quiet(namespace)?;
        }
        lab.join(options.wire)?;
        lab.address(OUTSIDE_IF)?;
        finish_frames(&lab.gateway, INSIDE_IF)?;
        finish_frames(&lab.gateway, OUTSIDE_IF)?;
        if options.offload == Offload::Off {
            lab.finish_frames_at_ends()?;
        }
        lab.set_manners(options.host_timestamps)?;
        lab.await_lines()?;
        Ok(lab)
    }

    /// Runs `work` while the peer has no route to the host: what arrives there is never answered.
    pub fn unanswered<T>(&self, family: Family, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let host = family.host(0).ip().to_string();
        self.peer.run("ip", &["route", "add", "blackhole", &host])?;
        let outcome = work();
        self.peer.run("ip", &["route", "del", "blackhole", &host])?;
        outcome
    }

    /// Leaves every namespace in place when the laboratory is dropped.
    pub fn keep(&mut self) {
        self.host.keep();
        self.gateway.keep();
        self.peer.keep();
        if let Some(wire) = &mut self.wire {
            wire.keep();
        }
    }

    /// All namespaces, from the host outwards, the wire last.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        [&self.host, &self.gateway, &self.peer]
            .into_iter()
            .chain(&self.wire)
    }

    /// Takes the line between host and gateway away. Needs a laboratory without a wire there.
    pub fn unplug(&self) -> Result<()> {
        let del = ["link", "del", INSIDE_IF];
        self.gateway.run("ip", &del).map(drop)
    }

    /// Makes that line anew, with the same names and addresses.
    pub fn plug(&self) -> Result<()> {
        pair(&self.host, HOST_IF, &self.gateway, INSIDE_IF)?;
        finish_frames(&self.gateway, INSIDE_IF)?;
        finish_frames(&self.host, HOST_IF)?;
        for family in Family::ALL {
            self.address_inside(family)?;
        }
        await_running(&self.host, &[HOST_IF])?;
        await_running(&self.gateway, &[INSIDE_IF])
    }

    fn address_inside(&self, family: Family) -> Result<()> {
        addressed(&self.host, HOST_IF, family, 1, 2)?;
        addressed(&self.gateway, INSIDE_IF, family, 1, 1)?;
        let gateway = family.address(1, 1).to_string();
        let route = ["route", "add", family.outside(), "via", &gateway];
        self.host.run("ip", &route).map(drop)
    }

    fn join(&self, at: Option<Wire>) -> Result<()> {
        let Self {
            host,
            gateway,
            peer,
            wire,
        } = self;
        match (at, wire) {
            (Some(Wire::Inside), Some(wire)) => {
                pair(host, HOST_IF, wire, WIRE_NEAR_IF)?;
                pair(wire, WIRE_FAR_IF, gateway, INSIDE_IF)?;
                pair(gateway, OUTSIDE_IF, peer, PEER_IF)
            }
            (Some(Wire::Outside), Some(wire)) => {
                pair(host, HOST_IF, gateway, INSIDE_IF)?;
                pair(gateway, OUTSIDE_IF, wire, WIRE_NEAR_IF)?;
                pair(wire, WIRE_FAR_IF, peer, PEER_IF)
            }
            _ => {
                pair(host, HOST_IF, gateway, INSIDE_IF)?;
                pair(gateway, OUTSIDE_IF, peer, PEER_IF)
            }
        }
    }

    /// How the ends' TCP behaves.
    fn set_manners(&self, host_timestamps: bool) -> Result<()> {
        let timestamps = if host_timestamps { "1" } else { "0" };
        self.host
            .set_sysctl("net/ipv4/tcp_timestamps", timestamps)?;
        self.peer.set_sysctl("net/ipv4/tcp_rfc1337", "1")
    }

    /// Addresses and routes; the gateway's interface that faces the peer is named.
    fn address(&self, outside: &str) -> Result<()> {
        self.gateway.set_sysctl("net/ipv4/ip_forward", "1")?;
        self.gateway
            .set_sysctl("net/ipv6/conf/all/forwarding", "1")?;
        for family in Family::ALL {
            self.address_inside(family)?;
            addressed(&self.gateway, outside, family, 2, 1)?;
            addressed(&self.peer, PEER_IF, family, 2, 2)?;
            let gateway_outside = family.address(2, 1).to_string();
            self.peer.run(
                "ip",
                &["route", "add", family.protected(), "via", &gateway_outside],
            )?;
        }
        Ok(())
    }

    /// Frames that queues of the laboratory's interfaces have lost so far, by the kernel's count. veth's ring for native XDP
    /// holds 256 frames, and a busy machine lets it run over: TCP repairs that.
    pub fn lost_frames(&self) -> Result<u64> {
        let mut lost = 0;
        for namespace in self.namespaces() {
            let table = namespace.proc_net("dev")?;
            for line in table.lines().skip(2) {
                let (_, numbers) = line.split_once(':').with_context(|| {
                    format!("no interface in this line of /proc/net/dev: {line}")
                })?;
                let numbers: Vec<u64> = numbers
                    .split_whitespace()
                    .map(str::parse)
                    .collect::<Result<_, _>>()
                    .with_context(|| format!("no numbers in this line of /proc/net/dev: {line}"))?;
                // Received: octets, packets, errors, dropped, and four more; then sent, in the same order.
                let dropped =
                    |at: usize| numbers.get(at).context("too few columns in /proc/net/dev");
                lost += dropped(3)? + dropped(11)?;
            }
        }
        Ok(lost)
    }

    /// From now on the end hosts send complete frames, as with [`Offload::Off`].
    pub fn finish_frames_at_ends(&self) -> Result<()> {
        finish_frames(&self.host, HOST_IF)?;
        finish_frames(&self.peer, PEER_IF)
    }

    fn await_lines(&self) -> Result<()> {
        await_running(&self.host, &[HOST_IF])?;
        await_running(&self.gateway, &[INSIDE_IF, OUTSIDE_IF])?;
        await_running(&self.peer, &[PEER_IF])?;
        self.wire.as_ref().map_or(Ok(()), |wire| {
            await_running(wire, &[WIRE_NEAR_IF, WIRE_FAR_IF])
        })
    }
}
