//! Numbers that stay near the one before: counters with random increments, such that are set back, and several at once.
//!
//! Growth is looked at in all gaps between 4-tuples, and in the shorter half, quarter and so on: where a clock runs besides,
//! the long gaps hide what the short ones show.

use super::{
    Class, Sample,
    chance::{BELIEVED, ln_at_least},
    finding::{Finding, grouped, rounded},
    gaps::{Gap, SPACE, tuple},
    trend::slope,
};

/// Gaps shorter than this may be in the wrong order: the SYNs were made in another one than they came.
const ORDERED: f64 = 0.05;
/// ln of 1 in 100.
const SURPRISING: f64 = -4.6;
/// So many samples back the number of the same counter is looked for.
const BACK: usize = 4;

/// Where growth is concentrated: the `count` shortest gaps, 9 in 10 of which lie below `width`.
#[derive(Clone, Copy)]
struct Concentration {
    count: usize,
    width: f64,
}

/// A counter with random increments, or one that is also set back, seen in `gaps` between different 4-tuples in order of length.
pub(super) fn forward(gaps: &[Gap]) -> Option<Finding> {
    let ahead = concentration(gaps, 1.0, |gap, width| f64::from(gap.forward) < width);
    let around = || concentration(gaps, 2.0, |gap, width| f64::from(gap.distance()) < width);
    let found = ahead.or_else(around)?;
    let near = &gaps[..found.count];
    let backward = set_back(gaps, found.width * 2.0);
    let rate = slope(gaps).max(0.0);
    // A rate that the increments alone could feign is none.
    let typical = near[near.len() / 2].seconds;
    let rate = if rate * typical > found.width / 16.0 {
        rate
    } else {
        0.0
    };
    let mut finding = if backward > 0 || ahead.is_none() {
        let detail = format!(
            "near the number before, but below it in {backward} of {} connections; the range is about {}",
            gaps.len(),
            rounded(found.width)
        );
        Finding::predictable(Class::Regressing, detail)
    } else {
        let mut detail = format!("forward by random amounts up to {}", rounded(found.width));
        if rate > 0.0 {
            detail = format!("{detail}, with a clock of about {} a second", rounded(rate));
        }
        Finding::predictable(Class::RandomIncrement, detail)
    };
    finding.rate = rate;
    Some(finding)
}

/// How many numbers lie below the one before by less than `width`; 0 if so few that a clock which has wrapped, a restart or
/// swapped packets explain them.
fn set_back(gaps: &[Gap], width: f64) -> usize {
    let timed = || gaps.iter().filter(|gap| gap.seconds >= ORDERED);
    let below = timed().filter(|gap| gap.signed() < 0 && f64::from(gap.distance()) < width);
    let (below, all) = (below.count(), timed().count());
    let seldom = below * 50 < all || ln_at_least(below, all, width / SPACE) > SURPRISING;
    if seldom { 0 } else { below }
}

/// The prefix of gaps and the power of two that chance explains worst.
fn concentration(
    gaps: &[Gap],
    sides: f64,
    within: impl Fn(&Gap, f64) -> bool,
) -> Option<Concentration> {
    let counts = (0..)
        .map(|halvings| gaps.len() >> halvings)
        .take_while(|count| *count >= 4);
    let looks: Vec<_> = counts
        .flat_map(|count| (8..=31).map(move |bits| (count, f64::from(1_u32 << bits))))
        .filter(|(_, width)| width * sides < SPACE)
        .collect();
    #[allow(clippy::cast_precision_loss, reason = "at most some hundreds")]
    let among = (looks.len() as f64).ln();
    let surprise = |count: usize, width: f64| {
        let hits = gaps[..count]
            .iter()
            .filter(|gap| within(gap, width))
            .count();
        let chance = ln_at_least(hits, count, width * sides / SPACE);
        (hits * 10 >= count * 9).then_some(chance)
    };
    looks
        .into_iter()
        .filter_map(|(count, width)| {
            Some((surprise(count, width)?, Concentration { count, width }))
        })
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|it| it.0 + among < BELIEVED)
        .map(|it| it.1)
}

/// Several counters behind one address, or one among random numbers: a part of the samples lies just ahead of one of the
/// [`BACK`] before it, of another 4-tuple.
pub(super) fn several(samples: &[Sample]) -> Option<Finding> {
    let distances: Vec<u32> = (1..samples.len())
        .map(|place| nearest(samples, place))
        .collect();
    let width = 1 << 22;
    let hits = distances
        .iter()
        .filter(|distance| **distance < width)
        .count();
    #[allow(clippy::cast_precision_loss, reason = "four")]
    let each = f64::from(width) * BACK as f64 / SPACE;
    let surprising = ln_at_least(hits, distances.len(), each) < BELIEVED;
    (surprising && hits * 4 >= distances.len() && hits >= 4).then(|| {
        let detail = format!(
            "{} of {} connections begin just ahead of one shortly before: several counters behind one address, or one among random \
             numbers",
            grouped(hits as u64),
            grouped(distances.len() as u64)
        );
        Finding::predictable(Class::Unknown, detail)
    })
}

/// The least growth from one of the samples before the one at `place`.
fn nearest(samples: &[Sample], place: usize) -> u32 {
    let this = &samples[place];
    samples[place.saturating_sub(BACK)..place]
        .iter()
        .filter(|before| tuple(before) != tuple(this))
        .map(|before| this.isn.wrapping_sub(before.isn))
        .min()
        .unwrap_or(u32::MAX)
}
