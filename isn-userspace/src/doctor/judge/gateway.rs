//! Forwarding, connection tracking and short cuts of the gateway itself.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use super::{
    super::{
        Check, Finding, Known,
        check::{advice, command},
    },
    known, nat,
    placement::{self, Sides},
    ruleset::{Flowtable, Ruleset},
};

/// What is read about the gateway.
#[derive(Debug)]
pub struct Gateway {
    /// Where the instance is, or would be; `None` if no interface is named and none is attached.
    pub sides: Option<Sides>,
    /// `net.ipv4.ip_forward`.
    pub forwards_v4: Known<u32>,
    /// `net.ipv6.conf.all.forwarding`.
    pub forwards_v6: Known<u32>,
    /// The larger of `net.ipv4.conf.all.rp_filter` and the interface's own, which is the one that counts.
    pub rp_filter: Vec<(String, Known<u32>)>,
    /// The rules of the packet filter.
    pub ruleset: Known<Ruleset>,
    /// `net.netfilter.nf_conntrack_count`; `None` if the kernel follows no connections.
    pub connections: Known<Option<u32>>,
    /// `net.netfilter.nf_conntrack_tcp_be_liberal`.
    pub liberal: Known<Option<u32>>,
    /// Addresses that strangers can reach, by interface.
    pub addresses: Vec<(String, IpAddr)>,
    /// Interfaces of the instance that lie on others: VLANs, bridges and the like.
    pub stacked: Vec<String>,
}

const V4: &str = "net.ipv4.ip_forward";
const V6: &str = "net.ipv6.conf.all.forwarding";
const LIBERAL: &str = "net.netfilter.nf_conntrack_tcp_be_liberal";

/// All findings about the gateway.
#[must_use]
pub fn judge(gateway: &Gateway) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(sides) = &gateway.sides {
        findings.extend(placement::judge(sides));
    }
    findings.push(forwarding(gateway));
    findings.extend(
        gateway
            .rp_filter
            .iter()
            .map(|(name, value)| rp_filter(name, value)),
    );
    let rules =
        |check, judged: &dyn Fn(&Ruleset) -> Finding| known(check, &gateway.ruleset, judged);
    findings.push(conntrack(gateway));
    findings.push(rules(Check::Nat, &|it| nat::judge(gateway, &it.nat)));
    findings.push(rules(Check::Synproxy, &|it| synproxy(&it.synproxy)));
    findings.push(rules(Check::Flowtable, &|it| {
        flowtable(gateway, &it.flowtables)
    }));
    findings
}

fn forwarding(gateway: &Gateway) -> Finding {
    let (v4, v6) = match (&gateway.forwards_v4, &gateway.forwards_v6) {
        (Err(why), _) => return Check::Forwarding.unknown(why),
        // A kernel without IPv6 has no such setting.
        (Ok(v4), v6) => (*v4, v6.as_ref().copied().unwrap_or(0)),
    };
    let read = format!("{V4}={v4}, {V6}={v6}");
    let Some(sides) = &gateway.sides else {
        return Check::Forwarding.ok(read);
    };
    if sides.bridged {
        return Check::Forwarding.ok(format!("{read}; bridged, which needs none"));
    }
    let guards = |v4: bool| {
        let mut families = sides.guarded.iter();
        families.any(|it| it.addr().is_ipv4() == v4)
    };
    match (guards(true) && v4 == 0, guards(false) && v6 == 0) {
        (false, false) => Check::Forwarding.ok(read),
        (true, false) if v6 == 0 => lacking(&read, "IPv4", V4, true),
        (true, false) => lacking(&read, "IPv4", V4, !guards(false)),
        (false, true) => lacking(&read, "IPv6", V6, !guards(true)),
        (true, true) => Check::Forwarding.warn(
            format!("{read}: hosts get no further than this gateway"),
            command(format!("sysctl -w {V4}=1 {V6}=1")),
        ),
    }
}

fn lacking(read: &str, family: &str, key: &str, degrades: bool) -> Finding {
    Finding {
        degrades,
        ..Check::Forwarding.note(
            format!("{read}: {family} is guarded and not forwarded"),
            command(format!("sysctl -w {key}=1")),
        )
    }
}

