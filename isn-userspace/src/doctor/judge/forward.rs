//! Whether packets can be forwarded in XDP between two sides, and what of the gateway they would go past.

#[cfg(test)]
mod tests;

use super::{
    super::{Check, Finding, Known, check::advice},
    interface::XdpFeatures,
    ruleset::Ruleset,
};
use crate::{failure::Failure, settings::cannot_forward};

/// What is read for it.
#[derive(Debug)]
pub struct Forward {
    /// Interfaces of both sides.
    pub devices: Vec<Device>,
    /// The rules of the packet filter.
    pub ruleset: Known<Ruleset>,
    /// Marks by which packets are routed otherwise.
    pub marks: Known<Vec<u32>>,
    /// Interfaces and the kinds of their queueing disciplines.
    pub queues: Known<Vec<(String, String)>>,
    /// Filters and programs of others at TC, in words.
    pub programs: Known<Vec<String>>,
    /// Policies of `IPsec`.
    pub ipsec: Known<usize>,
}

/// An interface.
#[derive(Debug)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its kind, if it is virtual.
    pub kind: Option<String>,
    /// `net.ipv4.conf.IF.forwarding`.
    pub forwards_v4: Known<u32>,
    /// `net.ipv6.conf.IF.forwarding`.
    pub forwards_v6: Known<u32>,
    /// What its driver does with XDP.
    pub xdp: Known<XdpFeatures>,
    /// Its offloads.
    pub offloads: Known<Vec<String>>,
    /// What it is a port of.
    pub controller: Option<String>,
    /// Whether it has a hardware address.
    pub has_address: bool,
}

/// Disciplines that only queue: what goes past them misses nothing that somebody has asked for.
const PLAIN_QUEUES: [&str; 9] = [
    "noqueue",
    "pfifo_fast",
    "pfifo",
    "bfifo",
    "mq",
    "fq",
    "fq_codel",
    "clsact",
    "ingress",
];

/// Why it cannot be, or must not be unless the operator says so.
#[must_use]
pub fn refusal(forward: &Forward, past_rules: bool) -> Option<Failure> {
    let unable = forward.devices.iter().find_map(unable);
    if unable.is_some() {
        return unable;
    }
    if let Some(failure) = switched_off(&forward.devices) {
        return Some(failure);
    }
    let past = past(forward);
    (!past.is_empty() && !past_rules).then(|| {
        cannot_forward(
            format!("packets would go past what this gateway has for them: {}", past.join("; ")),
            "take it away; or say --forward-past-rules, if packets between these interfaces need none of it",
        )
    })
}

fn unable(device: &Device) -> Option<Failure> {
    let name = &device.name;
    if let Some(controller) = &device.controller {
        return Some(cannot_forward(
            format!("`{name}` is a port of `{controller}`, which has the addresses and the routes"),
            format!("name `{controller}` if its driver runs XDP, or attach without --forward"),
        ));
    }
    if !device.has_address {
        return Some(cannot_forward(
            format!("`{name}` has no Ethernet address"),
            "name an Ethernet interface",
        ));
    }
    let stripped = |on: &Vec<String>| on.iter().any(|it| it == "rx-vlan-hw-parse");
    if device.kind.as_deref() != Some("veth") && device.offloads.as_ref().is_ok_and(stripped) {
        return Some(cannot_forward(
            format!(
                "`{name}` takes VLAN tags off before XDP sees them (rx-vlan-hw-parse), so that frames would be forwarded without"
            ),
            format!("ethtool -K {name} rxvlan off"),
        ));
    }
    match &device.xdp {
        Ok(features) if !features.transmit => Some(cannot_forward(
            format!(
                "`{name}` takes no frames that XDP redirects to it (xdp-features without ndo-xmit)"
            ),
            if device.kind.as_deref() == Some("veth") {
                "a veth takes them if its other end has an XDP program or GRO (ethtool -K IF gro on): see to that, or attach without --forward"
            } else {
                "attach without --forward, or use a driver that has XDP_REDIRECT"
            },
        )),
        _ => None,
    }
}

/// The routing decision is the kernel's, which makes none for an interface that does not forward.
fn switched_off(devices: &[Device]) -> Option<Failure> {
    let on = |value: fn(&Device) -> &Known<u32>| {
        devices
            .iter()
            .all(|it| value(it).as_ref().is_ok_and(|it| *it != 0))
    };
    if on(|it| &it.forwards_v4) || on(|it| &it.forwards_v6) {
        return None;
    }
    let names: Vec<String> = devices.iter().map(|it| format!("`{}`", it.name)).collect();
    Some(cannot_forward(
        format!(
            "this gateway does not forward between {} (net.ipv4.conf.IF.forwarding, net.ipv6.conf.IF.forwarding)",
            names.join(" and ")
        ),
        "sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
    ))
}

/// What packets would go past, in words; what could not be read counts, since it may be there.
#[must_use]
pub fn past(forward: &Forward) -> Vec<String> {
    let rules = told(&forward.ruleset, |it| it.hooked.clone());
    let marks = told(&forward.marks, |marks| {
        let rule = |mark: &u32| format!("a rule of routing by mark (ip rule, fwmark {mark:#x})");
        marks.iter().map(rule).collect()
    });
    let queues = told(&forward.queues, |queues| {
        let shaping = queues
            .iter()
            .filter(|(_, kind)| !PLAIN_QUEUES.contains(&kind.as_str()));
        shaping
            .map(|(name, kind)| format!("the queueing discipline {kind} of `{name}`"))
            .collect()
    });
    let programs = told(&forward.programs, Clone::clone);
    let ipsec = told(&forward.ipsec, |policies| {
        let some =
            (*policies > 0).then(|| format!("{policies} policies of IPsec (ip xfrm policy)"));
        some.into_iter().collect()
    });
    [rules, marks, queues, programs, ipsec].concat()
}

/// A fact in words; one that cannot be read, too.
fn told<T>(fact: &Known<T>, words: impl FnOnce(&T) -> Vec<String>) -> Vec<String> {
    match fact {
        Ok(fact) => words(fact),
        Err(why) => vec![format!("what cannot be read: {why}")],
    }
}

/// The finding: about what is asked for, or about what is attached and goes past something by now.
#[must_use]
pub fn judge(forward: &Forward, past_rules: bool, attached: bool) -> Finding {
    let past = past(forward);
    match refusal(forward, past_rules || attached) {
        Some(failure) => Check::Past.refused(&failure),
        None if past.is_empty() => {
            Check::Past.ok("packets that are forwarded in XDP go past nothing that this gateway has for them")
        }
        None => Check::Past.note(
            format!("packets that are forwarded in XDP go past {}", past.join("; ")),
            advice("see that packets between these interfaces need none of it, or detach and attach without --forward"),
        ),
    }
}
