//! Numbers that follow the time and nothing else.
//!
//! A gap gives the rate only up to whole turns of the number space, and only as exactly as its ends were timed. So the rate
//! is taken from short gaps, where few turns are possible, and refined with longer and longer ones, each of which
//! is exact enough to tell the turns of the next. Several short gaps are tried, with every number of turns that a clock of
//! at most [`FASTEST`] allows: one of them may contain a restart.

use super::{
    Class,
    finding::{Finding, rounded},
    gaps::{Gap, SPACE, exceptions},
};

/// The fastest clock that is looked for: a little above Linux's 64 ns, without its hash.
const FASTEST: f64 = 17.0e6;
/// The slowest: what ticks more slowly is a counter.
const SLOWEST: f64 = 50.0;
/// Seconds by which a SYN may be late: a busy host, a busy network, a clock that ticks 18.2 times a second.
const LATE: f64 = 0.06;
/// Drift of one clock against the other, beyond what its rate already holds.
const DRIFT: f64 = 3e-6;
/// So many short gaps are tried, and so many are used to refine a rate.
const BASES: usize = 16;
const RUNGS: usize = 512;
/// So many turns of the number space are tried in a short gap.
const TURNS: f64 = 64.0;

/// A clock, seen in `gaps` between different 4-tuples in order of length.
pub(super) fn clock(gaps: &[Gap]) -> Option<Finding> {
    if gaps.len() < 4 {
        return None;
    }
    let ladder = thinned(gaps);
    let best = rates(gaps)
        .filter_map(|rate| refined(rate, &ladder))
        .filter(|rate| (SLOWEST..FASTEST).contains(rate))
        .map(|rate| (fits(rate, &ladder), rate))
        .max_by_key(|it| it.0.0)?;
    let rate = best.1;
    let (fitting, tested) = fits(rate, gaps);
    let exceptions_found = tested - fitting;
    let is_clock = tested >= 4 && exceptions_found <= exceptions(tested);
    (is_clock && !adds_for_connections(rate, &ladder)).then(|| {
        let mut detail = format!("a clock of {} a second", rounded(rate));
        if exceptions_found > 0 {
            detail.push_str("; it was set anew at times, as by a restart");
        }
        let mut finding = Finding::predictable(Class::Clock, detail);
        finding.rate = rate;
        finding
    })
}

/// At most [`RUNGS`] of the gaps, from the shortest to the longest.
fn thinned(gaps: &[Gap]) -> Vec<Gap> {
    let every = gaps.len().div_ceil(RUNGS);
    gaps.iter().step_by(every).copied().collect()
}

/// Rates that one of the shorter gaps would have, with how exact they are: late by [`LATE`] at worst.
fn rates(gaps: &[Gap]) -> impl Iterator<Item = (f64, f64)> + '_ {
    // Shorter ones than this tell little about the rate.
    let from = gaps
        .partition_point(|gap| gap.seconds < LATE)
        .min(gaps.len().saturating_sub(4));
    let shorter = &gaps[from..];
    let every = (shorter.len() / 2).div_ceil(BASES).max(1);
    let bases = shorter.iter().step_by(every).take(BASES);
    bases.filter(|gap| gap.seconds > 0.0).flat_map(|gap| {
        let turns = (FASTEST * gap.seconds / SPACE).ceil().min(TURNS);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 64"
        )]
        let turns = turns as u32;
        (0..=turns).map(move |turn| {
            let rate = (f64::from(gap.forward) + f64::from(turn) * SPACE) / gap.seconds;
            (rate, rate * (LATE / gap.seconds).min(1.0))
        })
    })
}

/// The rate that fits longer and longer gaps; `None` if nothing but the first gap has it.
fn refined((mut rate, mut doubt): (f64, f64), ladder: &[Gap]) -> Option<f64> {
    // As exact as the gap that the rate is from, which comes again among the others.
    let (mut squares, mut rungs) = ((rate * LATE / doubt).powi(2), 0);
    let mut products = rate * squares;
    for gap in ladder {
        let allowed = doubt * gap.seconds + rate * LATE;
        let off = gap.off(rate);
        if gap.seconds == 0.0 || allowed > SPACE / 4.0 || off.abs() > allowed {
            continue;
        }
        squares += gap.seconds * gap.seconds;
        products += gap.seconds * (rate * gap.seconds + off);
        rungs += 1;
        rate = products / squares;
        doubt = rate * LATE / squares.sqrt();
    }
    (rungs >= 4 && rate > 0.0).then_some(rate)
}

/// How many gaps fit, of how many that could have contradicted. What a SYN is late in one gap, it is early in the next; half
/// of them are later than the median and few much later. So the bound is the tighter, the shorter the gaps are: without
/// that, anything that moves a little would be a clock in a burst of connections.
fn fits(rate: f64, gaps: &[Gap]) -> (usize, usize) {
    let median = gaps[gaps.len() / 2].seconds;
    let late = LATE.min(median / 8.0);
    let allowed = |gap: &Gap| rate * (late + gap.seconds * DRIFT) + 2.0;
    let tested = || gaps.iter().filter(|gap| allowed(gap) < SPACE / 16.0);
    let fitting = tested().filter(|gap| gap.off(rate).abs() <= allowed(gap));
    (fitting.count(), tested().count())
}

/// Whether there is growth in a gap of no length: then connections add to the clock, by random amounts. What a late SYN adds
/// to one gap it takes from the next, so a clock alone has a constant term of 0 within its standard error.
#[allow(clippy::cast_precision_loss, reason = "at most some hundreds")]
fn adds_for_connections(rate: f64, gaps: &[Gap]) -> bool {
    let bound = rate * LATE * 2.0 + 2.0;
    let fitting = || gaps.iter().filter(|gap| gap.off(rate).abs() <= bound);
    let count = fitting().count() as f64;
    let mean = |of: &dyn Fn(&Gap) -> f64| fitting().map(of).sum::<f64>() / count;
    let (seconds, off) = (mean(&|gap| gap.seconds), mean(&|gap| gap.off(rate)));
    let spread = mean(&|gap| (gap.seconds - seconds).powi(2));
    // Gaps of one length do not tell a clock from a counter.
    if count < 7.0 || spread < 1e-6 {
        return false;
    }
    let tilt = mean(&|gap| (gap.seconds - seconds) * (gap.off(rate) - off)) / spread;
    let constant = off - tilt * seconds;
    let left = mean(&|gap| (gap.off(rate) - constant - tilt * gap.seconds).powi(2));
    let error = (left / (count - 2.0) * (1.0 + seconds * seconds / spread)).sqrt();
    constant > 4.0 && constant > 4.5 * error
}
