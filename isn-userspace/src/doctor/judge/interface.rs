//! An interface: there, up, its driver, which hook, who else is on it, and whether it is the right one of several.

#[cfg(test)]
pub(super) mod tests;

use super::{
    super::{
        Check, Finding, Known,
        check::{advice, command},
    },
    known, offloads, traffic,
};
use crate::{
    dataplane::{
        Hook,
        hook::{self, Plan, Traits},
        interfaces::Interface,
        refusal,
    },
    failure::Failure,
    settings::{HookChoice, Placement},
};

/// What is read about an interface.
#[derive(Debug)]
pub struct Device {
    /// What netlink tells.
    pub interface: Interface,
    /// Its side.
    pub placement: Placement,
    /// The hook that is in use, with its reason; else the one that is asked for.
    pub hook: Seated,
    /// Name of its driver.
    pub driver: Known<String>,
    /// Queues for arriving and for leaving packets.
    pub queues: Known<(u32, u32)>,
    /// Names of the offloads that are on.
    pub offloads: Known<Vec<String>>,
    /// What the driver says of XDP.
    pub xdp: Known<XdpFeatures>,
    /// Name and kind of what it is a port of.
    pub controller: Option<(String, String)>,
    /// Names and kinds of what lies on it.
    pub uppers: Vec<(String, String)>,
    /// Programs of others.
    pub others: Known<Vec<Other>>,
}

/// Which hook it is about.
#[derive(Clone, Debug)]
pub enum Seated {
    /// In use, for this reason.
    Attached(Hook, String),
    /// Asked for.
    Asked(HookChoice),
}

/// `xdp-features` of the netdev family of netlink, Linux 6.3 and later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XdpFeatures {
    /// Programs run in the driver.
    pub basic: bool,
    /// Frames in several buffers.
    pub buffers: bool,
    /// Frames that XDP has redirected to it leave.
    pub transmit: bool,
}

/// A program of somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// "XDP", "TCX ingress", "clsact egress".
    pub place: String,
    /// Whether it sits where native or generic XDP of ours would.
    pub is_xdp: bool,
    /// Name and identifier.
    pub program: String,
    /// Pins and processes that hold it, in words.
    pub owners: Vec<String>,
}

/// The refusal of an interface that is not there, or on which the data plane cannot sit.
#[must_use]
pub fn unusable(name: &str, failure: &Failure) -> Finding {
    Check::Interface.refused(failure).on(name)
}

/// All findings about an interface that can be used.
#[must_use]
pub fn judge(device: &Device) -> Vec<Finding> {
    let (hook, reason) = expected(device);
    let findings = [
        there(&device.interface),
        driver(device),
        chosen(device, hook, &reason),
        offloads::mtu(device, hook),
        offloads::lro(device, hook),
        offloads::gro(device, hook),
        traffic::judge(device, hook),
        offloads::checksums(device, hook),
        offloads::vlan(device, hook),
        known(Check::Programs, &device.others, |others| {
            programs(device, hook, others)
        }),
        members(device),
        promiscuous(&device.interface),
    ];
    let name = &device.interface.name;
    findings.into_iter().map(|it| it.on(name)).collect()
}

fn there(interface: &Interface) -> Finding {
    let Interface { name, index, .. } = interface;
    if interface.up {
        return Check::Interface.ok(format!("index {index}, Ethernet, up (netlink)"));
    }
    Check::Interface.warn(
        format!("index {index}, Ethernet, down (netlink): no packet passes"),
        command(format!("ip link set dev {name} up")),
    )
}

fn driver(device: &Device) -> Finding {
    let kind = device.interface.kind.as_deref().unwrap_or("hardware");
    known(Check::Driver, &device.driver, |driver| {
        let queues = match &device.queues {
            Ok((arriving, leaving)) => format!("{arriving} receive and {leaving} transmit queues"),
            Err(_) => "queues not told".into(),
        };
        Check::Driver.ok(format!(
            "driver {driver} ({kind}), {queues} (ethtool -i, -l)"
        ))
    })
}

