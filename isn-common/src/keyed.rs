//! The offset of keyed mode: a function of the 4-tuple and a secret, and of nothing else (S3; RFC 6528 section 3, the `F` in
//! `ISN = M + F(localip, localport, remoteip, remoteport, secretkey)`).
//!
//! It needs no state, so every gateway that has the secret computes the same. For that reason the VLAN is left out: another
//! gateway may carry the same connection under another tag.
//!
//! The message is the octets as they stand in the packet: the host's address, the peer's address, the host's port, the
//! peer's port, and four zeros, which fill the last word: 16 octets for IPv4, 40 for IPv6. The two lengths differ and
//! SipHash takes the length in, so no flow of one family shares its message with one of the other.

use crate::{
    flow::{Address, End, FlowKey},
    siphash::{Key, SipHash},
    tcp::seq::Offset,
    world::Tables,
};

/// Whose key of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Generation {
    /// Of flows that open now.
    Current = 0,
    /// Of flows of before, while they are being adopted.
    Before = 1,
}

/// F by a key of the instance; 0 if it has none of that generation.
#[inline(always)]
pub fn offset_of<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    generation: Generation,
) -> Offset {
    let keyed = world.settings().map(|settings| &settings.keyed);
    let secret = keyed.and_then(|keyed| match generation {
        Generation::Current => Some(keyed.key()),
        Generation::Before => keyed.key_before(),
    });
    secret.map_or(Offset(0), |secret| offset(secret, key))
}

/// F(`secret`, 4-tuple): the lower 32 bits of SipHash-2-4 of the 4-tuple of `key`, whatever its VLAN.
#[must_use]
#[inline(always)]
#[allow(
    clippy::cast_possible_truncation,
    reason = "any 32 of the 64 bits are as good as random"
)]
pub fn offset<K: FlowKey>(secret: Key, key: &K) -> Offset {
    Offset(digest(secret, key.host(), key.peer()) as u32)
}

#[inline(always)]
fn digest<A: Address>(secret: Key, host: End<A>, peer: End<A>) -> u64 {
    let ports = u32::from_le_bytes([host.port[0], host.port[1], peer.port[0], peer.port[1]]);
    A::both(host.address, peer.address, SipHash::new(secret))
        .word(u64::from(ports))
        .finish()
}

#[cfg(test)]
mod tests {
    #![allow(
        deprecated,
        reason = "the standard library's own SipHash-2-4, written by others"
    )]
    use std::hash::{Hasher, SipHasher};

    use super::*;
    use crate::flow::{Key4, Key6};

    const SECRET: Key = Key([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);

    fn key4(octets: [u8; 12]) -> Key4 {
        let part = |from: usize| octets[from..from + 4].try_into().unwrap();
        Key4 {
            host: part(0),
            peer: part(4),
            host_port: [octets[8], octets[9]],
            peer_port: [octets[10], octets[11]],
            vlan: 0,
        }
    }

    fn key6(octets: [u8; 36]) -> Key6 {
        let part = |from: usize| octets[from..from + 16].try_into().unwrap();
        Key6 {
            host: part(0),
            peer: part(16),
            host_port: [octets[32], octets[33]],
            peer_port: [octets[34], octets[35]],
            vlan: 0,
        }
    }

    fn counting<const N: usize>() -> [u8; N] {
        std::array::from_fn(|i| u8::try_from(i).unwrap())
    }

    /// SipHash-2-4 by another implementation.
    fn reference(message: &[u8]) -> u64 {
        let mut hasher = SipHasher::new_with_keys(SECRET.0[0], SECRET.0[1]);
        hasher.write(message);
        hasher.finish()
    }

    #[test]
    fn s3_the_other_implementation_passes_the_papers_vector() {
        assert_eq!(reference(&counting::<15>()), 0xa129_ca61_49be_45e5);
    }

    #[test]
    #[allow(clippy::cast_possible_truncation, reason = "the lower half")]
    fn s3_is_siphash_2_4_of_the_octets_as_in_the_packet() {
        let padded = |octets: &[u8]| reference(&[octets, &[0; 4]].concat()) as u32;
        let (four, six) = (counting::<12>(), counting::<36>());
        assert_eq!(offset(SECRET, &key4(four)).0, padded(&four));
        assert_eq!(offset(SECRET, &key6(six)).0, padded(&six));
        // Fixed for all time: a gateway of another version computes the same.
        assert_eq!(offset(SECRET, &key4(four)), Offset(0x5830_5f2a));
        assert_eq!(offset(SECRET, &key6(six)), Offset(0xc827_a81f));
    }

    /// Flips every bit of a 4-tuple under many keys and gives, for each, how many bits of the offset changed on average.
    fn flips<const N: usize>(of: impl Fn(Key, [u8; N]) -> u32) -> Vec<f64> {
        let keys = 256;
        (0..N * 8)
            .map(|bit| {
                let changed: u32 = (0..keys)
                    .map(|number| {
                        let secret = Key([number, 7]);
                        let mut other = counting::<N>();
                        other[bit / 8] ^= 1 << (bit % 8);
                        (of(secret, counting()) ^ of(secret, other)).count_ones()
                    })
                    .sum();
                f64::from(changed) / 256.0
            })
            .collect()
    }

    /// The mean of 256 differences of 16 bits and standard deviation √8 lies within six of its deviations, √8 / 16.
    #[test]
    fn s3_every_bit_of_the_4_tuple_changes_half_of_the_offset() {
        let four = flips(|secret, octets| offset(secret, &key4(octets)).0);
        let six = flips(|secret, octets| offset(secret, &key6(octets)).0);
        for (bit, changed) in four.into_iter().chain(six).enumerate() {
            assert!((changed - 16.0).abs() < 1.1, "bit {bit}: {changed}");
        }
    }

    #[test]
    fn s3_the_vlan_does_not_count_and_host_and_peer_are_not_interchangeable() {
        let key = key4(counting());
        assert_eq!(
            offset(SECRET, &key),
            offset(SECRET, &Key4 { vlan: 5, ..key })
        );
        let turned = Key4 {
            host: key.peer,
            peer: key.host,
            host_port: key.peer_port,
            peer_port: key.host_port,
            vlan: 0,
        };
        assert_ne!(offset(SECRET, &key), offset(SECRET, &turned));
    }

    #[test]
    fn s3_another_secret_gives_another_offset() {
        let key = key6(counting());
        for bit in 0..128 {
            let mut words = SECRET.0;
            words[bit / 64] ^= 1 << (bit % 64);
            assert_ne!(offset(SECRET, &key), offset(Key(words), &key), "bit {bit}");
        }
    }
}
