//! How growth depends on time where it is not a clock's alone.

use super::gaps::Gap;

/// Numbers a second by which growth rises with the length of a gap, from the shorter half of gaps in order of length (a clock
/// has wrapped in the longer ones): least squares with a constant term, which is what each connection adds. 0 where
/// the gaps are all alike.
#[allow(clippy::cast_precision_loss, reason = "a number of samples")]
pub(super) fn slope(gaps: &[Gap]) -> f64 {
    let half = gaps.len().div_ceil(2).max(4).min(gaps.len());
    let near = || gaps[..half].iter().filter(|gap| gap.signed() >= 0);
    let count = near().count() as f64;
    let (seconds, growth) = near().fold((0.0, 0.0), |sums, gap| {
        (sums.0 + gap.seconds, sums.1 + f64::from(gap.forward))
    });
    let (mean, level) = (seconds / count, growth / count);
    let (square, product) = near().fold((0.0, 0.0), |sums, gap| {
        let from_mean = gap.seconds - mean;
        (
            sums.0 + from_mean * from_mean,
            sums.1 + from_mean * (f64::from(gap.forward) - level),
        )
    });
    // Lengths that differ by less than the clock that measured them tell nothing.
    if count < 3.0 || square < count * 1e-6 {
        0.0
    } else {
        product / square
    }
}
