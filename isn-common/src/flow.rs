//! What identifies a flow: the 4-tuple as seen from the host, with the VLAN it lives in.
//!
//! The key is oriented, so that both directions of a connection find the same entry with one
//! lookup: which side is the host follows from the hook and the placement.

use crate::{
    abi::flow::{pack, unpack},
    filter::{self, Bits},
    siphash::{Key, SipHash},
};

/// Which way a packet goes, seen from the guarded host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the host to the peer: the host is the packet's source.
    Outbound,
    /// From the peer to the host: the host is the packet's destination.
    Inbound,
}

impl Direction {
    /// The other way.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Outbound => Self::Inbound,
            Self::Inbound => Self::Outbound,
        }
    }
}

/// VLAN identifiers of a frame: outer in bits 12 to 23, inner (or the only one) in bits 0 to 11.
/// Priority tags (VID 0) count as no tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Vlan(pub u32);

impl Vlan {
    /// No tag, or only priority tags.
    pub const UNTAGGED: Self = Self(0);
    const VID: u32 = 0x0fff;

    /// The same with a further tag inside those so far; `tci` as on the wire (802.1Q).
    #[must_use]
    pub const fn tagged(self, tci: u16) -> Self {
        let vid = tci as u32 & Self::VID;
        if vid == 0 {
            self
        } else {
            Self((self.0 & Self::VID) << 12 | vid)
        }
    }

    /// Outer and inner VLAN identifiers; 0 where there is none.
    #[must_use]
    pub const fn identifiers(self) -> (u32, u32) {
        (self.0 >> 12 & Self::VID, self.0 & Self::VID)
    }
}

/// An address of either family, in network order, as a flow key holds it.
pub trait Address: Copy + PartialEq {
    /// The key of a flow of this family.
    type Key: FlowKey<Address = Self>;

    /// Whether a TCP endpoint can have this address: not unspecified, loopback or multicast.
    fn is_endpoint(self) -> bool;

    /// Its bit in the filter of guarded hosts ([`crate::filter`]).
    fn filter_bit(self) -> Bits;

    /// As IPv6 writes it: an IPv4 address mapped (RFC 4291 section 2.5.5.2).
    fn mapped(self) -> [u8; 16];

    /// The same as two words of native order.
    fn mapped_words(self) -> [u64; 2];

    /// `hash` of the message with the octets of both addresses more, `host` first: 8 octets for IPv4, 32 for IPv6.
    fn both(host: Self, peer: Self, hash: SipHash) -> SipHash;
}

/// One end of a packet: address and port, both in network order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End<A> {
    /// Network address.
    pub address: A,
    /// Port.
    pub port: [u8; 2],
}

/// What a key tells of its flow.
pub trait FlowKey: Copy {
    /// The family of its addresses.
    type Address: Address<Key = Self>;

    /// The guarded host's address and port.
    fn host(&self) -> End<Self::Address>;

    /// The peer's address and port.
    fn peer(&self) -> End<Self::Address>;

    /// [`Vlan`] of the flow.
    fn vlan(&self) -> u32;

    /// What stands behind the addresses, as a word of native order: both ports, the host's first, and the VLAN.
    fn end(&self) -> u64;

    /// A number that nobody without `secret` can tell from random; the same for the same inputs.
    fn digest(&self, secret: Key, more: [u64; 2]) -> u64;

    /// A number by which flows are spread over cells. Cheap, and no secret: whoever knows it can make flows share a cell.
    fn fold(&self) -> u32;

    /// The same for the host alone.
    fn fold_host(&self) -> u32;

    /// As many words as the key has: 2 for IPv4, 5 for IPv6.
    type Words<W>: AsRef<[W]>;

    /// The same octets as words of native order. What a map's hash reads in words must have been written in words: the
    /// processor cannot forward several narrow writes to a wide read, and waits for all of them to be done.
    fn words(&self) -> Self::Words<u64>;

    /// The key whose words these are.
    fn from_words(word: impl Fn(usize) -> u64) -> Self;
}

/// IPv4 flow: 16 octets, aligned so that words of them may be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C, align(8))]
pub struct Key4 {
    /// The guarded host's address, network order.
    pub host: [u8; 4],
    /// The peer's address, network order.
    pub peer: [u8; 4],
    /// The host's port, network order.
    pub host_port: [u8; 2],
    /// The peer's port, network order.
    pub peer_port: [u8; 2],
    /// [`Vlan`] of the flow.
    pub vlan: u32,
}

