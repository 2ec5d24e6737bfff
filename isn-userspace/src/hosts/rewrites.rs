//! How many SYNs of a configured host left with another number, for hosts that the policy names by their full address. The
//! data plane counts by reason, not by host: this counts samples, of which there are at most so many of a host in a second
//! (`--samples`), and none while nobody reads them.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use isn_common::abi::sample::Sample;

use crate::settings::PolicyTable;

/// SYNs that left with another number, by host.
#[derive(Debug, Default)]
pub struct Rewrites {
    counts: Mutex<BTreeMap<IpAddr, u64>>,
    counting: AtomicBool,
}

impl Rewrites {
    /// From now on samples come in; until then there is nothing to tell.
    pub fn begin(&self) {
        self.counting.store(true, Ordering::Relaxed);
    }

    /// No more samples come in.
    pub fn end(&self) {
        self.counting.store(false, Ordering::Relaxed);
    }

    /// Counts for the hosts that the policy names, and for no others.
    pub fn follow(&self, policy: &PolicyTable) {
        let prefixes = policy.0.keys();
        let named = prefixes.filter(|prefix| prefix.prefix_len() == prefix.max_prefix_len());
        let mut counts = self.lock();
        let next = named
            .map(ipnet::IpNet::addr)
            .map(|host| (host, counts.get(&host).copied().unwrap_or(0)));
        *counts = next.collect();
    }

    /// Counts a sample, if it is of a host that is followed and was rewritten.
    pub fn add(&self, sample: &Sample) {
        if sample.host_isn == sample.wire_isn {
            return;
        }
        let host = Ipv6Addr::from(sample.host).to_canonical();
        if let Some(count) = self.lock().get_mut(&host) {
            *count += 1;
        }
    }

    /// What was counted, in all VLANs together; `None` where no samples come in.
    #[must_use]
    pub fn counts(&self) -> Option<Vec<(IpAddr, u64)>> {
        let counting = self.counting.load(Ordering::Relaxed);
        counting.then(|| {
            self.lock()
                .iter()
                .map(|(host, count)| (*host, *count))
                .collect()
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use isn_common::abi::sample::Flags;

    use super::*;
    use crate::settings::Mode;

    fn policy(prefixes: &[&str]) -> PolicyTable {
        let protect: Vec<_> = prefixes.iter().map(|it| it.parse().unwrap()).collect();
        PolicyTable::build(&protect, Mode::Monotonic).unwrap()
    }

    fn sample(host: &str, wire_isn: u32) -> Sample {
        let host = match host.parse().unwrap() {
            IpAddr::V4(host) => host.to_ipv6_mapped(),
            IpAddr::V6(host) => host,
        };
        Sample {
            at: 0,
            host: host.octets(),
            peer: [0; 16],
            host_port: [0; 2],
            peer_port: [0; 2],
            vlan: 0,
            host_isn: 7,
            wire_isn,
            host_mark: 0,
            wire_mark: 0,
            flags: Flags::default(),
            timestamp_offset: 0,
        }
    }

    fn told(rewrites: &Rewrites) -> Vec<(String, u64)> {
        let counts = rewrites.counts().unwrap().into_iter();
        counts
            .map(|(host, count)| (host.to_string(), count))
            .collect()
    }

    #[test]
    fn hosts_that_the_policy_names_are_counted_and_no_others() {
        let rewrites = Rewrites::default();
        assert_eq!(rewrites.counts(), None);
        rewrites.begin();
        rewrites.follow(&policy(&[
            "192.0.2.7/32",
            "198.51.100.0/24",
            "2001:db8::7/128",
        ]));
        for (host, wire) in [
            ("192.0.2.7", 8),
            ("192.0.2.7", 7),
            ("198.51.100.1", 8),
            ("2001:db8::7", 9),
            ("2001:db8::7", 9),
        ] {
            rewrites.add(&sample(host, wire));
        }
        let v4 = ("192.0.2.7".to_owned(), 1);
        let v6 = ("2001:db8::7".to_owned(), 2);
        assert_eq!(told(&rewrites), [v4, v6.clone()]);

        rewrites.follow(&policy(&["192.0.2.8/32", "2001:db8::7/128"]));
        assert_eq!(told(&rewrites), [("192.0.2.8".to_owned(), 0), v6]);
        rewrites.end();
        assert_eq!(rewrites.counts(), None);
    }
}
