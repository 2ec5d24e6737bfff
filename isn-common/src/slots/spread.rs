//! Where a flow belongs: how flows are spread over sets, and how many sets there are to be.

use super::{WAYS, prints::print_of};
use crate::{abi::flow::unpack, expiry::Place};

/// Where a flow is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Index of the set, among those of all tables.
    pub set: u32,
    /// The slot of the set that comes first.
    pub first: u32,
    /// The print of the key ([`super::prints`]).
    pub print: u32,
}

/// How flows are spread over sets. Made with the tables, and the same for their whole life.
///
/// The hash is pair-multiply-shift (Thorup, "High speed hashing for integers and strings", section 3.5), strongly universal: whoever
/// does not know the keys cannot choose flows that fall into the same set more often than by chance. It sends flows with consecutive ports or
/// addresses along a line that, by the chance of its keys, meets all sets evenly, or few of them. A table in which no place may be denied to a
/// flow before it is full mixes it once more, and is filled as by chance whatever the keys are ([`mixed`]). The others, which have no overflow,
/// take the line, with keys that user space chooses so that it is even.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Spread {
    /// Number of sets of each table, by the number of its [`Place`]; 0 of each where all translated flows lie in the overflow.
    pub sets: [u64; PLACES],
    /// Index of the first set of each table.
    pub starts: [u64; PLACES],
    /// Most flows that each table is to hold.
    pub flows: [u64; PLACES],
    /// Random numbers, two for each word of a key, and one.
    pub keys: [u64; KEYS],
}

/// The same with how many flows found their set full: what a map holds.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Spreading<W> {
    /// How flows are spread.
    pub spread: Spread,
    /// Flows in the overflow: IPv4, IPv6.
    pub overflowing: [W; 2],
}

/// Number of tables.
pub const PLACES: usize = Place::ALL.len();

/// Numbers of [`Spread::keys`].
pub const KEYS: usize = 11;

/// Brings every bit of a hash up to its highest ones, which choose the set: any odd number with bits set all over.
const FACTOR: u32 = 0x9e37_79b1;

/// How much room a table takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Sets of slots.
    pub sets: u32,
    /// Places in the overflow, for translated flows.
    pub beside: u32,
}

impl Room {
    /// For so many flows: a third more slots than flows. Then a flow in nineteen finds its set full (Poisson distribution with mean 6,
    /// 5.23 %); the overflow has room for 5.47 % and what chance adds in a smaller table, and for all of a small one.
    #[must_use]
    pub const fn of(flows: u32) -> Self {
        let beside = (flows / 128).saturating_mul(7).saturating_add(256);
        Self {
            sets: flows.div_ceil(6),
            beside: if beside < flows { beside } else { flows },
        }
    }
}

/// Where the sets of each table begin, one table behind the other.
#[must_use]
pub fn starts(sets: [u64; PLACES]) -> [u64; PLACES] {
    let [translated, half_open, _] = sets;
    [0, translated, translated.saturating_add(half_open)]
}

impl Spread {
    /// Of tables without sets.
    pub const NONE: Self = Self {
        sets: [0; PLACES],
        starts: [0; PLACES],
        flows: [0; PLACES],
        keys: [0; KEYS],
    };

    /// Where a flow with these words as its key is looked for in a table.
    #[must_use]
    #[inline(always)]
    pub fn spot(&self, place: Place, key: &[u64]) -> Spot {
        self.spot_of(place, self.hash(key))
    }

    /// The same for a key with this sum.
    #[must_use]
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the upper half")]
    pub const fn spot_of(&self, place: Place, sum: u64) -> Spot {
        let (start, sets, hash) = match place {
            Place::Translated => (0, self.sets[0], mixed(sum)),
            // One path for the verifier.
            Place::HalfOpen | Place::History => (
                self.starts[place as usize],
                self.sets[place as usize],
                unpack(sum).1,
            ),
        };
        Spot {
            set: start.wrapping_add((hash as u64).wrapping_mul(sets) >> 32) as u32,
            first: hash % WAYS,
            print: print_of(hash),
        }
    }

