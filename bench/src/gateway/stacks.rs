//! A gateway with a variant in it, between real TCP at both ends.

use anyhow::{Context as _, Result, ensure};
use aya::{Ebpf, EbpfLoader};
use isn_common::counter::Counter;
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    topology::{HOST_IF, INSIDE_IF, Lab, LabOptions, OUTSIDE_IF, Offload, PEER_IF},
};

use super::{
    conntrack, ground,
    traffic::PEERS,
    variant::{self, Kind, Variant},
};
use crate::{
    object::{self, OBJECT},
    report::Report,
};

/// As much as a host that opens all these connections may have remembered.
const ROOM: [&str; 4] = ["--max-half-open", "262144", "--max-history", "1000000"];

/// How both ends behave: they learn nothing of each other for later, and send as soon as they may. The host has no timestamps,
/// as ever in the laboratory: with them, SYNPROXY of Linux 6.18 echoes to the peer a number that the peer never sent, which
/// drops that, so that each connection takes a second. Without them, it forgets window scaling and SACK.
const MANNERS: [(&str, &str); 2] = [
    ("tcp_no_metrics_save", "1"),
    ("tcp_congestion_control", "reno"),
];

/// One of those that are measured.
pub struct Stacks<'a> {
    /// What sits there.
    pub variant: Variant,
    /// Where.
    pub lab: &'a Lab,
    isnguard: Option<Isnguard<'a>>,
    _pass: Option<Ebpf>,
}

/// A laboratory for a variant: segments of 64 KiB go through to the end, unless there is native XDP, to which a frame must be complete.
fn laid_out(variant: Variant) -> Result<Lab> {
    let native = variant.kind.is_native();
    let offload = if native {
        Offload::Off
    } else {
        Offload::EndHosts
    };
    let lab = Lab::new(LabOptions {
        offload,
        ..LabOptions::default()
    })?;
    if native {
        ground::poll(&lab.host, HOST_IF)?;
        ground::poll(&lab.peer, PEER_IF)?;
    } else {
        for interface in [INSIDE_IF, OUTSIDE_IF] {
            let whole = ["-K", interface, "tx", "on", "tso", "on", "gso", "on"];
            lab.gateway.run("ethtool", &whole)?;
        }
    }
    let via = |net, node| Family::V4.address(net, node).to_string();
    for (namespace, gateway) in [(&lab.host, via(1, 1)), (&lab.gateway, via(2, 2))] {
        namespace.run("ip", &["route", "add", PEERS, "via", &gateway])?;
    }
    // All of them are the laboratory's peer.
    let local = ["route", "add", "local", PEERS, "dev", "lo"];
    lab.peer.run("ip", &local)?;
    for end in [&lab.host, &lab.peer] {
        for (key, value) in MANNERS {
            end.set_sysctl(&format!("net/ipv4/{key}"), value)?;
        }
    }
    Ok(lab)
}

/// Laboratories for all of these.
pub fn grounds(variants: &[Variant]) -> Result<Vec<Lab>> {
    variants.iter().map(|variant| laid_out(*variant)).collect()
}

/// Sets all of them up; peers that this kernel does not have are named and left out.
pub fn all<'a>(
    labs: &'a [Lab],
    variants: &[Variant],
    report: &mut Report,
) -> Result<Vec<Stacks<'a>>> {
    let mut all = Vec::new();
    for (lab, variant) in labs.iter().zip(variants) {
        match Stacks::new(lab, *variant) {
            Ok(stacks) => all.push(stacks),
            Err(error) if variant.kind.is_peer() => {
                report.cannot(
                    &format!("TCP through {}", variant.what),
                    &format!("{error:#}"),
                );
            }
            Err(error) => return Err(error.context(variant.what)),
        }
    }
    Ok(all)
}

impl<'a> Stacks<'a> {
    fn new(lab: &'a Lab, variant: Variant) -> Result<Self> {
        let (mut isnguard, mut pass) = (None, None);
        match variant.kind {
            Kind::Plain => {}
            Kind::Pass => pass = Some(passing(lab)?),
            Kind::Isnguard(hook, options) => {
                let options = [&ROOM, options].concat();
                let prefix = Family::V4.protected();
                isnguard = Some(variant::guard(lab, hook, &[prefix], &options)?);
            }
            Kind::Rules(rules) | Kind::Proxy(rules) => variant::rule(lab, rules)?,
        }
        Ok(Self {
            variant,
            lab,
            isnguard,
            _pass: pass,
        })
    }

    /// Fails if what answers in the peer's place, where that is so, has not done so for this many connections at least.
    pub fn ensure_answered(&self, connections: u64) -> Result<()> {
        if let Kind::Proxy(_) = self.variant.kind {
            let shown = self.lab.gateway.proc_net("stat/synproxy")?;
            let answered = conntrack::cookies(&shown)?;
            ensure!(
                answered >= connections,
                "SYNPROXY answered for {answered} of {connections} connections"
            );
        }
        Ok(())
    }

    /// Whether isnguard is there.
    pub fn is_guarded(&self) -> bool {
        self.isnguard.is_some()
    }

    /// What isnguard has counted so far; nothing, if it is not there.
    pub fn counted(&self, counters: &[Counter]) -> Result<Vec<u64>> {
        let Some(isnguard) = &self.isnguard else {
            return Ok(Vec::new());
        };
        let count = |it: &Counter| isnguard.counter(it.name());
        counters.iter().map(count).collect()
    }
}

fn passing(lab: &Lab) -> Result<Ebpf> {
    let mut bench = EbpfLoader::new()
        .load(OBJECT)
        .context("cannot load the programs of the benchmark")?;
    object::attach(&mut bench, "pass_xdp", &lab.gateway, INSIDE_IF)?;
    Ok(bench)
}
