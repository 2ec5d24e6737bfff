//! How well a host chooses its initial sequence numbers, from what passes by.

mod assessment;
pub mod rewriting;
mod sample;

pub use assessment::{Advice, Assessment, Class, Grade, Sequence};
pub use sample::Sample;

/// What can be said of a host from `samples`, in order of time.
#[must_use]
pub fn assess(samples: &[Sample]) -> Assessment {
    let same_tuple = || samples.iter().filter_map(|sample| sample.ahead);
    Assessment {
        samples: samples.len(),
        same_tuple_samples: same_tuple().count(),
        regressions: same_tuple().filter(|ahead| *ahead <= 0).count(),
        class: Class::Unknown,
        detail: "too few connections".into(),
        sequence: None,
        grade: Grade::Unknown,
        advice: Advice::Leave,
        reason: "too few connections were seen".into(),
    }
}
