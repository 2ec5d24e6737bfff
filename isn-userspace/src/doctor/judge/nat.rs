//! Address translation, and the placement that it needs (S22, S23).

use std::net::IpAddr;

use super::{
    super::{
        Check, Finding, Fix,
        check::{advice, command},
    },
    gateway::Gateway,
    placement::Sides,
    ruleset::Nat,
};
use crate::settings::Placement;

/// What address translation means for the placement.
pub fn judge(gateway: &Gateway, rules: &[Nat]) -> Finding {
    let hiding: Vec<&Nat> = rules
        .iter()
        .filter(|it| it.action == "masquerade" || it.action == "snat")
        .collect();
    let listed: Vec<String> = rules.iter().map(described).collect();
    let listed = listed.join("; ");
    let Some(sides) = &gateway.sides else {
        return Check::Nat.ok(if rules.is_empty() {
            "no rule translates addresses".into()
        } else {
            format!("{listed}: place isnguard --outside")
        });
    };
    match sides.placement {
        _ if rules.is_empty() => Check::Nat.ok("no rule translates addresses"),
        Placement::Inside if hiding.is_empty() => Check::Nat.note(
            format!("{listed}: peers know the hosts by other addresses"),
            advice(
                "fine while each address and port leads to one host; with --outside the addresses that the peers see \
                 are guarded",
            ),
        ),
        Placement::Inside => Check::Nat.warn(
            format!(
                "{listed}: peers see several hosts behind one address, and a port that one host leaves another takes: \
                 inside, isnguard does not know that to the peer they are one"
            ),
            outside(gateway, sides, &hiding),
        ),
        Placement::Outside => translated_outside(gateway, sides, &hiding, &listed),
    }
}

fn translated_outside(gateway: &Gateway, sides: &Sides, hiding: &[&Nat], listed: &str) -> Finding {
    let own = addresses(gateway, &sides.interfaces);
    let guarded = |it: &&IpAddr| sides.guarded.iter().any(|prefix| prefix.contains(*it));
    let masquerades = hiding.iter().any(|it| it.action == "masquerade");
    if masquerades && !own.is_empty() && !own.iter().any(|it| guarded(&it)) {
        return Check::Nat.warn(
            format!("{listed}: peers see the gateway's own address, which no --protect covers"),
            outside(gateway, sides, hiding),
        );
    }
    Check::Nat.ok(format!(
        "{listed}: outside, isnguard sees the flows that the peers know"
    ))
}

fn described(rule: &Nat) -> String {
    let Nat {
        action,
        place,
        leaving,
    } = rule;
    if leaving.is_empty() {
        return format!("{place}: {action}");
    }
    format!("{place}: {action} on {}", leaving.join(", "))
}

fn addresses(gateway: &Gateway, interfaces: &[String]) -> Vec<IpAddr> {
    let own = gateway.addresses.iter();
    let there = own.filter(|(name, _)| interfaces.contains(name));
    there.map(|(_, address)| *address).collect()
}

fn outside(gateway: &Gateway, sides: &Sides, hiding: &[&Nat]) -> Fix {
    let mut leaving: Vec<String> = hiding
        .iter()
        .flat_map(|it| it.leaving.iter().cloned())
        .collect();
    leaving.sort_unstable();
    leaving.dedup();
    if leaving.is_empty() {
        return advice(
            "place it --outside IF, the interface that faces the peers, and --protect the addresses that they see",
        );
    }
    let placed: Vec<String> = leaving
        .iter()
        .map(|it| format!(" --outside {it}"))
        .collect();
    let protect: Vec<String> = addresses(gateway, &leaving)
        .iter()
        .map(|it| format!(" --protect {it}"))
        .collect();
    let attach = format!("isnguard attach{}{}", placed.concat(), protect.concat());
    if sides.attached {
        return command(format!("isnguard detach --drain && {attach}"));
    }
    command(attach)
}
