//! What lies between one sample and the next: the material of every test.

use std::{borrow::Cow, collections::HashSet, net::IpAddr};

use super::Sample;

/// 2^32, the size of the number space.
pub(super) const SPACE: f64 = 4_294_967_296.0;

/// From one sample to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gap {
    /// Time between them, 0 or more.
    pub(super) seconds: f64,
    /// Growth of the number, modulo 2^32.
    pub(super) forward: u32,
    /// Whether the two are of different 4-tuples. Within one, a generator after RFC 6528 is a plain clock, which no stranger
    /// sees: only gaps between 4-tuples tell what others can guess.
    pub(super) foreign: bool,
}

impl Gap {
    /// The growth by the shorter way round, backward if that is shorter.
    #[allow(clippy::cast_possible_wrap, reason = "the shorter way round")]
    pub(super) const fn signed(&self) -> i32 {
        self.forward as i32
    }

    /// The length of the shorter way round: nmap's difference.
    pub(super) const fn distance(&self) -> u32 {
        self.signed().unsigned_abs()
    }

    /// How far the number lies from where a growth of `rate` a second would have brought it, by the shorter way round.
    pub(super) fn off(&self, rate: f64) -> f64 {
        centred(f64::from(self.forward) - rate * self.seconds)
    }
}

/// The number nearest to 0 that is congruent to `difference` modulo 2^32.
pub(super) fn centred(difference: f64) -> f64 {
    difference - (difference / SPACE).round() * SPACE
}

/// The same samples in order of time.
pub(super) fn ordered(samples: &[Sample]) -> Cow<'_, [Sample]> {
    if samples.is_sorted_by_key(|sample| sample.at) {
        return samples.into();
    }
    let mut sorted = samples.to_vec();
    sorted.sort_by_key(|sample| sample.at);
    sorted.into()
}

/// The gaps between samples in order of time.
pub(super) fn between(samples: &[Sample]) -> Vec<Gap> {
    samples
        .windows(2)
        .map(|pair| Gap {
            seconds: pair[1].at.saturating_sub(pair[0].at).as_secs_f64(),
            forward: pair[1].isn.wrapping_sub(pair[0].isn),
            foreign: tuple(&pair[0]) != tuple(&pair[1]),
        })
        .collect()
}

/// The 4-tuple without the host, which is the same for all.
pub(super) const fn tuple(sample: &Sample) -> (IpAddr, u16, u16) {
    (sample.peer, sample.peer_port, sample.host_port)
}

/// Whether there are fewer 4-tuples than `enough`.
pub(super) fn few_tuples(samples: &[Sample], enough: usize) -> bool {
    let mut tuples = HashSet::new();
    !samples.iter().any(|sample| {
        tuples.insert(tuple(sample));
        tuples.len() >= enough
    })
}

/// Those between different 4-tuples, shortest first. What happens in a short gap is less disturbed: fewer other connections,
/// less drift, no wrap.
pub(super) fn foreign_by_length(gaps: &[Gap]) -> Vec<Gap> {
    let mut foreign: Vec<Gap> = gaps.iter().filter(|gap| gap.foreign).copied().collect();
    foreign.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    foreign
}

/// How many of `all` may contradict and are called a restart, a lost packet or a swapped one: one of ten, and one in any case.
pub(super) fn exceptions(all: usize) -> usize {
    (all / 10).max(1)
}
