//! Which connections a policy makes keyed (S3), and for which of them that changes when another policy takes its place.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use isn_common::abi::policy::Policy;

use super::{Mode, PolicyTable, Treatment};

/// What becomes of keyed mode when one policy takes the place of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turned {
    /// Some connection is keyed that was not.
    pub on: bool,
    /// Some connection was keyed that is not.
    pub off: bool,
}

impl PolicyTable {
    /// Whether any rule is keyed.
    #[must_use]
    pub fn has_keyed(&self) -> bool {
        self.rules()
            .any(|rule| rule.mode == Treatment::Guard(Mode::Keyed))
    }

    /// Whether a connection of this host between these two ports is keyed, whichever is the host's.
    #[must_use]
    pub fn is_keyed(&self, host: IpAddr, one: u16, other: u16) -> bool {
        self.policy_of(IpNet::from(host))
            .is_some_and(|policy| policy.is_keyed(one, other))
    }

    /// The policy of the longest prefix that contains another one, or is it.
    fn policy_of(&self, prefix: IpNet) -> Option<&Policy> {
        (0..=prefix.prefix_len()).rev().find_map(|length| {
            let wider = IpNet::new(prefix.addr(), length).ok()?;
            self.0.get(&wider.trunc())
        })
    }
}

impl Turned {
    /// From one policy to another.
    #[must_use]
    pub fn between(before: &PolicyTable, after: &PolicyTable) -> Self {
        let mut turned = Self::default();
        // What applies to an address is settled by the longest of all these prefixes that covers it.
        for prefix in before.0.keys().chain(after.0.keys()) {
            let (was, is) = (before.policy_of(*prefix), after.policy_of(*prefix));
            if was == is {
                continue;
            }
            let ports = telling_ports([was, is].into_iter().flatten());
            for (one, other) in pairs(&ports) {
                let keyed =
                    |policy: Option<&Policy>| policy.is_some_and(|it| it.is_keyed(one, other));
                turned.on |= keyed(is) && !keyed(was);
                turned.off |= keyed(was) && !keyed(is);
            }
        }
        turned
    }

    /// Whether anything changes.
    #[must_use]
    pub const fn any(self) -> bool {
        self.on || self.off
    }
}

/// Ports of which every other one is treated as one of these is: where ranges begin, and behind their ends.
fn telling_ports<'a>(policies: impl Iterator<Item = &'a Policy>) -> BTreeSet<u16> {
    let rules = policies.flat_map(|policy| policy.rules);
    let edges = rules.flat_map(|rule| [rule.first_port, rule.last_port.saturating_add(1)]);
    edges.chain([0]).collect()
}

fn pairs(ports: &BTreeSet<u16>) -> impl Iterator<Item = (u16, u16)> {
    ports
        .iter()
        .flat_map(move |one| ports.range(*one..).map(move |other| (*one, *other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(protect: &[&str]) -> PolicyTable {
        let protect: Vec<_> = protect.iter().map(|it| it.parse().unwrap()).collect();
        PolicyTable::build(&protect, Mode::Monotonic).unwrap()
    }

    fn turned(before: &[&str], after: &[&str]) -> (bool, bool) {
        let turned = Turned::between(&table(before), &table(after));
        assert_eq!(turned.any(), turned.on || turned.off);
        (turned.on, turned.off)
    }

    #[test]
    fn the_longest_prefix_alone_tells_whether_a_connection_is_keyed() {
        let table = table(&[
            "10.0.0.0/8,mode=keyed",
            "10.1.0.0/16,port=102,mode=keyed",
            "10.1.1.0/24",
            "2001:db8::/32,mode=keyed",
        ]);
        let keyed = |host: &str, one, other| table.is_keyed(host.parse().unwrap(), one, other);
        assert!(keyed("10.2.3.4", 1, 2) && keyed("2001:db8::1", 1, 2));
        assert!(keyed("10.1.2.3", 4000, 102) && keyed("10.1.2.3", 102, 4000));
        assert!(!keyed("10.1.2.3", 4000, 80));
        assert!(!keyed("10.1.1.3", 4000, 102) && !keyed("192.0.2.1", 1, 2));
        assert!(table.has_keyed() && !self::table(&["10.0.0.0/8"]).has_keyed());
    }

    #[test]
    fn a_policy_that_treats_everything_alike_turns_nothing() {
        for (before, after) in [
            (vec!["10.0.0.0/8"], vec!["10.0.0.0/8,mode=observe"]),
            (vec![], vec!["192.0.2.0/24"]),
            (
                vec!["10.0.0.0/8,mode=keyed"],
                vec!["10.0.0.0/8,mode=keyed", "192.0.2.0/24"],
            ),
            // In two halves.
            (
                vec!["10.0.0.0/8,mode=keyed"],
                vec!["10.0.0.0/8,mode=keyed", "10.128.0.0/9,mode=keyed"],
            ),
            (
                vec!["10.0.0.0/8,mode=keyed"],
                vec!["10.0.0.0/8,port=1-9,mode=keyed", "10.0.0.0/8,mode=keyed"],
            ),
        ] {
            assert_eq!(
                turned(&before, &after),
                (false, false),
                "{before:?} {after:?}"
            );
            assert_eq!(
                turned(&after, &before),
                (false, false),
                "{after:?} {before:?}"
            );
        }
    }

    #[test]
    fn what_turns_on_one_way_turns_off_the_other() {
        for (without, with) in [
            (vec![], vec!["10.0.0.0/8,mode=keyed"]),
            (vec!["10.0.0.0/8"], vec!["10.0.0.0/8,mode=keyed"]),
            (
                vec!["10.0.0.0/8"],
                vec!["10.0.0.0/8", "10.9.9.9/32,mode=keyed"],
            ),
            (
                vec!["10.0.0.0/8,mode=keyed", "10.9.0.0/16"],
                vec!["10.0.0.0/8,mode=keyed"],
            ),
            (
                vec!["10.0.0.0/8,port=102,mode=keyed"],
                vec!["10.0.0.0/8,port=102-103,mode=keyed"],
            ),
            (
                vec!["10.0.0.0/8,port=65534,mode=keyed"],
                vec!["10.0.0.0/8,port=65534-65535,mode=keyed"],
            ),
            (
                vec!["10.0.0.0/8,port=80,mode=observe", "10.0.0.0/8,mode=keyed"],
                vec!["10.0.0.0/8,mode=keyed"],
            ),
        ] {
            assert_eq!(
                turned(&without, &with),
                (true, false),
                "{without:?} {with:?}"
            );
            assert_eq!(
                turned(&with, &without),
                (false, true),
                "{with:?} {without:?}"
            );
        }
        let moved = turned(&["10.0.0.0/9,mode=keyed"], &["10.128.0.0/9,mode=keyed"]);
        assert_eq!(moved, (true, true));
    }
}
