//! What is told of a SYN or SYN-ACK of a host, and of what was decided on it: a record in the ring buffer
//! [`super::maps::SAMPLES`]. A decision without a number that a host chose for a connection that it opens, which is no sample
//! of its generator, has [`Flags::REFUSED`] or [`Flags::LEARNT`].
//!
//! The same octets go from `isnguard run` to whoever asks it, on the same machine: byte order is the machine's.

use super::{control::Reason, policy::Mode};
use crate::{
    flow::{Address, FlowKey, joined},
    opening::Syn,
    tcp::seq::{Offset, Seq},
};

/// A number that a host chose, and what it became. Addresses and ports in network order, IPv4 mapped into IPv6 (RFC 4291
/// section 2.5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Sample {
    /// Nanoseconds of the monotonic clock.
    pub at: u64,
    /// The host's address.
    pub host: [u8; 16],
    /// The peer's address.
    pub peer: [u8; 16],
    /// The host's port.
    pub host_port: [u8; 2],
    /// The peer's port.
    pub peer_port: [u8; 2],
    /// [`crate::flow::Vlan`] of the flow.
    pub vlan: u32,
    /// The number that the host chose.
    pub host_isn: u32,
    /// The number with which the SYN left.
    pub wire_isn: u32,
    /// End of the incarnation before in the host's numbers; meaningful with [`Flags::MARKED`].
    pub host_mark: u32,
    /// The same in the numbers that the peer saw.
    pub wire_mark: u32,
    /// What else there is to know.
    pub flags: Flags,
    /// Wire minus host, of timestamps.
    pub timestamp_offset: u32,
}

const _: () = assert!(size_of::<Sample>() == Sample::SIZE && align_of::<Sample>() == 8);

/// What is told of a decision besides who and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The number that the host chose.
    pub host_isn: Seq,
    /// The number that the peer sees in its place.
    pub wire_isn: Seq,
    /// End of the incarnation before in the host's numbers; meaningful with [`Flags::MARKED`].
    pub host_mark: Seq,
    /// The same in the numbers that the peer saw.
    pub wire_mark: Seq,
    /// What else there is to know.
    pub flags: Flags,
    /// Of timestamps.
    pub timestamp_offset: Offset,
}

/// What is known of a sample besides its numbers, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Flags(pub u32);

impl Flags {
    const MODE: u32 = 0b11;
    /// It is a SYN-ACK.
    pub const PASSIVE: u32 = 1 << 2;
    /// The flow was remembered: the incarnation before is known, or that there was none for as long as the history.
    pub const REMEMBERED: u32 = 1 << 3;
    /// The incarnation before had been answered and was over: its marks are known.
    pub const MARKED: u32 = 1 << 4;
    /// This SYN is to become a sample; set in all that are told.
    pub const WANTED: u32 = 1 << 5;
    /// The SYN was dropped, since what it needed found no room.
    pub const REFUSED: u32 = 1 << 6;
    /// It was no SYN: the flow was learnt from a segment in mid-flow, and the numbers are that segment's.
    pub const LEARNT: u32 = 1 << 7;
    const REASON_AT: u32 = 8;
    const REASON: u32 = 0xf << Self::REASON_AT;
    /// The reason is known.
    const DECIDED: u32 = 1 << 12;
    /// The flow is remembered from now on.
    pub const KEPT: u32 = 1 << 13;

    /// Of a SYN under this mode; `None` if its host is not guarded.
    #[must_use]
    pub const fn of_mode(mode: Option<Mode>) -> Self {
        match mode {
            None => Self(0),
            Some(mode) => Self(mode.to_number() as u32 & Self::MODE),
        }
    }

    /// Of a SYN as it is treated, with what was found of its flow.
    #[must_use]
    pub const fn of_syn(syn: &Syn) -> Self {
        let passive = if syn.passive { Self::PASSIVE } else { 0 };
        Self::of_mode(syn.mode()).with(passive | syn.sample as u32)
    }

    /// The mode; `None` if the host was not guarded.
    #[must_use]
    pub const fn mode(self) -> Option<Mode> {
        Mode::from_number((self.0 & Self::MODE) as u16)
    }

