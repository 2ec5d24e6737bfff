//! What can sit in a gateway, and how it is set up.

use anyhow::{Context as _, Result, anyhow, ensure};
use isn_common::{expiry::Place, tick::Tick};
use isn_tests::{
    gateway::Isnguard,
    setup::{Hook, Placement, Setup},
    topology::Lab,
};
use isnguard::{
    dataplane::{self, Pins, Upkeep},
    settings,
};

use super::{
    lines,
    traffic::{self, HOSTS},
};
use crate::flows::{OFFSET, OPEN, record};

/// One of them. A further one is a constant below and a place in [`super::VARIANTS`].
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// Part of the names of figures.
    pub id: &'static str,
    /// For people.
    pub what: &'static str,
    /// What it is.
    pub kind: Kind,
}

/// What sits there.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Nothing.
    Plain,
    /// A native XDP program that lets everything pass.
    Pass,
    /// isnguard, with further options.
    Isnguard(Hook, &'static [&'static str]),
    /// A set of rules of nftables, which must see a connection from its beginning.
    Rules(&'static str),
    /// The same, which answers in the peer's place until a connection is open.
    Proxy(&'static str),
}

/// Everything else is set against it.
pub const PLAIN: Variant = variant("plain", "plain routing", Kind::Plain);
/// What any native XDP program costs.
pub const PASS: Variant = variant("pass", "XDP_PASS", Kind::Pass);
/// isnguard at XDP.
pub const XDP: Variant = variant("xdp", "isnguard at XDP", Kind::Isnguard(Hook::Xdp, &[]));
/// isnguard at TC.
pub const TC: Variant = variant("tc", "isnguard at TC", Kind::Isnguard(Hook::Tc, &[]));
/// isnguard forwarding in XDP, past the kernel's stack.
pub const FORWARD: Variant = variant(
    "forward",
    "isnguard, forwarding",
    Kind::Isnguard(Hook::Xdp, &["--outside", "outside0", "--forward"]),
);
/// A gateway that follows connections.
pub const CONNTRACK: Variant = variant("conntrack", "conntrack", Kind::Rules(FOLLOWS));
/// One that hides its hosts.
pub const MASQUERADE: Variant = variant("masquerade", "masquerade", Kind::Rules(HIDES));
/// One that answers for its peers.
pub const SYNPROXY: Variant = variant("synproxy", "SYNPROXY", Kind::Proxy(ANSWERS));

const FOLLOWS: &str = "table ip follows { chain forward { type filter hook forward priority filter; \
                       ct state established,related accept; ct state invalid drop; }; }";
const HIDES: &str = "table ip hides { chain out { type nat hook postrouting priority srcnat; \
                     oifname outside0 masquerade; }; }";
/// As the manual of nft has it.
const ANSWERS: &str = "table ip answers { \
                       chain raw { type filter hook prerouting priority raw; \
                       tcp dport 443 tcp flags & (fin | syn | rst | ack) == syn notrack; }; \
                       chain forward { type filter hook forward priority filter; \
                       tcp dport 443 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm; \
                       ct state established,related accept; ct state invalid drop; }; }";

impl Variant {
    /// What real TCP through it is set against: the least of its kind.
    pub const fn against(self) -> Self {
        match self.kind {
            Kind::Isnguard(Hook::Xdp, _) => PASS,
            _ => PLAIN,
        }
    }
}

const fn variant(id: &'static str, what: &'static str, kind: Kind) -> Variant {
    Variant { id, what, kind }
}

impl Kind {
    /// Whether it is not ours, and may be one that this kernel does not have.
    pub const fn is_peer(self) -> bool {
        matches!(self, Self::Rules(_) | Self::Proxy(_))
    }

    /// Whether it has native XDP programs, for which a virtual line gives up segments of 64 KiB, whatever they do.
    pub const fn is_native(self) -> bool {
        matches!(self, Self::Pass | Self::Isnguard(Hook::Xdp, _))
    }
}

/// Room for all new flows together, since in a full table each takes the place of another, as in a flood; and every one of
/// them is to be told of, however many come at once.
const ROOM: [&str; 4] = ["--max-half-open", "262144", "--samples", "1000"];

/// Puts rules into force in a gateway.
pub fn rule(lab: &Lab, rules: &str) -> Result<()> {
    lab.gateway.run("nft", &[rules])?;
    // A connection that was not seen from its beginning is none.
    let strict = [
        ("net/netfilter/nf_conntrack_tcp_loose", "0"),
        ("net/netfilter/nf_conntrack_tcp_be_liberal", "0"),
        ("net/ipv4/tcp_syncookies", "1"),
        ("net/ipv4/tcp_timestamps", "1"),
    ];
    for (key, value) in strict {
        lab.gateway.set_sysctl(key, value)?;
    }
    Ok(())
}

/// Attaches isnguard where it faces the hosts, which it guards.
pub fn guard<'a>(
    lab: &'a Lab,
    hook: Hook,
    prefixes: &[&str],
    options: &[&str],
) -> Result<Isnguard<'a>> {
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let mut setup = Setup::new(Placement::Inside, hook).with(options);
    setup.protect = prefixes.iter().map(|it| (*it).to_owned()).collect();
    isnguard.attach(&setup)?;
    Ok(isnguard)
}

/// The same for the hosts of frames without stacks, whose flows are all open and have an offset.
pub fn guard_open_flows<'a>(
    lab: &'a Lab,
    hook: Hook,
    options: &[&str],
    flows: u32,
) -> Result<Isnguard<'a>> {
    let prefixes = [HOSTS, lines::HOSTS];
    let isnguard = guard(lab, hook, &prefixes, &[&ROOM, options].concat())?;
    let now = dataplane::now();
    let flows = (0..flows).map(|flow| Ok((traffic::key(flow)?, record(OPEN, OFFSET, Tick(now.0)))));
    let flows: Vec<_> = flows.collect::<Result<_>>()?;
    let mut upkeep = Upkeep::load(&pins(&isnguard)?)?;
    let put = upkeep.restore_v4(Place::Translated, &flows)?;
    let all = flows.len() as u64;
    ensure!(put == all, "{put} of {all} flows found room");
    let flows = (0..lines::FLOWS).map(|flow| (lines::key(flow), record(OPEN, OFFSET, Tick(now.0))));
    let flows: Vec<_> = flows.collect();
    let put = upkeep.restore_v6(Place::Translated, &flows)?;
    let all = flows.len() as u64;
    ensure!(put == all, "{put} of {all} flows of IPv6 found room");
    Ok(isnguard)
}

/// Where an instance is pinned.
pub fn pins(isnguard: &Isnguard) -> Result<Pins> {
    let instance = isnguard.instance();
    let name = instance.parse().map_err(|why| anyhow!("{why}"));
    Ok(Pins::new(&settings::Place {
        instance: name.with_context(|| format!("the name {instance}"))?,
        bpffs: "/sys/fs/bpf".into(),
    }))
}