/// IPv6 flow: 40 octets, aligned likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C, align(8))]
pub struct Key6 {
    /// The guarded host's address, network order.
    pub host: [u8; 16],
    /// The peer's address, network order.
    pub peer: [u8; 16],
    /// The host's port, network order.
    pub host_port: [u8; 2],
    /// The peer's port, network order.
    pub peer_port: [u8; 2],
    /// [`Vlan`] of the flow.
    pub vlan: u32,
}

const _: () = assert!(size_of::<Key4>() == 16 && size_of::<Key6>() == 40);

impl Address for [u8; 4] {
    type Key = Key4;

    fn is_endpoint(self) -> bool {
        // 0.0.0.0/8 (this network), 127.0.0.0/8, 224.0.0.0/4 and 240.0.0.0/4 with broadcast.
        !matches!(self[0], 0 | 127 | 224..)
    }

    #[inline(always)]
    fn filter_bit(self) -> Bits {
        filter::of_v4(self)
    }

    #[inline(always)]
    fn mapped(self) -> [u8; 16] {
        let [a, b, c, d] = self;
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
    }

    #[inline(always)]
    fn mapped_words(self) -> [u64; 2] {
        [0, joined([0, 0, 0xff, 0xff], self)]
    }

    #[inline(always)]
    fn both(host: Self, peer: Self, hash: SipHash) -> SipHash {
        hash.word(pack(u32::from_le_bytes(host), u32::from_le_bytes(peer)))
    }
}

impl Address for [u8; 16] {
    type Key = Key6;

    fn is_endpoint(self) -> bool {
        let number = u128::from_be_bytes(self);
        self[0] != 0xff && number > 1
    }

    #[inline(always)]
    fn filter_bit(self) -> Bits {
        filter::of_v6(self)
    }

    #[inline(always)]
    fn mapped(self) -> [u8; 16] {
        self
    }

    #[inline(always)]
    fn mapped_words(self) -> [u64; 2] {
        in_words(self)
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "both halves are taken")]
    fn both(host: Self, peer: Self, hash: SipHash) -> SipHash {
        let (host, peer) = (u128::from_le_bytes(host), u128::from_le_bytes(peer));
        hash.word(host as u64)
            .word((host >> 64) as u64)
            .word(peer as u64)
            .word((peer >> 64) as u64)
    }
}

