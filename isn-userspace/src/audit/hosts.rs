//! Samples by the host that chose them, in bounded memory: a flood in a capture must not take the machine's.
//!
//! At the limit of samples every host's share is halved, so that those who have most give, and each keeps its first ones. At the
//! limit of hosts those go of which least was seen: a flood's invented senders open one connection each.

use std::{collections::BTreeMap, net::IpAddr};

use crate::grading::Sample;

/// Samples of all hosts together: about 230 MB.
const MOST_SAMPLES: usize = 4_000_000;
/// Samples of one host; more would not say more of its generator.
const MOST_OF_A_HOST: usize = 100_000;
/// Hosts.
const MOST_HOSTS: usize = 200_000;
/// What a host keeps in any case.
const LEAST_OF_A_HOST: usize = 16;

/// The samples, and what found no room.
#[derive(Debug)]
pub struct Hosts {
    samples: BTreeMap<IpAddr, Vec<Sample>>,
    total: usize,
    quota: usize,
    most_samples: usize,
    most: usize,
    dropped: Dropped,
}

/// What found no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Samples of hosts that have others.
    pub samples: u64,
    /// Hosts, with all their samples. One that comes again and goes again counts again.
    pub hosts: u64,
}

impl Default for Hosts {
    fn default() -> Self {
        Self::with_room(MOST_SAMPLES, MOST_OF_A_HOST, MOST_HOSTS)
    }
}

impl Hosts {
    fn with_room(most_samples: usize, quota: usize, most: usize) -> Self {
        Self {
            samples: BTreeMap::new(),
            total: 0,
            quota,
            most_samples,
            most,
            dropped: Dropped::default(),
        }
    }

    /// Remembers a sample of `host`.
    pub fn add(&mut self, host: IpAddr, sample: Sample) {
        if let Some(samples) = self.samples.get_mut(&host) {
            if samples.len() >= self.quota {
                self.dropped.samples += 1;
                return;
            }
            samples.push(sample);
        } else {
            if self.samples.len() >= self.most {
                self.drop_hosts();
            }
            self.samples.insert(host, vec![sample]);
        }
        self.total += 1;
        if self.total >= self.most_samples {
            self.halve();
        }
    }

    /// The samples of each host in order of time, and what found no room.
    pub fn finish(mut self) -> (BTreeMap<IpAddr, Vec<Sample>>, Dropped) {
        for samples in self.samples.values_mut() {
            // Packets of several interfaces need not be in order.
            samples.sort_by_key(|sample| sample.at);
        }
        (self.samples, self.dropped)
    }

    fn halve(&mut self) {
        while self.total > self.most_samples / 4 * 3 && self.quota > LEAST_OF_A_HOST {
            self.quota = (self.quota / 2).max(LEAST_OF_A_HOST);
            for samples in self.samples.values_mut() {
                let over = samples.len().saturating_sub(self.quota);
                samples.truncate(self.quota);
                samples.shrink_to_fit();
                self.dropped.samples += over as u64;
                self.total -= over;
            }
        }
    }

    fn drop_hosts(&mut self) {
        let mut least = 2;
        while self.samples.len() > self.most / 2 {
            let before = (self.samples.len(), self.total);
            self.samples.retain(|_, samples| samples.len() >= least);
            self.total = self.samples.values().map(Vec::len).sum();
            self.dropped.hosts += (before.0 - self.samples.len()) as u64;
            least *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn host(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    fn sample(isn: u32) -> Sample {
        Sample {
            at: Duration::from_secs(u64::from(1_000 - isn % 1_000)),
            peer: host(1),
            peer_port: 80,
            host_port: 1_024,
            isn,
            ahead: None,
        }
    }

    #[test]
    fn samples_are_put_in_order_of_time() {
        let mut hosts = Hosts::default();
        for isn in 1..4 {
            hosts.add(host(9), sample(isn));
        }
        let (samples, dropped) = hosts.finish();
        let isns: Vec<u32> = samples[&host(9)].iter().map(|sample| sample.isn).collect();
        assert_eq!((isns, dropped), (vec![3, 2, 1], Dropped::default()));
    }

    #[test]
    fn at_the_limit_those_with_most_give_and_keep_their_first() {
        let mut hosts = Hosts::with_room(200, 150, 10);
        for isn in 0..20 {
            hosts.add(host(1), sample(isn));
        }
        for isn in 0..400 {
            hosts.add(host(2), sample(isn));
        }
        let (samples, dropped) = hosts.finish();
        assert_eq!(samples[&host(1)].len(), 20);
        let many = &samples[&host(2)];
        assert_eq!(many.len() as u64 + dropped.samples, 400);
        assert!((75..=150).contains(&many.len()), "{}", many.len());
        assert!(many.iter().all(|sample| sample.isn < 150));
    }

    #[test]
    fn a_flood_of_invented_hosts_leaves_the_real_ones() {
        let mut hosts = Hosts::with_room(10_000, 100, 50);
        for isn in 0..5 {
            hosts.add(host(7), sample(isn));
        }
        for number in 100..5_100 {
            hosts.add(host(number), sample(0));
        }
        let (samples, dropped) = hosts.finish();
        assert_eq!(samples[&host(7)].len(), 5);
        assert!(samples.len() <= 50);
        assert_eq!(samples.len() as u64 + dropped.hosts, 5_001);
        assert_eq!(dropped.samples, 0);
    }

    #[test]
    fn memory_stays_bounded_when_every_host_has_as_many() {
        let mut hosts = Hosts::with_room(1_000, 100, 50);
        for round in 0..200 {
            for number in 0..200 {
                hosts.add(host(number), sample(round));
            }
        }
        assert!(hosts.total <= 1_000 && hosts.samples.len() <= 50);
        let held: usize = hosts.samples.values().map(Vec::len).sum();
        assert_eq!(held, hosts.total);
    }
}
