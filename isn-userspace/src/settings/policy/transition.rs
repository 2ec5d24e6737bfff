//! The way from one policy to another, prefix by prefix, on which every host is treated by the one or by the other.
//!
//! The tries take one prefix at a time. A SYN in between must find for its host what applied before, or what applies
//! afterwards, and nothing third. So the longest of the new and changed prefixes go in first: a wider one that is changed
//! can then decide only for hosts of which no narrower one will. And the shortest of the old ones go out first: a narrower
//! one that is to go decides until it goes itself.

use std::cmp::Reverse;

use ipnet::IpNet;
use isn_common::abi::policy::Policy;

use super::PolicyTable;

/// One write to a trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The prefix gets this policy, in the place of what it had.
    Put(IpNet, Policy),
    /// The prefix goes.
    Remove(IpNet),
}

impl PolicyTable {
    /// The writes that make `self` of `before`, in their order.
    #[must_use]
    pub fn steps_from(&self, before: &Self) -> Vec<Step> {
        let changed = |(prefix, policy): &(&IpNet, &Policy)| before.0.get(prefix) != Some(policy);
        let mut put: Vec<(IpNet, Policy)> = self
            .0
            .iter()
            .filter(changed)
            .map(|(prefix, policy)| (*prefix, *policy))
            .collect();
        put.sort_by_key(|(prefix, _)| Reverse(prefix.prefix_len()));
        let old = before.0.keys().copied();
        let mut gone: Vec<IpNet> = old.filter(|it| !self.0.contains_key(it)).collect();
        gone.sort_by_key(IpNet::prefix_len);
        let put = put
            .into_iter()
            .map(|(prefix, policy)| Step::Put(prefix, policy));
        put.chain(gone.into_iter().map(Step::Remove)).collect()
    }

    /// Prefixes of IPv4 and of IPv6 that are in the tries while `self` takes the place of `before`.
    #[must_use]
    pub fn most_on_the_way_from(&self, before: &Self) -> [usize; 2] {
        let both = || {
            before
                .0
                .keys()
                .chain(self.0.keys().filter(|it| !before.0.contains_key(it)))
        };
        let v4 = both().filter(|it| it.addr().is_ipv4()).count();
        [v4, both().count() - v4]
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::settings::{Mode, Protect};

    /// What applies to a host by these prefixes.
    fn applies(table: &PolicyTable, host: IpAddr) -> Option<Policy> {
        let covering = table.0.iter().filter(|(prefix, _)| prefix.contains(&host));
        covering
            .max_by_key(|(prefix, _)| prefix.prefix_len())
            .map(|(_, policy)| *policy)
    }

    fn take(table: &mut PolicyTable, step: Step) {
        match step {
            Step::Put(prefix, policy) => drop(table.0.insert(prefix, policy)),
            Step::Remove(prefix) => drop(table.0.remove(&prefix)),
        }
    }

    /// Few prefixes, so that they lie in each other.
    fn tables() -> impl Strategy<Value = PolicyTable> {
        let prefix = (
            0u8..4,
            prop::sample::select(vec![0u8, 8, 16, 24, 32]),
            0u16..3,
        );
        prop::collection::vec(prefix, 0..12).prop_map(|given| {
            let mut table = PolicyTable::default();
            for (octet, length, port) in given {
                let prefix = IpNet::new([10, octet, octet, octet].into(), length).unwrap();
                let rule = Protect {
                    prefix: prefix.trunc(),
                    ports: format!("{}", port + 1).parse().unwrap(),
                    mode: None,
                };
                let one = PolicyTable::build(&[rule], Mode::Monotonic).unwrap();
                table.0.extend(one.0);
            }
            table
        })
    }

    proptest! {
        #[test]
        fn on_the_way_every_host_is_treated_as_before_or_as_afterwards(before in tables(), after in tables()) {
            let mut now = before.clone();
            let [most, _] = after.most_on_the_way_from(&before);
            for step in after.steps_from(&before) {
                take(&mut now, step);
                prop_assert!(now.0.len() <= most);
                for octet in 0..4 {
                    for host in [[10, octet, octet, octet], [10, octet, octet, 9], [10, octet, 9, 9], [10, 9, 9, 9], [9, 9, 9, 9]] {
                        let host = IpAddr::from(host);
                        let seen = applies(&now, host);
                        prop_assert!(
                            seen == applies(&before, host) || seen == applies(&after, host),
                            "{host} after {step:?}"
                        );
                    }
                }
            }
            prop_assert_eq!(now, after);
        }
    }
}