    /// The sum of a key, of which tables take their hashes: the upper half is one.
    #[must_use]
    #[inline(always)]
    pub fn hash(&self, key: &[u64]) -> u64 {
        let mut sum = self.keys[KEYS - 1];
        for (word, by) in key.iter().zip(self.keys.as_chunks::<2>().0) {
            let (low, high) = unpack(*word);
            let (one, other) = (
                by[0].wrapping_add(high.into()),
                by[1].wrapping_add(low.into()),
            );
            sum = sum.wrapping_add(one.wrapping_mul(other));
        }
        sum
    }
}

/// The upper half of a sum is strongly universal even for whoever is told the lower one, so what is made of both by an exclusive or and an odd
/// factor is so too. And where the upper halves of many keys lie on one line, the lower ones lie on another.
#[inline(always)]
const fn mixed(sum: u64) -> u32 {
    let (low, high) = unpack(sum);
    (high ^ low ^ low >> 15).wrapping_mul(FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{FlowKey, Key4, Key6};

    /// What clients and servers do: ports, peers or hosts in a row.
    const IN_A_ROW: [fn(u32) -> [u32; 3]; 5] = [
        |it| [1, 1, 1024 + it],
        |it| [1 + it / 20_000, 1, 1024 + it % 20_000],
        |it| [1, 1 + it, 40_000],
        |it| [1 + it, 1, 40_000],
        |it| [it % 256, 1 + it / 256, 502],
    ];
    const FLOWS: u32 = 60_000;

    fn key4([host, peer, port]: [u32; 3]) -> Key4 {
        Key4 {
            host: (0x0a01_0000 + host).to_be_bytes(),
            peer: (0xc612_0000 + peer).to_be_bytes(),
            host_port: u16::try_from(port).expect("a port").to_be_bytes(),
            peer_port: 80u16.to_be_bytes(),
            vlan: 0,
        }
    }

    fn key6([host, peer, port]: [u32; 3]) -> Key6 {
        let net = 0x2001_0db8u128 << 96;
        let Key4 {
            host_port,
            peer_port,
            vlan,
            ..
        } = key4([0, 0, port]);
        Key6 {
            host: (net | u128::from(host)).to_be_bytes(),
            peer: (net | 1 << 80 | u128::from(peer)).to_be_bytes(),
            host_port,
            peer_port,
            vlan,
        }
    }

    /// As user space makes it, but for where its random numbers come from.
    fn spread(seed: u64) -> Spread {
        let mut random = seed;
        let keys = core::array::from_fn(|_| {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let mixed = (random ^ random >> 32).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ mixed >> 29
        });
        let sets = [Room::of(FLOWS).sets.into(), 0, 0];
        Spread {
            sets,
            starts: starts(sets),
            flows: [FLOWS.into(), 0, 0],
            keys,
        }
    }

    fn overflowing<K: FlowKey>(spread: &Spread, key: impl Fn(u32) -> K) -> u32 {
        let mut sets = vec![0u32; Room::of(FLOWS).sets as usize];
        for number in 0..FLOWS {
            let spot = spread.spot(Place::Translated, key(number).words().as_ref());
            sets[spot.set as usize] += 1;
        }
        sets.iter().map(|flows| flows.saturating_sub(WAYS)).sum()
    }

    #[test]
    fn flows_in_a_row_find_room_whatever_the_keys() {
        for seed in 0..100 {
            let spread = spread(seed);
            for (nth, row) in IN_A_ROW.iter().enumerate() {
                let of_each = [
                    overflowing(&spread, |it| key4(row(it))),
                    overflowing(&spread, |it| key6(row(it))),
                ];
                for beside in of_each {
                    let room = Room::of(FLOWS).beside;
                    assert!(
                        beside <= room,
                        "{beside} of {room}, row {nth}, keys of {seed}"
                    );
                }
            }
        }
    }
}
