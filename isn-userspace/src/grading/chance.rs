//! How likely it is that a generator without any structure looks as if it had one.
//!
//! Every structure is believed only where chance would show it once in [`BELIEVED`]; several places are looked at for each
//! host, so the probability is that of one look times the number of looks.

/// ln of the probability that ends doubt: one host in 100,000 that is random would be called predictable.
pub(super) const BELIEVED: f64 = -11.5;

/// ln of an upper bound on the probability that at least `hits` of `trials` succeed by chance, each with probability `each`
/// (Chernoff and Hoeffding): -trials · KL(hits/trials ‖ each). 0 where there are no more hits than chance gives.
#[allow(clippy::cast_precision_loss, reason = "a bound")]
pub(super) fn ln_at_least(hits: usize, trials: usize, each: f64) -> f64 {
    if trials == 0 {
        return 0.0;
    }
    let share = hits as f64 / trials as f64;
    if share <= each {
        return 0.0;
    }
    let part = |share: f64, each: f64| {
        if share <= 0.0 {
            0.0
        } else {
            share * (share / each).ln()
        }
    };
    -(trials as f64) * (part(share, each) + part(1.0 - share, 1.0 - each))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_n_is_the_nth_power_and_the_expected_is_no_surprise() {
        let nineteen = ln_at_least(19, 19, 0.5);
        assert!((nineteen - 19.0 * 0.5_f64.ln()).abs() < 1e-9);
        assert!(ln_at_least(10, 20, 0.5).abs() < 1e-9);
        assert!(ln_at_least(0, 0, 0.5).abs() < 1e-9);
    }

    /// The exact tail of the binomial distribution, summed, is never above the bound.
    #[test]
    fn it_bounds_the_binomial_tail() {
        for (hits, each) in [(12, 0.5_f64), (9, 0.25), (3, 0.01), (20, 0.9)] {
            let mut term = (1.0 - each).powi(20);
            let mut tail = 0.0;
            for k in 0..=20 {
                if k >= hits {
                    tail += term;
                }
                term *= f64::from(20 - k) / f64::from(k + 1) * each / (1.0 - each);
            }
            let bound = ln_at_least(usize::try_from(hits).unwrap(), 20, each);
            assert!(
                tail.ln() <= bound + 1e-9,
                "{hits} of 20 at {each}: {tail}, {bound}"
            );
        }
    }
}
