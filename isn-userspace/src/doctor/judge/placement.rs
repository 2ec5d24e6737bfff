//! Whether the guarded hosts are where the placement says (S22, S23).

use ipnet::IpNet;

use super::super::{
    Check, Finding, Known,
    check::{advice, command},
};
use crate::settings::Placement;

/// Where the interfaces are, and where packets to the guarded hosts leave.
#[derive(Clone, Debug)]
pub struct Sides {
    /// Interfaces of the instance.
    pub interfaces: Vec<String>,
    /// Their side.
    pub placement: Placement,
    /// Name of the instance, where it is attached.
    pub attached: bool,
    /// Whether one of them is a bridge or a port of one: then nothing need be routed.
    pub bridged: bool,
    /// Guarded prefixes.
    pub guarded: Vec<IpNet>,
    /// The way to each prefix that is not everything, and to strangers for those that are.
    pub ways: Vec<(IpNet, Known<Way>)>,
}

/// Where packets to a prefix leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// To this machine itself.
    Local,
    /// Over an interface: its name, and what it lies on or is a port of.
    Over(String, Vec<String>),
    /// Nowhere.
    Nowhere,
}

/// One finding for each prefix that is on the wrong side, or one for all.
#[must_use]
pub fn judge(sides: &Sides) -> Vec<Finding> {
    if sides.bridged {
        return vec![Check::Facing.ok("bridged: no route says where hosts are")];
    }
    let wrong: Vec<Finding> = sides
        .ways
        .iter()
        .filter_map(|(prefix, way)| match way {
            Ok(way) => misplaced(sides, prefix, way).map(|it| it.on(prefix.to_string())),
            Err(why) => Some(
                Check::Facing
                    .unknown(format!("the way to {prefix}: {why}"))
                    .on(prefix.to_string()),
            ),
        })
        .collect();
    if wrong.is_empty() {
        return vec![Check::Facing.ok(fine(sides))];
    }
    wrong
}

/// Whether a prefix is known to be on the wrong side.
#[must_use]
pub fn is_wrong(sides: &Sides) -> bool {
    judge(sides).iter().any(|it| it.degrades)
}

fn fine(sides: &Sides) -> String {
    let ways: Vec<String> = sides
        .ways
        .iter()
        .filter_map(|(prefix, way)| match way {
            Ok(Way::Over(name, _)) => Some(format!("{} over `{name}`", named(prefix))),
            Ok(Way::Local) => Some(format!("{} is this machine", named(prefix))),
            _ => None,
        })
        .collect();
    if ways.is_empty() {
        return "no route says where hosts are".into();
    }
    format!("routes: {}", ways.join(", "))
}

/// Strangers stand for everything, since the default route leads to them.
fn named(prefix: &IpNet) -> String {
    if prefix.prefix_len() == 0 {
        return format!("strangers ({prefix})");
    }
    prefix.to_string()
}

fn misplaced(sides: &Sides, prefix: &IpNet, way: &Way) -> Option<Finding> {
    let is_named = |name: &String| sides.interfaces.contains(name);
    let here = sides.interfaces.join("`, `");
    match (sides.placement, way) {
        (_, Way::Local) | (Placement::Outside, Way::Nowhere) => None,
        (Placement::Inside, Way::Nowhere) if prefix.prefix_len() == 0 => None,
        (Placement::Inside, Way::Nowhere) => Some(Check::Facing.note(
            format!("no route leads to {prefix} (netlink)"),
            advice("add the route, or correct the prefix"),
        )),
        (Placement::Inside, Way::Over(name, _)) if prefix.prefix_len() == 0 => {
            // The default route leads to peers; it must not lead over what is said to face hosts.
            is_named(name).then(|| {
                Check::Facing.warn(
                    format!(
                        "the default route leads over `{name}` (netlink): strangers are there, and they would be \
                         guarded, not the hosts"
                    ),
                    advice(format!(
                        "name the interface that faces the hosts with --inside; or say which hosts are behind `{name}` \
                         with --protect, if its routes lead to hosts as well"
                    )),
                )
            })
        }
        (Placement::Inside, Way::Over(name, below)) => {
            if is_named(name) || below.iter().any(is_named) {
                return None;
            }
            Some(Check::Facing.warn(
                format!(
                    "packets to {prefix} leave over `{name}` (netlink), not over `{here}`: its hosts are not guarded"
                ),
                again(sides, name),
            ))
        }
        (Placement::Outside, Way::Over(name, _)) => {
            let wrong = prefix.prefix_len() > 0 && is_named(name);
            wrong.then(|| {
                Check::Facing.warn(
                    format!(
                        "packets to {prefix} leave over `{name}` (netlink), where the peers are: these are not guarded \
                         hosts, or `{name}` is inside"
                    ),
                    advice(format!(
                        "use --inside {name}, or protect the addresses that the peers see"
                    )),
                )
            })
        }
    }
}

