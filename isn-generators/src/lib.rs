//! The generators of initial sequence numbers that are met in the wild, as models to test with: what grading must recognise
//! and what isnguard must repair.
//!
//! Time comes in as an argument and randomness from a seed, so every run can be repeated. A model keeps to what is public
//! about its kind; where the wild has many variants, the seed chooses one.

mod counters;
mod hashed;
mod random;

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

pub use counters::{Clock, Constant, RandomIncrement, Stepped};
pub use hashed::Rfc6528;
pub use random::{Congruential, PureRandom, Regressing};

/// The connection that wants a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Address of the host that chooses.
    pub host: IpAddr,
    /// Its port.
    pub host_port: u16,
    /// Address of the peer.
    pub peer: IpAddr,
    /// Its port.
    pub peer_port: u16,
}

impl Tuple {
    /// The `number`th connection of a host with one service, 10.0.0.1 port 80.
    #[must_use]
    pub fn numbered(number: u32) -> Self {
        let [_, high, _, low] = number.to_be_bytes();
        let port = (number >> 8 ^ number & 0xff) & 0x3fff;
        Self {
            host: Ipv4Addr::new(10, 0, 0, 1).into(),
            host_port: 80,
            peer: Ipv4Addr::new(192, 0, high.wrapping_add(2), low).into(),
            #[allow(clippy::cast_possible_truncation, reason = "14 bits")]
            peer_port: 49_152 + port as u16,
        }
    }
}

/// Something that chooses initial sequence numbers.
pub trait Generator: Send {
    /// The number for a connection on `tuple` that begins `at`, counted since the host started. Times never go back.
    fn next(&mut self, at: Duration, tuple: &Tuple) -> u32;
}

/// The kinds of generator, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// [`Constant`]
    Constant,
    /// [`Stepped::rule_64k`]
    Rule64K,
    /// [`Stepped::i800`]
    I800,
    /// [`Stepped::other`]
    OtherStep,
    /// [`Clock::slow`]
    SlowClock,
    /// [`Clock::rfc793`]
    Clock250K,
    /// [`Clock::fast`]
    Clock64Ns,
    /// [`RandomIncrement`]
    RandomIncrement,
    /// [`Regressing`]
    Regressing,
    /// [`Congruential`]
    Congruential,
    /// [`PureRandom`]
    PureRandom,
    /// [`Rfc6528`]
    Rfc6528,
}

impl Kind {
    /// All kinds, the most predictable first.
    pub const ALL: [Self; 12] = [
        Self::Constant,
        Self::Rule64K,
        Self::I800,
        Self::OtherStep,
        Self::SlowClock,
        Self::Clock250K,
        Self::Clock64Ns,
        Self::RandomIncrement,
        Self::Regressing,
        Self::Congruential,
        Self::PureRandom,
        Self::Rfc6528,
    ];

    /// A short name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Rule64K => "64k-rule",
            Self::I800 => "i800",
            Self::OtherStep => "other-step",
            Self::SlowClock => "slow-clock",
            Self::Clock250K => "250-khz-clock",
            Self::Clock64Ns => "64-ns-clock",
            Self::RandomIncrement => "random-increment",
            Self::Regressing => "nt-regressing",
            Self::Congruential => "weak-lcg",
            Self::PureRandom => "pure-random",
            Self::Rfc6528 => "rfc-6528",
        }
    }

    /// One generator of this kind; the same for the same `seed`.
    #[must_use]
    pub fn make(self, seed: u64) -> Box<dyn Generator> {
        match self {
            Self::Constant => Box::new(Constant::new(seed)),
            Self::Rule64K => Box::new(Stepped::rule_64k(seed)),
            Self::I800 => Box::new(Stepped::i800(seed)),
            Self::OtherStep => Box::new(Stepped::other(seed)),
            Self::SlowClock => Box::new(Clock::slow(seed)),
            Self::Clock250K => Box::new(Clock::rfc793(seed)),
            Self::Clock64Ns => Box::new(Clock::fast(seed)),
            Self::RandomIncrement => Box::new(RandomIncrement::new(seed)),
            Self::Regressing => Box::new(Regressing::new(seed)),
            Self::Congruential => Box::new(Congruential::new(seed)),
            Self::PureRandom => Box::new(PureRandom::new(seed)),
            Self::Rfc6528 => Box::new(Rfc6528::new(seed)),
        }
    }
}
