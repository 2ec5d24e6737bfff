//! Generators that count: connections, time, or both.

use std::time::Duration;

use fastrand::Rng;

use crate::{Generator, Tuple};

/// The same number always. uIP-class devices, 3Com `SuperStack` 3300, Minix 2.0.4 (nmap-os-db: `SEQ(GCD=0`), and network boot
/// firmware that starts from the same number after every reset.
#[derive(Clone, Debug)]
pub struct Constant(u32);

impl Constant {
    /// Zero for some seeds: it is a number like any other.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        Self(if rng.u8(..4) == 0 { 0 } else { rng.u32(..) })
    }
}

impl Generator for Constant {
    fn next(&mut self, _: Duration, _: &Tuple) -> u32 {
        self.0
    }
}

/// A counter that moves by one step for every connection and, perhaps, for every tick of a timer.
#[derive(Clone, Debug)]
pub struct Stepped {
    start: u32,
    step: u32,
    tick: Option<Duration>,
    connections: u32,
}

impl Stepped {
    fn new(seed: u64, step: u32, tick: Option<Duration>) -> Self {
        Self {
            start: Rng::with_seed(seed).u32(..),
            step,
            tick,
            connections: 0,
        }
    }

    /// The "64K rule" of 4.2BSD and 4.3BSD: 64,000 for each connection and for each half second (Stevens, TCP/IP Illustrated
    /// volume 1, section 18.2; `TCP_ISSINCR`). `SunOS` 4, IRIX 5 and 6, HP-UX 10, `VxWorks` 5.
    #[must_use]
    pub fn rule_64k(seed: u64) -> Self {
        Self::new(seed, 64_000, Some(Duration::from_millis(500)))
    }

    /// 800 for each connection and none for time: nmap's former class `i800`. OS/2 Warp, Snap Server.
    #[must_use]
    pub fn i800(seed: u64) -> Self {
        Self::new(seed, 800, None)
    }

    /// Another step above 9, with or without a timer: 393 fingerprints of nmap-os-db, Cisco 79xx telephones and `NetWare` 3
    /// and 4 among them; UEFI's `TcpGetIss` (CVE-2023-45236); FNET, TI NDK (NUMBER:JACK, 2021).
    #[must_use]
    pub fn other(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let steps = [10, 64, 99, 904, 4_096, 12_345, 65_536, 100_000, 0x14_0000];
        let step = steps[rng.usize(..steps.len())];
        let tick = rng
            .bool()
            .then(|| Duration::from_millis(rng.u64(200..2000)));
        Self::new(rng.u64(..), step, tick)
    }
}

impl Generator for Stepped {
    #[allow(clippy::cast_possible_truncation, reason = "numbers are modulo 2^32")]
    fn next(&mut self, at: Duration, _: &Tuple) -> u32 {
        self.connections = self.connections.wrapping_add(1);
        let ticks = self
            .tick
            .map_or(0, |tick| (at.as_nanos() / tick.as_nanos()) as u32);
        let steps = self.connections.wrapping_add(ticks);
        self.start.wrapping_add(self.step.wrapping_mul(steps))
    }
}

/// The time alone.
#[derive(Clone, Debug)]
pub struct Clock {
    start: u32,
    /// Numbers a second.
    rate: f64,
}

impl Clock {
    fn new(seed: u64, nominal: f64) -> Self {
        let mut rng = Rng::with_seed(seed);
        // Crystals are off by some millionths, and not two alike.
        let rate = nominal * (1.0 + (rng.f64() - 0.5) * 1e-4);
        Self {
            start: rng.u32(..),
            rate,
        }
    }

    /// A millisecond clock: Windows NT 3.51 to 4.0 SP3, Windows 95 and 98 (nmap-os-db: `ISR=4B-55`, about 2^10 a second).
    #[must_use]
    pub fn slow(seed: u64) -> Self {
        Self::new(seed, 1000.0)
    }

    /// 4 microseconds (RFC 793 section 3.3, RFC 9293 section 3.4.1), without the keyed hash that RFC 6528 adds.
    #[must_use]
    pub fn rfc793(seed: u64) -> Self {
        Self::new(seed, 250_000.0)
    }

    /// 64 nanoseconds: as fast as Linux's, without the hash. The numbers wrap after 274 s.
    #[must_use]
    pub fn fast(seed: u64) -> Self {
        Self::new(seed, 15_625_000.0)
    }
}

impl Generator for Clock {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "times are positive, numbers modulo 2^32"
    )]
    fn next(&mut self, at: Duration, _: &Tuple) -> u32 {
        self.start
            .wrapping_add((at.as_secs_f64() * self.rate) as u64 as u32)
    }
}

/// Always forward by a random amount for each connection, with or without a clock besides: Solaris, HP-UX 11, early Windows
/// 2000, the patched NT 4.0 `SP6a` (nmap-os-db: `SP=50-BF`); FreeBSD of 2000 (CERT CA-2001-09).
#[derive(Clone, Debug)]
pub struct RandomIncrement {
    start: u32,
    longest: u32,
    rate: f64,
    rng: Rng,
    sum: u32,
}

impl RandomIncrement {
    /// Increments up to 2^11 to 2^21; with a clock of 1 MiB a second for every second seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        Self {
            start: rng.u32(..),
            longest: 1 << rng.u32(11..=21),
            rate: if rng.bool() { 1_048_576.0 } else { 0.0 },
            rng,
            sum: 0,
        }
    }
}

impl Generator for RandomIncrement {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "times are positive, numbers modulo 2^32"
    )]
    fn next(&mut self, at: Duration, _: &Tuple) -> u32 {
        self.sum = self.sum.wrapping_add(self.rng.u32(1..=self.longest));
        let clock = (at.as_secs_f64() * self.rate) as u64 as u32;
        self.start.wrapping_add(self.sum).wrapping_add(clock)
    }
}
