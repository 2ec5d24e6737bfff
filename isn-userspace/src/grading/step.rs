//! Counters that move by multiples of one step (nmap's GCD).
//!
//! Between two samples lie other connections, lost packets and ticks of a timer, so only the divisibility stays. It survives
//! the wrap at 2^32 where the growth is less than 2^31 either way; a longer gap is an exception. A random generator that
//! leaves some low bits zero has a divisor too, but goes backward as often as forward.

use std::collections::HashMap;

use super::{
    Class,
    chance::{BELIEVED, ln_at_least},
    finding::{Finding, grouped, rounded},
    gaps::{Gap, exceptions},
    trend::slope,
};

/// Below this, a common divisor comes about by chance (nmap's limit).
pub(super) const LEAST: u32 = 10;
/// So many gaps are looked at for the step.
const WINDOWS: usize = 64;

/// A counter whose growth has a common divisor above 9, the 64K rule among them.
pub(super) fn divisible(gaps: &[Gap]) -> Option<Finding> {
    let step = divisor(gaps)?;
    let moving = || gaps.iter().filter(|gap| gap.forward != 0);
    let multiples = moving().filter(|gap| is_multiple(gap, step)).count();
    let forward = moving().filter(|gap| gap.signed() > 0).count();
    let all = moving().count();
    let counts = ln_at_least(forward, all, 0.5) < BELIEVED / 3.0;
    (all - multiples <= exceptions(all) && counts).then(|| found(gaps, step, all - multiples))
}

/// A counter with a smaller step, or one that a few gaps only are multiples of: half of all gaps are alike, or all are short.
pub(super) fn alike(gaps: &[Gap]) -> Option<Finding> {
    let mut times: HashMap<u32, usize> = HashMap::new();
    for gap in gaps.iter().filter(|gap| gap.forward != 0) {
        *times.entry(gap.forward).or_default() += 1;
    }
    let (&step, &most) = times.iter().max_by_key(|it| (it.1, u32::MAX - it.0))?;
    if most >= 4 && most * 2 >= gaps.len() && step < 1 << 31 {
        return Some(found(gaps, step, gaps.len() - most));
    }
    let longest = *times.keys().max()?;
    (gaps.len() >= 7 && longest <= 64).then(|| found(gaps, 1, 0))
}

/// The divisor that most gaps share: the greatest common one of three neighbours, as often as it is found.
fn divisor(gaps: &[Gap]) -> Option<u32> {
    let mut shortest: Vec<Gap> = gaps
        .iter()
        .filter(|gap| gap.forward != 0)
        .copied()
        .collect();
    shortest.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    shortest.truncate(3 * WINDOWS);
    let mut divisors: Vec<u32> = shortest
        .windows(3)
        .map(|of| {
            of.iter()
                .fold(0, |all, gap| greatest_common_divisor(all, gap.distance()))
        })
        .filter(|divisor| *divisor >= LEAST)
        .collect();
    divisors.sort_unstable();
    divisors.dedup();
    let multiples = |step: &u32| {
        shortest
            .iter()
            .filter(|gap| is_multiple(gap, *step))
            .count()
    };
    divisors
        .into_iter()
        .max_by_key(|step| (multiples(step), *step))
}

fn is_multiple(gap: &Gap, step: u32) -> bool {
    // Forward by more than 2^31 is possible for large steps only: of small ones chance makes too many.
    gap.distance().is_multiple_of(step) || step > 1000 && gap.forward.is_multiple_of(step)
}

/// Euclid's algorithm; of 0 and a number, the number.
pub(super) fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn found(gaps: &[Gap], step: u32, exceptions: usize) -> Finding {
    let rate = slope(gaps).max(0.0);
    let mut finding = Finding::predictable(Class::FixedStep, words(step, rate, exceptions));
    finding.rate = rate;
    finding.step = step;
    finding
}

fn words(step: u32, rate: f64, exceptions: usize) -> String {
    let half_second = f64::from(step) * 2.0;
    let is_64k = step.is_multiple_of(64_000);
    let timed = rate > half_second / 100.0;
    let mut text = match (is_64k, timed) {
        (true, true) => format!(
            "64K rule: steps of {}, {} a second besides those for connections",
            grouped(step.into()),
            rounded(rate)
        ),
        (true, false) => format!("64K rule: steps of {} a connection", grouped(step.into())),
        (false, true) => format!(
            "steps of {}, about {} a second",
            grouped(step.into()),
            rounded(rate)
        ),
        (false, false) => format!("one step of {} a connection", grouped(step.into())),
    };
    if step.is_multiple_of(800) && !is_64k {
        text.push_str(" (nmap's i800)");
    }
    if exceptions > 0 {
        text.push_str("; a few contradict: a restart, or another machine behind this address");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_common_divisor_of_nothing_is_the_other() {
        assert_eq!(greatest_common_divisor(0, 64_000), 64_000);
        assert_eq!(greatest_common_divisor(128_000, 320_000), 64_000);
        assert_eq!(greatest_common_divisor(0, 0), 0);
    }
}
