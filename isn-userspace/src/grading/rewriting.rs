//! What the wire would show with isnguard in front of the host: for the figures "after", and before anything is changed.
//!
//! The numbers are those of the data plane, from the same functions. Two things a sample does not hold: the peer's window,
//! so the right edge is taken to be where the host's data ended, and whether isnguard would still remember the
//! connection before; `ahead` says that it does. Neither changes how predictable the numbers are.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
};

use isn_common::{
    abi::flow::pack,
    flow::{FlowKey, Key4, Key6},
    isn::Occupied,
    keyed,
    siphash::Key,
    tcp::seq::{Offset, Seq},
};

use super::{Sample, gaps::tuple};

/// `samples` of `host` in keyed mode: every number plus F(`secret`, 4-tuple), then as in monotonic mode (rule S3).
#[must_use]
pub fn keyed(samples: &[Sample], host: IpAddr, secret: Key) -> Vec<Sample> {
    rewritten(samples, host, secret, true)
}

/// `samples` of `host` in monotonic mode: a number that does not lie ahead of the connection before on its 4-tuple is moved
/// there by an unpredictable jump, the others stay (rule S2).
#[must_use]
pub fn monotonic(samples: &[Sample], host: IpAddr, secret: Key) -> Vec<Sample> {
    rewritten(samples, host, secret, false)
}

/// Samples in order of time.
fn rewritten(samples: &[Sample], host: IpAddr, secret: Key, is_keyed: bool) -> Vec<Sample> {
    let mut offsets: HashMap<(IpAddr, u16, u16), Offset> = HashMap::new();
    samples
        .iter()
        .map(|sample| {
            let tuple = tuple(sample);
            let known = offsets.get(&tuple).copied();
            let wire = match (host, sample.peer) {
                (IpAddr::V4(host), IpAddr::V4(peer)) => {
                    let key = Key4 {
                        host: host.octets(),
                        peer: peer.octets(),
                        host_port: sample.host_port.to_be_bytes(),
                        peer_port: sample.peer_port.to_be_bytes(),
                        vlan: 0,
                    };
                    on_wire(&key, sample, known, secret, is_keyed)
                }
                (host, peer) => {
                    let key = Key6 {
                        host: octets(host),
                        peer: octets(peer),
                        host_port: sample.host_port.to_be_bytes(),
                        peer_port: sample.peer_port.to_be_bytes(),
                        vlan: 0,
                    };
                    on_wire(&key, sample, known, secret, is_keyed)
                }
            };
            offsets.insert(tuple, Offset(wire.isn.wrapping_sub(sample.isn)));
            wire
        })
        .collect()
}

/// One sample as the peer would see it. `known` is the offset of the incarnation before on this 4-tuple.
fn on_wire<K: FlowKey>(
    key: &K,
    sample: &Sample,
    known: Option<Offset>,
    secret: Key,
    is_keyed: bool,
) -> Sample {
    let by_key = if is_keyed {
        keyed::offset(secret, key)
    } else {
        Offset(0)
    };
    let candidate = Seq(sample.isn).advanced(by_key.0);
    let Some(ahead) = sample.ahead else {
        return Sample {
            isn: candidate.0,
            ..*sample
        };
    };
    // Where nothing is known of the incarnation before but its end, it had the offset that this one would have.
    let before = known.unwrap_or(by_key);
    let end = Seq(sample.isn)
        .advanced(ahead.wrapping_neg().cast_unsigned())
        .advanced(before.0);
    let occupied = Occupied {
        high_water: end,
        right_edge: end,
    };
    let wire = if occupied.allows(candidate) {
        candidate
    } else {
        #[allow(clippy::cast_possible_truncation, reason = "any 32 bits")]
        occupied.safe_number(key.digest(secret, [end.0.into(), pack(candidate.0, end.0)]) as u32)
    };
    Sample {
        isn: wire.0,
        ahead: Some(wire.distance_from(end)),
        ..*sample
    }
}

/// An address as IPv6 writes it.
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(it) => it.to_ipv6_mapped(),
        IpAddr::V6(it) => Ipv6Addr::from(it.octets()),
    }
    .octets()
}
