//! What a host's samples are worth, as it chose them and as the wire shows them: measured where isnguard is at work, predicted
//! for the mode that is advised where it is not.

use std::{cmp::Reverse, net::IpAddr};

use isn_common::siphash::Key;
use serde::Serialize;

use super::{Advice, Assessment, Grade, Sample, assess, rewriting};

/// Any secret shows what a secret does; a fixed one gives the same report for the same capture.
const EXAMPLE: Key = Key([0x6973_6e67_7561_7264, 0x6578_616d_706c_6500]);

/// Where the grade "after" is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum After {
    /// From the numbers that left.
    Measured,
    /// From the numbers that would leave in the mode that is advised.
    Predicted,
}

impl After {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Predicted => "predicted",
        }
    }
}

/// A host and its grades.
#[derive(Clone, Debug)]
pub struct Graded {
    /// The host.
    pub host: IpAddr,
    /// As it is.
    pub before: Assessment,
    /// With isnguard. Where that is predicted, the same as before for a host that is better left alone.
    pub after: Assessment,
    /// Whether that was measured.
    pub is_after: After,
}

impl Graded {
    /// Grades `samples`, which are in order of time, and predicts what isnguard would make of them.
    #[must_use]
    pub fn predicted(host: IpAddr, samples: &[Sample]) -> Self {
        let before = assess(samples);
        let after = rewritten(before.advice, host, samples)
            .map_or_else(|| before.clone(), |samples| assess(&samples));
        Self {
            host,
            before,
            after,
            is_after: After::Predicted,
        }
    }

    /// Grades what the host chose and what left instead, both in order of time.
    #[must_use]
    pub fn measured(host: IpAddr, chosen: &[Sample], left: &[Sample]) -> Self {
        Self {
            host,
            before: assess(chosen),
            after: assess(left),
            is_after: After::Measured,
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
