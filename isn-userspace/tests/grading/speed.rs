//! How long grading takes where a host opens connections without end.

use std::time::{Duration, Instant};

use isn_generators::{Kind, Tuple};
use isnguard::grading::assess;

use crate::world::probed;

/// Linear, or nearly so: a million samples of the generator that no test stops at. The bound is against hanging; the time is printed.
#[test]
fn a_million_samples_take_about_a_second() {
    let count = if cfg!(debug_assertions) {
        50_000
    } else {
        1_000_000
    };
    for kind in Kind::ALL {
        let mut samples = probed(&mut *Kind::Constant.make(1), count);
        let mut generator = kind.make(1);
        for (place, sample) in samples.iter_mut().enumerate() {
            // Irregular times.
            sample.at += Duration::from_micros((place as u64).wrapping_mul(0x9e37_79b9) % 90_000);
            let tuple = Tuple::numbered(u32::try_from(place).unwrap());
            sample.isn = generator.next(sample.at, &tuple);
        }
        let begun = Instant::now();
        let assessment = assess(&samples);
        let taken = begun.elapsed();
        println!(
            "{:<18}{count} samples: {:>8.3} s, {}",
            kind.name(),
            taken.as_secs_f64(),
            assessment.class
        );
        assert!(taken < Duration::from_mins(1), "{}: {taken:?}", kind.name());
    }
}