    /// The same with the reason of the decision.
    #[must_use]
    pub const fn with_reason(self, reason: u32) -> Self {
        let number = reason << Self::REASON_AT & Self::REASON;
        Self(self.0 & !Self::REASON | number | Self::DECIDED)
    }

    /// The reason of the decision; `None` where it is not known, as of a SYN whose sender is not guarded and of whose flow
    /// nothing is known.
    #[must_use]
    pub fn reason(self) -> Option<Reason> {
        let number = (self.0 & Self::REASON) >> Self::REASON_AT;
        let mut all = Reason::ALL.iter().copied();
        all.find(|reason| self.has(Self::DECIDED) && *reason as u32 == number)
    }

    /// Whether it tells of a number that the host chose for a connection that it opens, and that left.
    #[must_use]
    pub const fn is_sample(self) -> bool {
        self.0 & (Self::REFUSED | Self::LEARNT) == 0
    }

    /// Whether all of `bits` are set.
    #[must_use]
    pub const fn has(self, bits: u32) -> bool {
        self.0 & bits == bits
    }

    /// The same with `bits` set.
    #[must_use]
    pub const fn with(self, bits: u32) -> Self {
        Self(self.0 | bits)
    }
}

impl Sample {
    /// Octets of a sample.
    pub const SIZE: usize = 72;

    /// What is told of a decision on a flow at this nanosecond of the monotonic clock, as words of native order. Written field by
    /// field, it would be put together from octets.
    #[must_use]
    #[inline(always)]
    pub fn words<K: FlowKey>(at: u64, key: &K, told: &Told) -> [u64; Self::SIZE / 8] {
        let [host, peer] = [key.host().address, key.peer().address].map(Address::mapped_words);
        let both = |first: u32, second: u32| joined(first.to_ne_bytes(), second.to_ne_bytes());
        [
            at,
            host[0],
            host[1],
            peer[0],
            peer[1],
            key.end(),
            both(told.host_isn.0, told.wire_isn.0),
            both(told.host_mark.0, told.wire_mark.0),
            both(told.flags.0, told.timestamp_offset.0),
        ]
    }

    /// The same as a sample.
    #[must_use]
    pub fn new<K: FlowKey>(at: u64, key: &K, told: &Told) -> Self {
        let words = Self::words(at, key, told);
        let mut octets = [0; Self::SIZE];
        for (place, word) in octets.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        Self::from_octets(&octets)
    }

    /// The sample in `octets`.
    #[must_use]
    pub fn from_octets(octets: &[u8; Self::SIZE]) -> Self {
        Self {
            at: u64::from_ne_bytes(part(octets, 0)),
            host: part(octets, 8),
            peer: part(octets, 24),
            host_port: part(octets, 40),
            peer_port: part(octets, 42),
            vlan: u32::from_ne_bytes(part(octets, 44)),
            host_isn: u32::from_ne_bytes(part(octets, 48)),
            wire_isn: u32::from_ne_bytes(part(octets, 52)),
            host_mark: u32::from_ne_bytes(part(octets, 56)),
            wire_mark: u32::from_ne_bytes(part(octets, 60)),
            flags: Flags(u32::from_ne_bytes(part(octets, 64))),
            timestamp_offset: u32::from_ne_bytes(part(octets, 68)),
        }
    }

    /// The inverse of [`Sample::from_octets`].
    #[must_use]
    pub fn to_octets(&self) -> [u8; Self::SIZE] {
        let mut octets = [0; Self::SIZE];
        put(&mut octets, 0, self.at.to_ne_bytes());
        put(&mut octets, 8, self.host);
        put(&mut octets, 24, self.peer);
        put(&mut octets, 40, self.host_port);
        put(&mut octets, 42, self.peer_port);
        put(&mut octets, 44, self.vlan.to_ne_bytes());
        put(&mut octets, 48, self.host_isn.to_ne_bytes());
        put(&mut octets, 52, self.wire_isn.to_ne_bytes());
        put(&mut octets, 56, self.host_mark.to_ne_bytes());
        put(&mut octets, 60, self.wire_mark.to_ne_bytes());
        put(&mut octets, 64, self.flags.0.to_ne_bytes());
        put(&mut octets, 68, self.timestamp_offset.to_ne_bytes());
        octets
    }
}

