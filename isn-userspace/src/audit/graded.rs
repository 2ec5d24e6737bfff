//! What a host's samples are worth, now and with isnguard in the mode that is advised.

use std::{cmp::Reverse, net::IpAddr};

use isn_common::siphash::Key;

use crate::grading::{Advice, Assessment, Grade, Sample, assess, rewriting};

/// Any secret shows what a secret does; a fixed one gives the same report for the same capture.
const EXAMPLE: Key = Key([0x6973_6e67_7561_7264, 0x6578_616d_706c_6500]);

/// A host and its grades.
#[derive(Clone, Debug)]
pub struct Graded {
    /// The host.
    pub host: IpAddr,
    /// As it is.
    pub before: Assessment,
    /// With isnguard as advised; the same as before where it is advised to leave the host alone.
    pub after: Assessment,
}

impl Graded {
    /// Grades `samples`, which are in order of time.
    #[must_use]
    pub fn new(host: IpAddr, samples: &[Sample]) -> Self {
        let before = assess(samples);
        let after = rewritten(before.advice, host, samples)
            .map_or_else(|| before.clone(), |samples| assess(&samples));
        Self {
            host,
            before,
            after,
        }
    }

    /// The order of reports: the worst first, those of which too little is known last.
    #[must_use]
    pub fn rank(&self) -> impl Ord + use<> {
        let Assessment {
            grade,
            regressions,
            samples,
            ..
        } = self.before;
        let difficulty = self
            .before
            .sequence
            .map_or(u32::MAX, |sequence| sequence.difficulty);
        (
            grade == Grade::Unknown,
            Reverse(grade),
            difficulty,
            Reverse(regressions),
            Reverse(samples),
            self.host,
        )
    }
}

/// What the wire would show with isnguard as advised. `None` if it would change nothing.
#[must_use]
pub fn rewritten(advice: Advice, host: IpAddr, samples: &[Sample]) -> Option<Vec<Sample>> {
    match advice {
        Advice::Leave => None,
        Advice::Monotonic => Some(rewriting::monotonic(samples, host, EXAMPLE)),
        Advice::Keyed => Some(rewriting::keyed(samples, host, EXAMPLE)),
    }
}