/// The hook that is in use or would be, and why.
fn expected(device: &Device) -> (Hook, String) {
    let choice = match &device.hook {
        Seated::Attached(hook, reason) => return (*hook, reason.clone()),
        Seated::Asked(choice) => *choice,
    };
    let traits = Traits {
        kind: device.interface.kind.as_deref(),
        joins: offloads::is_known_on(device, hook::JOINS),
    };
    match hook::plan(choice, traits) {
        Plan::Only(hook, reason) => (hook, reason),
        Plan::XdpElseTc => match (&device.xdp, offloads::too_long(device)) {
            (Ok(features), _) if !features.basic => (
                Hook::Tc,
                "auto: the driver does not offer native XDP".into(),
            ),
            (_, Some(why)) => (Hook::Tc, format!("auto: {why}")),
            (Ok(_), None) => (Hook::Xdp, hook::DRIVER_SERVES.into()),
            (Err(why), None) => (
                Hook::Xdp,
                format!("auto: native XDP is tried, else TC ({why})"),
            ),
        },
    }
}

fn chosen(device: &Device, hook: Hook, reason: &str) -> Finding {
    let name = &device.interface.name;
    let verb = match device.hook {
        Seated::Attached(..) => "in use",
        Seated::Asked(_) => "would be used",
    };
    let evidence = format!("{} {verb}: {reason}", hook.name());
    let lacks = device.xdp.as_ref().is_ok_and(|it| !it.basic);
    match (hook, &device.hook) {
        (Hook::Xdp, Seated::Asked(_)) if lacks => {
            let why = "it does not offer native XDP (xdp-features)";
            Check::Hook.refused(&refusal::driver_refused(name, hook, &why))
        }
        (Hook::XdpGeneric, _) => Check::Hook.note(
            format!("{evidence}; generic XDP copies frames and is slower than TC"),
            advice("use --hook auto or --hook tc"),
        ),
        _ => Check::Hook.ok(evidence),
    }
}

fn programs(device: &Device, hook: Hook, others: &[Other]) -> Finding {
    let described = |it: &Other| {
        let owners = match it.owners.join(", ") {
            none if none.is_empty() => "owner not to be seen".into(),
            owners => owners,
        };
        format!("{}: {} ({owners})", it.place, it.program)
    };
    let list: Vec<String> = others.iter().map(described).collect();
    let list = list.join("; ");
    let in_the_way: Vec<&Other> = others.iter().filter(|it| it.is_xdp).collect();
    let asked = matches!(device.hook, Seated::Asked(_)) && hook != Hook::Tc;
    if asked && !in_the_way.is_empty() {
        let names: Vec<&str> = in_the_way.iter().map(|it| it.program.as_str()).collect();
        let failure = refusal::taken(&device.interface, names.join(" and "));
        let finding = Check::Programs.refused(&failure);
        let evidence = format!("{}; {list}", finding.evidence);
        return Finding {
            evidence,
            ..finding
        };
    }
    if others.is_empty() {
        return Check::Programs.ok("no XDP, TCX or clsact program of others");
    }
    Check::Programs.note(
        list,
        advice(
            "they run beside isnguard: see that none of them changes TCP sequence numbers, or redirects packets so that \
             only one of the two hooks sees them",
        ),
    )
}

fn members(device: &Device) -> Finding {
    let Interface { name, .. } = &device.interface;
    if let Some((controller, kind)) = &device.controller {
        let others = match kind.as_str() {
            "bridge" => "frames between the hosts and other ports of the bridge do not all pass it",
            _ => "packets over the other members do not pass it",
        };
        return Check::Members.warn(
            format!("`{name}` is a port of {kind} `{controller}` (netlink): {others}"),
            advice(format!(
                "name `{controller}` instead, as --{} {controller}",
                device.placement.name()
            )),
        );
    }
    let listed = |them: &[(String, String)]| {
        let words: Vec<String> = them
            .iter()
            .map(|(name, kind)| format!("{kind} `{name}`"))
            .collect();
        words.join(", ")
    };
    if device.uppers.is_empty() {
        return Check::Members.ok("a port of nothing, and nothing lies on it (netlink)");
    }
    Check::Members.ok(format!(
        "a port of nothing; {} on it: their packets pass here, tagged where they are VLANs",
        listed(&device.uppers)
    ))
}

fn promiscuous(interface: &Interface) -> Finding {
    if interface.promiscuity == 0 {
        return Check::Promiscuous.ok("promiscuity 0 (netlink)");
    }
    Check::Promiscuous.note(
        format!(
            "promiscuity {} (netlink): frames for others are taken in and counted, too; a capture that runs is enough",
            interface.promiscuity
        ),
        advice("end the capture; if nobody asked for it, see `ip -d link` and what holds packet sockets (ss -0 -p)"),
    )
}
