//! The generator that the standard asks for.

use std::{net::IpAddr, time::Duration};

use fastrand::Rng;
use isn_common::{
    flow::{Key4, Key6},
    keyed,
    siphash::Key,
    tcp::seq::Offset,
};

use crate::{Generator, Tuple};

/// A clock and a keyed hash of the 4-tuple (RFC 6528 section 3, RFC 9293 section 3.4.1, MUST-8 and SHLD-1).
#[derive(Clone, Debug)]
pub struct Rfc6528 {
    secret: [u64; 2],
    /// Nanoseconds.
    tick: u64,
}

impl Rfc6528 {
    /// With a tick of 4 microseconds, or of 64 ns as in Linux (`secure_seq.c`).
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        Self {
            secret: [rng.u64(..), rng.u64(..)],
            tick: if rng.bool() { 4_000 } else { 64 },
        }
    }
}

impl Generator for Rfc6528 {
    #[allow(clippy::cast_possible_truncation, reason = "numbers are modulo 2^32")]
    fn next(&mut self, at: Duration, tuple: &Tuple) -> u32 {
        let clock = (at.as_nanos() / u128::from(self.tick)) as u32;
        clock.wrapping_add(hash(Key(self.secret), tuple).0)
    }
}

fn hash(secret: Key, tuple: &Tuple) -> Offset {
    let (host_port, peer_port) = (tuple.host_port.to_be_bytes(), tuple.peer_port.to_be_bytes());
    match (tuple.host, tuple.peer) {
        (IpAddr::V4(host), IpAddr::V4(peer)) => {
            let key = Key4 {
                host: host.octets(),
                peer: peer.octets(),
                host_port,
                peer_port,
                vlan: 0,
            };
            keyed::offset(secret, &key)
        }
        (host, peer) => {
            let octets = |address| match address {
                IpAddr::V4(it) => it.to_ipv6_mapped().octets(),
                IpAddr::V6(it) => it.octets(),
            };
            let key = Key6 {
                host: octets(host),
                peer: octets(peer),
                host_port,
                peer_port,
                vlan: 0,
            };
            keyed::offset(secret, &key)
        }
    }
}
