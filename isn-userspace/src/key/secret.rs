//! A key in memory, and what may be said of it.

use std::fmt;

use isn_common::siphash::{Key, SipHash};
use zeroize::{Zeroize as _, Zeroizing};

use crate::failure::Failure;

/// 128 secret bits that are not all zero. Neither `Debug` nor `Display`: it cannot get into a message by mistake.
pub struct Secret(Key);

/// Tells keys apart and tells nothing of them: SipHash-2-4 of 24 constant octets under the key, a message that no flow has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub u64);

/// `isnguard key fingerprint`, whose length is no flow's.
const CONSTANT: [u64; 3] = [
    u64::from_le_bytes(*b"isnguard"),
    u64::from_le_bytes(*b" key fin"),
    u64::from_le_bytes(*b"gerprint"),
];

impl Secret {
    /// Octets of a key.
    pub const LENGTH: usize = 16;

    /// A new one, from the kernel's generator.
    pub fn draw() -> Result<Self, Failure> {
        Self::drawn_by(|octets| getrandom::fill(octets).map_err(|error| error.to_string()))
    }

    /// A new one, from this generator.
    pub(super) fn drawn_by(
        generator: impl FnOnce(&mut [u8]) -> Result<(), String>,
    ) -> Result<Self, Failure> {
        let refused = |why: &str| {
            Failure::new(
                "cannot draw a key",
                format!("the kernel's random number generator does not serve: {why}"),
                "nothing was changed. See whether getrandom(2) works here (`dmesg`, seccomp filters); isnguard takes no \
                 other source",
            )
        };
        let mut octets = Zeroizing::new([0; Self::LENGTH]);
        generator(&mut *octets).map_err(|why| refused(&why))?;
        Self::from_octets(&octets).ok_or_else(|| refused("it gave zeros"))
    }

    /// The key that these octets are, in the order in which its file has them; `None` if all are zero.
    #[must_use]
    pub fn from_octets(octets: &[u8; Self::LENGTH]) -> Option<Self> {
        let number = u128::from_le_bytes(*octets);
        let [low, high] = [number, number >> 64].map(|half| {
            #[allow(clippy::cast_possible_truncation, reason = "the two halves")]
            let word = half as u64;
            word
        });
        (number != 0).then_some(Self(Key([low, high])))
    }

    /// As the data plane needs it.
    #[must_use]
    pub const fn key(&self) -> Key {
        self.0
    }

    /// Its octets, in the order in which its file has them.
    pub(super) fn octets(&self) -> Zeroizing<[u8; Self::LENGTH]> {
        let mut octets = Zeroizing::new([0; Self::LENGTH]);
        for (place, word) in octets.chunks_exact_mut(8).zip(self.0.0) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        octets
    }

    /// What may be said of it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(of(self.0))
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.0.zeroize();
    }
}

impl Fingerprint {
    /// Of a key as the data plane has it; `None` where it has none.
    #[must_use]
    pub fn of(key: Key) -> Option<Self> {
        (key != Key([0; 2])).then(|| Self(of(key)))
    }
}

fn of(key: Key) -> u64 {
    CONSTANT
        .into_iter()
        .fold(SipHash::new(key), SipHash::word)
        .finish()
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