/// Multiplicative hashing (Knuth, volume 3, section 6.4): the upper half of a product is well mixed. Bits move up only, so
/// the upper half of the word comes down first.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the upper half")]
const fn mixed(word: u64) -> u32 {
    ((word ^ word >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// The two halves of an IPv6 address as one word.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "both halves are taken")]
const fn halves(address: [u8; 16]) -> u64 {
    let number = u128::from_le_bytes(address);
    number as u64 ^ ((number >> 64) as u64).rotate_left(29)
}

const fn ports(host: [u8; 2], peer: [u8; 2]) -> u32 {
    u32::from_le_bytes([host[0], host[1], peer[0], peer[1]])
}

/// Eight octets as a word of native order.
#[inline(always)]
pub(crate) const fn joined(first: [u8; 4], second: [u8; 4]) -> u64 {
    let (first, second) = (u32::from_ne_bytes(first), u32::from_ne_bytes(second));
    if cfg!(target_endian = "little") {
        pack(first, second)
    } else {
        pack(second, first)
    }
}

/// The octets of a word of native order, in two halves.
const fn apart(word: u64) -> ([u8; 4], [u8; 4]) {
    let (low, high) = unpack(word);
    if cfg!(target_endian = "little") {
        (low.to_ne_bytes(), high.to_ne_bytes())
    } else {
        (high.to_ne_bytes(), low.to_ne_bytes())
    }
}

/// What stands behind the addresses of a key, as a word of native order.
#[inline(always)]
const fn end_of_key(host_port: [u8; 2], peer_port: [u8; 2], vlan: u32) -> u64 {
    let ports = [host_port[0], host_port[1], peer_port[0], peer_port[1]];
    joined(ports, vlan.to_ne_bytes())
}

/// The inverse of [`end_of_key`].
const fn from_end_of_key(word: u64) -> ([u8; 2], [u8; 2], u32) {
    let ([a, b, c, d], vlan) = apart(word);
    ([a, b], [c, d], u32::from_ne_bytes(vlan))
}

/// The inverse of [`in_words`].
const fn from_words([first, second]: [u64; 2]) -> [u8; 16] {
    let (low, high) = if cfg!(target_endian = "little") {
        (first, second)
    } else {
        (second, first)
    };
    ((high as u128) << 64 | low as u128).to_ne_bytes()
}

/// An IPv6 address as words of native order.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "both halves are taken")]
const fn in_words(address: [u8; 16]) -> [u64; 2] {
    let number = u128::from_ne_bytes(address);
    let (low, high) = (number as u64, (number >> 64) as u64);
    if cfg!(target_endian = "little") {
        [low, high]
    } else {
        [high, low]
    }
}

impl FlowKey for Key4 {
    type Address = [u8; 4];

    fn host(&self) -> End<Self::Address> {
        End {
            address: self.host,
            port: self.host_port,
        }
    }

    fn peer(&self) -> End<Self::Address> {
        End {
            address: self.peer,
            port: self.peer_port,
        }
    }

    fn vlan(&self) -> u32 {
        self.vlan
    }

    #[inline(always)]
    fn end(&self) -> u64 {
        end_of_key(self.host_port, self.peer_port, self.vlan)
    }

    fn digest(&self, secret: Key, more: [u64; 2]) -> u64 {
        let addresses = pack(u32::from_le_bytes(self.peer), u32::from_le_bytes(self.host));
        let rest = pack(self.vlan, ports(self.host_port, self.peer_port));
        SipHash::new(secret)
            .word(addresses)
            .word(rest)
            .word(more[0])
            .word(more[1])
            .finish()
    }

    #[inline(always)]
    fn fold(&self) -> u32 {
        let addresses = pack(u32::from_le_bytes(self.peer), u32::from_le_bytes(self.host));
        mixed(addresses ^ pack(self.vlan, ports(self.host_port, self.peer_port)).rotate_left(7))
    }

    #[inline(always)]
    fn fold_host(&self) -> u32 {
        mixed(u32::from_le_bytes(self.host).into())
    }

    type Words<W> = [W; 2];

    #[inline(always)]
    fn words(&self) -> [u64; 2] {
        [
            joined(self.host, self.peer),
            end_of_key(self.host_port, self.peer_port, self.vlan),
        ]
    }

    fn from_words(word: impl Fn(usize) -> u64) -> Self {
        let (host, peer) = apart(word(0));
        let (host_port, peer_port, vlan) = from_end_of_key(word(1));
        Self {
            host,
            peer,
            host_port,
            peer_port,
            vlan,
        }
    }
}

impl FlowKey for Key6 {
    type Address = [u8; 16];

    fn host(&self) -> End<Self::Address> {
        End {
            address: self.host,
            port: self.host_port,
        }
    }

    fn peer(&self) -> End<Self::Address> {
        End {
            address: self.peer,
            port: self.peer_port,
        }
    }

    fn vlan(&self) -> u32 {
        self.vlan
    }

    #[inline(always)]
    fn end(&self) -> u64 {
        end_of_key(self.host_port, self.peer_port, self.vlan)
    }

    fn digest(&self, secret: Key, more: [u64; 2]) -> u64 {
        let (host, peer) = (
            u128::from_le_bytes(self.host),
            u128::from_le_bytes(self.peer),
        );
        let rest = pack(self.vlan, ports(self.host_port, self.peer_port));
        #[allow(clippy::cast_possible_truncation, reason = "both halves are taken")]
        SipHash::new(secret)
            .word(host as u64)
            .word((host >> 64) as u64)
            .word(peer as u64)
            .word((peer >> 64) as u64)
            .word(rest)
            .word(more[0])
            .word(more[1])
            .finish()
    }

    #[inline(always)]
    fn fold(&self) -> u32 {
        let rest = pack(self.vlan, ports(self.host_port, self.peer_port)).rotate_left(7);
        mixed(halves(self.host) ^ halves(self.peer).rotate_left(13) ^ rest)
    }

    #[inline(always)]
    fn fold_host(&self) -> u32 {
        mixed(halves(self.host))
    }

    type Words<W> = [W; 5];

    #[inline(always)]
    fn words(&self) -> [u64; 5] {
        let (host, peer) = (in_words(self.host), in_words(self.peer));
        [
            host[0],
            host[1],
            peer[0],
            peer[1],
            end_of_key(self.host_port, self.peer_port, self.vlan),
        ]
    }

    fn from_words(word: impl Fn(usize) -> u64) -> Self {
        let (host_port, peer_port, vlan) = from_end_of_key(word(4));
        Self {
            host: from_words([word(0), word(1)]),
            peer: from_words([word(2), word(3)]),
            host_port,
            peer_port,
            vlan,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key4 = Key4 {
        host: [192, 0, 2, 1],
        peer: [198, 51, 100, 2],
        host_port: [4, 0],
        peer_port: [0, 80],
        vlan: 7,
    };

    #[test]
    fn vlan_identifiers_come_apart_again_and_priority_tags_vanish() {
        assert_eq!(Vlan::UNTAGGED.tagged(0xe00a), Vlan(10));
        assert_eq!(
            Vlan::UNTAGGED.tagged(100).tagged(200).identifiers(),
            (100, 200)
        );
        assert_eq!(Vlan::UNTAGGED.tagged(0xe000), Vlan::UNTAGGED);
        assert_eq!(Vlan::UNTAGGED.tagged(100).tagged(0xe000), Vlan(100));
    }

    #[test]
    fn every_bit_of_a_word_moves_every_part_of_its_hash() {
        for bit in 0..64 {
            let moved = |word: u64| mixed(word) ^ mixed(word ^ 1 << bit);
            let reached = (0..1000_u64).fold(0, |all, word| all | moved(word << 20 | word));
            assert_eq!(reached, u32::MAX, "bit {bit}");
        }
    }

    #[test]
    fn words_are_the_octets() {
        let words = KEY.words().map(u64::to_ne_bytes);
        let mut octets = vec![192, 0, 2, 1, 198, 51, 100, 2, 4, 0, 0, 80];
        octets.extend(7u32.to_ne_bytes());
        assert_eq!(words.as_flattened(), octets);
        assert_eq!(Key4::from_words(|nth| KEY.words()[nth]), KEY);
        let (host, peer) = (1u128 << 100 | 5, 2u128 << 64 | 9);
        let key = Key6 {
            host: host.to_be_bytes(),
            peer: peer.to_be_bytes(),
            host_port: [4, 0],
            peer_port: [0, 80],
            vlan: 7,
        };
        let words = key.words().map(u64::to_ne_bytes);
        let mut octets = [key.host, key.peer].concat();
        octets.extend([4, 0, 0, 80]);
        octets.extend(7u32.to_ne_bytes());
        assert_eq!(words.as_flattened(), octets);
        assert_eq!(Key6::from_words(|nth| key.words()[nth]), key);
    }

    #[test]
    fn digests_depend_on_every_part() {
        let key = KEY;
        let secret = Key([1, 2]);
        let digest = key.digest(secret, [3, 4]);
        assert_eq!(digest, key.digest(secret, [3, 4]));
        for other in [
            Key4 {
                host: [192, 0, 2, 2],
                ..key
            },
            Key4 {
                peer: [0; 4],
                ..key
            },
            Key4 {
                host_port: [4, 1],
                ..key
            },
            Key4 {
                peer_port: [1, 80],
                ..key
            },
            Key4 { vlan: 8, ..key },
        ] {
            assert_ne!(digest, other.digest(secret, [3, 4]));
        }
        assert_ne!(digest, key.digest(Key([1, 3]), [3, 4]));
        assert_ne!(digest, key.digest(secret, [3, 5]));
    }

    #[test]
    fn addresses_that_no_endpoint_has() {
        for address in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255; 4]] {
            assert!(!address.is_endpoint(), "{address:?}");
        }
        assert!([10, 0, 0, 1].is_endpoint());
        assert!(!0u128.to_be_bytes().is_endpoint() && !1u128.to_be_bytes().is_endpoint());
        assert!(!(0xff02u128 << 112).to_be_bytes().is_endpoint());
        assert!((0x2001_0db8u128 << 96 | 1).to_be_bytes().is_endpoint());
    }
}
