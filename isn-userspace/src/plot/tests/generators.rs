//! Hosts as they are met: each makes its first numbers from the time and a seed.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use crate::grading::{Class, Grade, Sample};

/// One sample a second with these numbers, each from another port.
pub fn samples(isns: impl IntoIterator<Item = u32>) -> Vec<Sample> {
    isns.into_iter()
        .zip(0..)
        .map(|(isn, n)| Sample {
            at: Duration::from_secs(n),
            peer: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            peer_port: 1_024 + u16::try_from(n % 60_000).unwrap(),
            host_port: 80,
            isn,
            ahead: None,
        })
        .collect()
}

/// Numbers that nobody can guess but who knows the seed (xorshift64*).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    pub fn below(&mut self, end: u32) -> u32 {
        self.roll() % end
    }
}

/// Samples at random distances of up to two seconds; `next` gets the time in microseconds and the dice.
fn arriving(count: usize, mut next: impl FnMut(u64, &mut Dice) -> u32) -> Vec<Sample> {
    let mut dice = Dice(0x5eed);
    let mut now = 1_700_000_000_000_000_u64;
    let mut all = samples(std::iter::repeat_n(0, count));
    for sample in &mut all {
        now += u64::from(dice.below(2_000_000));
        sample.at = Duration::from_micros(now);
        sample.isn = next(now, &mut dice);
    }
    all
}

/// What a counter of 32 bits shows.
fn low(count: u64) -> u32 {
    u32::try_from(count & 0xffff_ffff).unwrap()
}

/// A kind of host: its name, what grading would say, its samples.
pub type Kind = (&'static str, Class, Grade, &'static str, Vec<Sample>);

/// One of each kind, with so many samples.
pub fn kinds(count: usize) -> Vec<Kind> {
    let (mut step, mut increment, mut congruential) = (0x1000_0000_u32, 0xf000_0000_u32, 1_u32);
    vec![
        (
            "constant",
            Class::Constant,
            Grade::F,
            "always 1",
            arriving(count, |_, _| 1),
        ),
        (
            "64k",
            Class::FixedStep,
            Grade::F,
            "one step of 64,000 a connection",
            arriving(count, |_, dice| {
                step = step.wrapping_add(64_000 * (1 + u32::from(dice.below(6) == 0)));
                step
            }),
        ),
        (
            "clock",
            Class::Clock,
            Grade::F,
            "a clock of 250,000 a second",
            arriving(count, |now, _| low(now / 4)),
        ),
        (
            "random-increment",
            Class::RandomIncrement,
            Grade::D,
            "forward by up to 1,000,000",
            arriving(count, |_, dice| {
                increment = increment.wrapping_add(1 + dice.below(1_000_000));
                increment
            }),
        ),
        (
            "regressing",
            Class::Regressing,
            Grade::C,
            "a clock with a random part",
            regressing(count),
        ),
        (
            "congruential",
            Class::Unknown,
            Grade::E,
            "linear congruential",
            arriving(count, |_, _| {
                congruential = congruential.wrapping_mul(65_539);
                congruential
            }),
        ),
        (
            "strong",
            Class::Strong,
            Grade::A,
            "unpredictable",
            arriving(count, |_, dice| dice.roll()),
        ),
    ]
}

/// As NT 4.0 SP4: forward with the time, plus a random part that may be less than the last one's.
fn regressing(count: usize) -> Vec<Sample> {
    let mut all = arriving(count, |now, dice| {
        low(now / 4).wrapping_add(dice.below(60_000_000))
    });
    for index in 8..count {
        // Every eighth is of the same 4-tuple and has sent 1,000 octets.
        if index % 8 == 0 {
            let ended = all[index - 8].isn.wrapping_add(1_000);
            all[index].ahead = Some(all[index].isn.wrapping_sub(ended).cast_signed());
        }
    }
    all
}
