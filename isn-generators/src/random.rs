//! Generators that remember nothing, or too little, of what they gave out.

use std::time::Duration;

use fastrand::Rng;

use crate::{Generator, Tuple};

/// A counter with random increments that is sometimes set back. Windows NT 4.0 Server SP4 chose random numbers that "could be
/// less than the current ISN" (Microsoft KB Q228811, repaired in SP5); its algorithm was not published.
#[derive(Clone, Debug)]
pub struct Regressing {
    now: u32,
    rng: Rng,
}

impl Regressing {
    /// One connection of four begins below the one before.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        Self {
            now: rng.u32(..),
            rng,
        }
    }
}

impl Generator for Regressing {
    fn next(&mut self, _: Duration, _: &Tuple) -> u32 {
        let by = self.rng.u32(1..=1 << 17);
        self.now = if self.rng.u8(..4) == 0 {
            self.now.wrapping_sub(by)
        } else {
            self.now.wrapping_add(by)
        };
        self.now
    }
}

/// A linear congruential generator whose whole state is given out, so that three numbers betray all others: uC/TCP-IP, picoTCP,
/// `CycloneTCP`, MPLAB Net (NUMBER:JACK, 2021). Multipliers in use: Knuth's 1664525 and ANSI C's 1103515245.
#[derive(Clone, Debug)]
pub struct Congruential {
    state: u32,
    multiplier: u32,
    increment: u32,
    modulus: u64,
}

impl Congruential {
    /// One of four well-known ones, chosen by the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let (multiplier, increment, modulus) = [
            (1_664_525, 1_013_904_223, 1 << 32),
            (1_103_515_245, 12_345, 1 << 31),
            (69_069, 1, 1 << 32),
            // Park and Miller's minimal standard (CACM 31, 1988).
            (16_807, 0, (1 << 31) - 1),
        ][rng.usize(..4)];
        Self {
            state: rng.u32(1..0x7fff_ffff),
            multiplier,
            increment,
            modulus,
        }
    }
}

impl Generator for Congruential {
    #[allow(clippy::cast_possible_truncation, reason = "less than the modulus")]
    fn next(&mut self, _: Duration, _: &Tuple) -> u32 {
        let product = u64::from(self.state) * u64::from(self.multiplier);
        self.state = ((product + u64::from(self.increment)) % self.modulus) as u32;
        self.state
    }
}

/// 32 random bits, and no memory: nobody can guess the next number, but on a reused 4-tuple it lies below the one before every
/// second time. What a stack does whose author thought of prediction alone; nmap cannot tell it from RFC 6528.
#[derive(Clone, Debug)]
pub struct PureRandom(Rng);

impl PureRandom {
    /// From its own sequence for each seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }
}

impl Generator for PureRandom {
    fn next(&mut self, _: Duration, _: &Tuple) -> u32 {
        self.0.u32(..)
    }
}