/// `N` octets from `at` on, of which there are enough.
fn part<const N: usize>(octets: &[u8; Sample::SIZE], at: usize) -> [u8; N] {
    octets
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or([0; N])
}

fn put<const N: usize>(octets: &mut [u8; Sample::SIZE], at: usize, value: [u8; N]) {
    if let Some(place) = octets
        .get_mut(at..)
        .and_then(|rest| rest.first_chunk_mut::<N>())
    {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Key4, Key6};

    #[test]
    fn octets_are_the_fields_in_their_order_and_back() {
        let octets: [u8; Sample::SIZE] = core::array::from_fn(|at| u8::try_from(at).unwrap());
        let sample = Sample::from_octets(&octets);
        assert_eq!(sample.to_octets(), octets);
        assert_eq!(sample.host[0], 8);
        assert_eq!(sample.peer[15], 39);
        assert_eq!((sample.host_port, sample.peer_port), ([40, 41], [42, 43]));
        assert_eq!(sample.wire_mark, u32::from_ne_bytes([60, 61, 62, 63]));
    }

    #[test]
    fn words_are_the_fields_of_either_family() {
        let told = Told {
            host_isn: Seq(1),
            wire_isn: Seq(0x0203_0405),
            host_mark: Seq(6),
            wire_mark: Seq(0x0708_090a),
            flags: Flags(0x0b0c),
            timestamp_offset: Offset(0x0d0e_0f10),
        };
        let (host_port, peer_port, vlan) = ([1, 2], [3, 4], 5);
        let of = |host, peer| Sample {
            at: 0x1112_1314_1516_1718,
            host,
            peer,
            host_port,
            peer_port,
            vlan,
            host_isn: 1,
            wire_isn: 0x0203_0405,
            host_mark: 6,
            wire_mark: 0x0708_090a,
            flags: Flags(0x0b0c),
            timestamp_offset: 0x0d0e_0f10,
        };
        let key = Key4 {
            host: [192, 0, 2, 1],
            peer: [198, 51, 100, 2],
            host_port,
            peer_port,
            vlan,
        };
        let wanted = of(key.host.mapped(), key.peer.mapped());
        assert_eq!(Sample::new(wanted.at, &key, &told), wanted);
        let key = Key6 {
            host: core::array::from_fn(|at| u8::try_from(at).unwrap()),
            peer: core::array::from_fn(|at| u8::try_from(at + 16).unwrap()),
            host_port,
            peer_port,
            vlan,
        };
        let wanted = of(key.host, key.peer);
        assert_eq!(Sample::new(wanted.at, &key, &told), wanted);
    }

    #[test]
    fn octets_are_those_that_lie_in_memory() {
        assert_eq!(core::mem::offset_of!(Sample, peer), 24);
        assert_eq!(core::mem::offset_of!(Sample, vlan), 44);
        assert_eq!(core::mem::offset_of!(Sample, host_mark), 56);
        assert_eq!(core::mem::offset_of!(Sample, flags), 64);
    }

    #[test]
    fn a_reason_comes_back_and_touches_no_other_flag() {
        let flags = Flags::of_mode(Some(Mode::Keyed)).with(Flags::WANTED | Flags::MARKED);
        assert_eq!(flags.reason(), None);
        for reason in Reason::ALL {
            let told = flags.with_reason(reason as u32).with_reason(reason as u32);
            assert_eq!(told.reason(), Some(reason));
            assert_eq!(told.mode(), Some(Mode::Keyed));
            assert!(told.has(Flags::WANTED | Flags::MARKED) && told.is_sample());
            assert!(!told.has(Flags::KEPT));
        }
        assert!(!flags.with(Flags::LEARNT).is_sample() && !flags.with(Flags::REFUSED).is_sample());
    }

    #[test]
    fn a_mode_comes_back_and_touches_no_other_flag() {
        for mode in [Mode::Observe, Mode::Monotonic, Mode::Keyed] {
            let flags = Flags::of_mode(Some(mode)).with(Flags::PASSIVE | Flags::MARKED);
            assert_eq!(flags.mode(), Some(mode));
            assert!(flags.has(Flags::PASSIVE | Flags::MARKED) && !flags.has(Flags::REMEMBERED));
        }
        assert_eq!(Flags::of_mode(None).mode(), None);
    }
}
