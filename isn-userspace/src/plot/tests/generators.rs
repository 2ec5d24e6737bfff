//! Hosts as they are met.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use isn_generators::{Kind, Tuple};

use crate::grading::Sample;

/// What it sends on a connection.
const SENT: u32 = 1_000;

/// One sample a second with these numbers, each from another port.
pub fn samples(isns: impl IntoIterator<Item = u32>) -> Vec<Sample> {
    isns.into_iter()
        .zip(0..)
        .map(|(isn, n)| Sample {
            at: Duration::from_secs(n),
            peer: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            peer_port: 1_024 + u16::try_from(n % 60_000).unwrap(),
            host_port: 80,
            isn,
            ahead: None,
        })
        .collect()
}

/// A host of each kind: the name, and so many samples at random distances of up to two seconds. Every tenth connection is on
/// the 4-tuple of the one before.
pub fn kinds(count: u32) -> Vec<(&'static str, Vec<Sample>)> {
    Kind::ALL
        .into_iter()
        .map(|kind| (kind.name(), host(kind, count)))
        .collect()
}

fn host(kind: Kind, count: u32) -> Vec<Sample> {
    let mut generator = kind.make(3);
    let mut dice = fastrand::Rng::with_seed(5);
    let mut at = Duration::from_hours(24);
    let mut ended: HashMap<Tuple, u32> = HashMap::new();
    (0..count)
        .map(|n| {
            at += Duration::from_micros(dice.u64(..2_000_000));
            let tuple = Tuple::numbered(n - u32::from(n % 10 == 9));
            let isn = generator.next(at, &tuple);
            let before = ended.insert(tuple, isn.wrapping_add(SENT));
            Sample {
                at,
                peer: tuple.peer,
                peer_port: tuple.peer_port,
                host_port: tuple.host_port,
                isn,
                ahead: before.map(|end| isn.wrapping_sub(end).cast_signed()),
            }
        })
        .collect()
}
