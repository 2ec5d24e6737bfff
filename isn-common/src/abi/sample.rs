//! What is told of a SYN or SYN-ACK of a host: a record in the ring buffer [`super::maps::SAMPLES`].
//!
//! The same octets go from `isnguard run` to whoever asks it, on the same machine: byte order is the machine's.

use super::policy::Mode;
use crate::opening::Syn;

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
    /// 0.
    pub padding: u32,
}

const _: () = assert!(size_of::<Sample>() == Sample::SIZE && align_of::<Sample>() == 8);

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
            padding: u32::from_ne_bytes(part(octets, 68)),
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
        put(&mut octets, 68, self.padding.to_ne_bytes());
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
    fn octets_are_those_that_lie_in_memory() {
        assert_eq!(core::mem::offset_of!(Sample, peer), 24);
        assert_eq!(core::mem::offset_of!(Sample, vlan), 44);
        assert_eq!(core::mem::offset_of!(Sample, host_mark), 56);
        assert_eq!(core::mem::offset_of!(Sample, flags), 64);
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
