//! How well a host chooses its initial sequence numbers, from what passes by.
//!
//! Two questions, which need different samples. Can a stranger guess the number of somebody else's connection? That shows between
//! different 4-tuples, and is all that nmap can ask (RFC 6528 section 2). Does a connection begin above the one before it
//! on the same 4-tuple? That shows on reused 4-tuples alone, and a gateway sees it for nothing (RFC 9293 section
//! 3.4.1). A generator after RFC 6528 and one that draws 32 random bits look alike between 4-tuples: only reuse tells them
//! apart, and as long as there was none, the grade says so.
//!
//! What is hard about it:
//!
//! - *Samples come at any time.* Connections of others lie between two of them, so steps are multiples of the step; see
//!   [`step`]. A fast clock wraps several times in a gap; see [`clock`]. nmap's figures are defined for gaps of 0.1 s; see
//!   [`sequence`].
//! - *Captures are disturbed.* SYNs are missing or swapped, hosts restart. Every test allows for one gap in ten that
//!   contradicts, and a structure counts only where chance would hardly make it; see [`chance`].
//! - *One address, several machines.* Two mixed counters would pass for random numbers. They are told by looking further back
//!   than one sample; see [`forward`].
//! - *Few 4-tuples.* Within one, even a good generator is a clock. Clocks, steps and increments are looked for between different
//!   4-tuples only, and where there are too few the class stays unknown.
//! - *Looking random is not enough.* See [`congruential`].
//! - *Gaps of one length* (a poller) make a clock a fixed step: 25,000 in each 0.1 s. nmap sees the same; the advice is too.
//!
//! Everything is linear in the number of samples, or sorts them.

mod assessment;
mod chance;
mod clock;
mod congruential;
mod constant;
mod finding;
mod forward;
mod gaps;
mod graded;
pub mod rewriting;
mod sample;
mod sequence;
mod step;
mod trend;
mod verdict;

pub use assessment::{Advice, Assessment, Class, Grade, Sequence};
use finding::{Finding, grouped};
use gaps::{Gap, between, foreign_by_length, ordered};
pub use graded::{After, Graded, rewritten};
pub use sample::Sample;
use verdict::Reopened;

/// With fewer samples nothing is said but that a number is constant.
pub const ENOUGH: usize = 8;

/// What can be said of a host from `samples`. They may be in any order: their times count.
#[must_use]
pub fn assess(samples: &[Sample]) -> Assessment {
    let samples = ordered(samples);
    let gaps = between(&samples);
    let foreign = foreign_by_length(&gaps);
    let seen_again = || samples.iter().filter_map(|sample| sample.ahead);
    let reopened = Reopened {
        all: seen_again().count(),
        regressions: seen_again().filter(|ahead| *ahead <= 0).count(),
    };
    let finding = classify(&samples, &gaps, &foreign, reopened);
    let sequence = figures(&gaps, &foreign, &finding);
    let (grade, advice, reason) = verdict::verdict(&finding, sequence.as_ref(), reopened);
    Assessment {
        samples: samples.len(),
        same_tuple_samples: reopened.all,
        regressions: reopened.regressions,
        class: finding.class,
        detail: finding.detail,
        sequence,
        grade,
        advice,
        reason,
    }
}

/// nmap's figures, from gaps between 4-tuples if there are any.
fn figures(gaps: &[Gap], foreign: &[Gap], finding: &Finding) -> Option<Sequence> {
    if foreign.len() >= 3 {
        return sequence::sequence(foreign, finding);
    }
    let mut all = gaps.to_vec();
    all.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    sequence::sequence(&all, finding)
}

/// The tests, the most specific first: what passes an early one would pass a later one too.
fn classify(samples: &[Sample], gaps: &[Gap], foreign: &[Gap], reopened: Reopened) -> Finding {
    if let Some(finding) = constant::constant(samples, gaps) {
        return finding;
    }
    if samples.len() < ENOUGH {
        return Finding::other(Class::Unknown, missing(samples.len()));
    }
    if gaps.iter().all(|gap| gap.forward == 0) {
        let detail = "all connections began at one moment and with one number, which a slow clock does as well";
        return Finding::other(Class::Unknown, detail.into());
    }
    let unconditional = || constant::few(samples).or_else(|| congruential::congruential(samples));
    if foreign.len() < ENOUGH - 1 || gaps::few_tuples(samples, ENOUGH) {
        return unconditional().unwrap_or_else(|| same_tuples(reopened));
    }
    let by_tests = step::divisible(foreign)
        .or_else(|| clock::clock(foreign))
        .or_else(|| step::alike(foreign))
        .or_else(unconditional);
    if let Some(finding) = by_tests {
        return finding;
    }
    forward::forward(foreign)
        .or_else(|| forward::several(samples))
        .or_else(|| congruential::upper_half(samples))
        .unwrap_or_else(|| unstructured(reopened))
}

fn missing(samples: usize) -> String {
    let more = ENOUGH - samples;
    match samples {
        0 => format!("no connection was seen; {more} are needed at least"),
        1 => format!("one connection was seen; {more} more are needed at least"),
        _ => format!("{samples} connections were seen; {more} more are needed at least"),
    }
}

/// The samples are of few 4-tuples, or nearly all of one.
fn same_tuples(reopened: Reopened) -> Finding {
    if reopened.regressions > 0 {
        return unstructured(reopened);
    }
    let detail = "the connections used the same few 4-tuples, which does not show what strangers would be given";
    Finding::other(Class::Unknown, detail.into())
}

/// No structure was found: what remains is what reused 4-tuples show.
fn unstructured(reopened: Reopened) -> Finding {
    let Reopened { all, regressions } = reopened;
    if regressions > 0 {
        let detail = if regressions * 4 >= all {
            "random numbers without memory of the connection before".into()
        } else {
            "random numbers that mostly lie ahead; some do not, as after a restart or a long pause"
                .into()
        };
        return Finding::other(Class::Regressing, detail);
    }
    let detail = match all {
        0 => "random to strangers; without a reused 4-tuple, RFC 6528 and pure random numbers look alike".into(),
        _ => format!(
            "random to strangers, and ahead on all of {} reused 4-tuples, as RFC 6528 asks",
            grouped(all as u64)
        ),
    };
    Finding::other(Class::Strong, detail)
}