fn again(sides: &Sides, name: &str) -> super::super::Fix {
    let protect: Vec<String> = sides
        .guarded
        .iter()
        .filter(|it| it.prefix_len() > 0)
        .map(|it| format!(" --protect {it}"))
        .collect();
    let attach = format!("isnguard attach --inside {name}{}", protect.concat());
    if sides.attached {
        return command(format!("isnguard detach --drain && {attach}"));
    }
    command(attach)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides(placement: Placement, prefix: &str, way: Way) -> Sides {
        let prefix: IpNet = prefix.parse().unwrap();
        Sides {
            interfaces: vec!["eth1".into()],
            placement,
            attached: false,
            bridged: false,
            guarded: vec![prefix],
            ways: vec![(prefix, Ok(way))],
        }
    }

    fn over(name: &str, below: &[&str]) -> Way {
        Way::Over(name.into(), below.iter().map(|it| (*it).into()).collect())
    }

    #[test]
    fn hosts_inside_are_reached_over_what_is_named() {
        let inside = |prefix, way| is_wrong(&sides(Placement::Inside, prefix, way));
        assert!(!inside("192.0.2.0/24", over("eth1", &[])));
        assert!(!inside("192.0.2.0/24", over("eth1.7", &["eth1"])));
        assert!(inside("192.0.2.0/24", over("eth0", &[])));
        assert!(!inside("192.0.2.1/32", Way::Local));
        assert!(!inside("192.0.2.0/24", Way::Nowhere));
        assert!(inside("0.0.0.0/0", over("eth1", &[])));
        assert!(!inside("0.0.0.0/0", over("eth0", &[])));
        assert!(!inside("::/0", Way::Nowhere));
    }

    #[test]
    fn what_peers_see_is_not_reached_over_the_way_to_them() {
        let outside = |prefix, way| is_wrong(&sides(Placement::Outside, prefix, way));
        assert!(!outside("198.51.100.1/32", Way::Local));
        assert!(outside("198.51.100.0/24", over("eth1", &[])));
        assert!(!outside("192.0.2.0/24", over("eth0", &[])));
        assert!(!outside("0.0.0.0/0", over("eth1", &[])));
    }

    #[test]
    fn the_fix_names_the_right_interface_and_keeps_the_prefixes() {
        let mut it = sides(Placement::Inside, "192.0.2.0/24", over("eth0", &[]));
        let fix = judge(&it)[0].fix.clone().unwrap();
        assert_eq!(
            fix.text(),
            "isnguard attach --inside eth0 --protect 192.0.2.0/24"
        );
        it.attached = true;
        let fix = judge(&it)[0].fix.clone().unwrap();
        assert!(fix.text().starts_with("isnguard detach --drain && "));
    }

    #[test]
    fn a_bridge_needs_no_routes_and_what_is_unknown_is_not_wrong() {
        let mut it = sides(Placement::Inside, "192.0.2.0/24", over("eth0", &[]));
        it.bridged = true;
        assert!(!is_wrong(&it));
        it.bridged = false;
        it.ways[0].1 = Err("permission denied".into());
        assert!(!is_wrong(&it));
    }
}
