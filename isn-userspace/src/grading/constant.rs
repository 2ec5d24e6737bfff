//! Generators that give the same number, or the same few numbers, again and again.

use super::{
    Class, Sample,
    finding::{Finding, grouped},
    gaps::Gap,
};

/// A clock that stands still for this long is none: the slowest ticks 18.2 times a second.
const CLOCK_MOVES: f64 = 0.06;

/// Always one number: 4 in 5 at least, the others being restarts or another machine behind the same address.
pub(super) fn constant(samples: &[Sample], gaps: &[Gap]) -> Option<Finding> {
    let (number, times) = most_common(samples)?;
    let slow = || gaps.iter().filter(|gap| gap.seconds >= CLOCK_MOVES);
    let (still, all) = (
        slow().filter(|gap| gap.forward == 0).count(),
        slow().count(),
    );
    let enough = times >= 4 && all >= 3 && times * 5 >= samples.len() * 4 && still * 5 >= all * 3;
    enough.then(|| {
        let detail = if times == samples.len() {
            format!("the number {} for every connection", grouped(number.into()))
        } else {
            format!(
                "the number {} for {times} of {} connections; the others come from a restart or from another machine behind this \
                 address",
                grouped(number.into()),
                samples.len()
            )
        };
        Finding::computable(Class::Constant, detail)
    })
}

/// One of a few numbers: what comes again after every restart, or from a short table. A number that comes again on its own
/// 4-tuple alone, as keyed mode makes of a constant one, tells strangers nothing.
pub(super) fn few(samples: &[Sample]) -> Option<Finding> {
    let mut given: Vec<_> = samples
        .iter()
        .map(|it| (it.isn, it.peer, it.peer_port, it.host_port))
        .collect();
    given.sort_unstable();
    given.dedup();
    let numbers = given.chunk_by(|one, other| one.0 == other.0).count();
    // Random numbers repeat too, once in 2^32: a million of them are far from half as many.
    (given.len() >= 8 && numbers * 2 <= given.len()).then(|| {
        let detail = format!(
            "{} numbers for {} connections, again and again",
            grouped(numbers as u64),
            grouped(samples.len() as u64)
        );
        Finding::computable(Class::Constant, detail)
    })
}

/// The number that occurs most often, and how often.
fn most_common(samples: &[Sample]) -> Option<(u32, usize)> {
    let mut numbers: Vec<u32> = samples.iter().map(|sample| sample.isn).collect();
    numbers.sort_unstable();
    numbers
        .chunk_by(|a, b| a == b)
        .map(|run| (run[0], run.len()))
        .max_by_key(|run| run.1)
}