fn rp_filter(name: &str, value: &Known<u32>) -> Finding {
    let finding = known(Check::RpFilter, value, |value| {
        let read = format!("net.ipv4.conf.{{all,{name}}}.rp_filter: {value} counts");
        match value {
            1 => Check::RpFilter.note(
                format!(
                    "{read}: packets whose answers would leave over another interface are dropped"
                ),
                // `sysctl` writes a dot in a name as a slash.
                command(format!(
                    "sysctl -w net.ipv4.conf.{}.rp_filter=2",
                    name.replace('.', "/")
                )),
            ),
            _ => Check::RpFilter.ok(read),
        }
    });
    finding.on(name)
}

fn conntrack(gateway: &Gateway) -> Finding {
    let (count, liberal) = match (&gateway.connections, &gateway.liberal) {
        (Err(why), _) | (_, Err(why)) => return Check::Conntrack.unknown(why),
        (Ok(None), _) | (_, Ok(None)) => {
            return Check::Conntrack.ok("the kernel follows no connections (no nf_conntrack)");
        }
        (Ok(Some(count)), Ok(Some(liberal))) => (*count, *liberal),
    };
    let read = format!("{count} connections (nf_conntrack_count), {LIBERAL}={liberal}");
    let rules = match &gateway.ruleset {
        Err(why) => return Check::Conntrack.unknown(format!("{read}; {why}")),
        Ok(rules) => rules,
    };
    if rules.drops_invalid.is_empty() {
        let follows = if rules.follows { "are" } else { "are not" };
        return Check::Conntrack.ok(format!(
            "{read}; connections {follows} followed, and no rule drops what is invalid"
        ));
    }
    let place = rules.drops_invalid.join(", ");
    if liberal != 0 {
        return Check::Conntrack.ok(format!(
            "{read}; {place} drops what is invalid, which numbers alone are not"
        ));
    }
    let wrong = gateway.sides.as_ref().is_some_and(placement::is_wrong);
    if !wrong {
        return Check::Conntrack.ok(format!(
            "{read}; {place} drops what is invalid: fine, since conntrack sees the same numbers in both directions of \
             whatever passes the instance's interfaces both ways"
        ));
    }
    Check::Conntrack.warn(
        format!(
            "{read}; {place} drops what is invalid, and hosts are reached past the instance's interfaces: where one \
             direction alone is translated, conntrack drops the other"
        ),
        command(format!("sysctl -w {LIBERAL}=1")),
    )
}

fn synproxy(places: &[String]) -> Finding {
    if places.is_empty() {
        return Check::Synproxy.ok("no rule answers SYNs in the place of hosts");
    }
    Check::Synproxy.note(
        format!(
            "{}: SYNPROXY opens connections to hosts with numbers of its own; those of the hosts never reach the peers",
            places.join(", ")
        ),
        advice(
            "connections that hosts open are guarded as ever; those to them need no --protect on the ports that SYNPROXY \
             answers (port=)",
        ),
    )
}

fn flowtable(gateway: &Gateway, tables: &[Flowtable]) -> Finding {
    let listed: Vec<String> = tables
        .iter()
        .map(|it| format!("`{}` on {}", it.name, it.devices.join(", ")))
        .collect();
    let listed = listed.join("; ");
    if tables.is_empty() {
        return Check::Flowtable.ok("no flowtable");
    }
    if let Some(it) = tables.iter().find(|it| it.hardware) {
        return Check::Flowtable.fail(
            format!(
                "{listed}; `{}` has `flags offload`: the card forwards its flows by itself, and no hook sees them",
                it.name
            ),
            advice(
                "take `flags offload` out of the flowtable, or keep the guarded hosts out of it in the rule with `flow \
                 add`",
            ),
        );
    }
    if gateway.stacked.is_empty() {
        return Check::Flowtable.ok(format!(
            "{listed}, in software: its flows pass XDP and TC of these interfaces all the same"
        ));
    }
    Check::Flowtable.warn(
        format!(
            "{listed}: its flows go from one lowest interface to the other, past the hooks of `{}`",
            gateway.stacked.join("`, `")
        ),
        advice(
            "name the interfaces below instead, or keep the guarded hosts out of the flowtable in the rule with `flow add`",
        ),
    )
}
