//! Linear congruential generators: x' = a·x + c modulo m. Their numbers pass every test of spread, and three of them betray
//! the rest (Reeds, 1977; Boyar, 1989).
//!
//! Successive differences obey d' = a·d, so each pair of them names a multiplier wherever d has an inverse, and the right one
//! comes again while chance hardly repeats a number of 32 bits. A lost packet spoils two pairs. Looked for are
//! the moduli of practice: powers of two (the numbers themselves tell how many bits there are, and low bits may be zero), the
//! prime 2^31 - 1, and the generator of 48 bits that gives out the upper 32. Other truncated ones are not found: their
//! numbers count as random here, although lattice reduction breaks them.

use super::{
    Class, Sample,
    finding::{Finding, grouped},
};

/// So many samples are enough to find the multiplier.
const LOOKED_AT: usize = 20_000;
const PRIME: u64 = (1 << 31) - 1;

/// A generator whose numbers follow from each other, whatever the time and the 4-tuple.
pub(super) fn congruential(samples: &[Sample]) -> Option<Finding> {
    let numbers: Vec<u32> = samples.iter().take(LOOKED_AT).map(|it| it.isn).collect();
    let (bits, zeros) = width(&numbers);
    let shown = bits.saturating_sub(zeros);
    if shown < 12 {
        return None;
    }
    let modulus = 1_u64 << shown;
    let binary = multiplier(&numbers, zeros, modulus).map(|a| (a, format!("2^{shown}")));
    let prime = || {
        let below = numbers.iter().all(|number| u64::from(*number) < PRIME);
        below
            .then(|| multiplier(&numbers, 0, PRIME))
            .flatten()
            .map(|a| (a, "2^31 - 1".into()))
    };
    let (a, modulus) = binary.or_else(prime)?;
    let detail = format!(
        "linear congruential: each number is the one before times {} and a constant, modulo {modulus}; three betray all others",
        grouped(a)
    );
    Some(Finding::computable(Class::Regressing, detail))
}

/// How many bits the numbers have, and how many low bits of their differences are always zero.
fn width(numbers: &[u32]) -> (u32, u32) {
    let used = numbers.iter().fold(0, |all, number| all | number);
    let moved = numbers
        .windows(2)
        .fold(0, |all, pair| all | (pair[0] ^ pair[1]));
    (32 - used.leading_zeros(), moved.trailing_zeros())
}

/// The multiplier that at least two in five pairs of differences name.
fn multiplier(numbers: &[u32], zeros: u32, modulus: u64) -> Option<u64> {
    let whole = modulus << zeros;
    let difference =
        |pair: &[u32]| ((u64::from(pair[1]) + whole - u64::from(pair[0]) % whole) % whole) >> zeros;
    let differences: Vec<u64> = numbers.windows(2).map(difference).collect();
    let mut pairs: Vec<_> = differences.windows(2).map(|it| (it[0], it[1])).collect();
    // What comes again names the same multiplier again, and proves nothing by it.
    pairs.sort_unstable();
    pairs.dedup();
    let mut named: Vec<u64> = pairs
        .into_iter()
        .filter_map(|(first, second)| Some(second * inverse(first, modulus)? % modulus))
        .collect();
    named.sort_unstable();
    let run = named.chunk_by(|a, b| a == b).max_by_key(|run| run.len())?;
    // A counter with one step has the multiplier 1, and 0 where it stands still.
    (run.len() >= 4 && run.len() * 5 >= named.len() * 2 && run[0] > 1).then_some(run[0])
}

/// The number that gives 1 when multiplied by `number`, modulo `modulus` (at most 2^32), if there is one: Euclid's extended
/// algorithm.
fn inverse(number: u64, modulus: u64) -> Option<u64> {
    let (mut rest, mut next) = (modulus.cast_signed(), number.cast_signed());
    let (mut factor, mut following) = (0_i64, 1_i64);
    while next != 0 {
        let quotient = rest / next;
        (rest, next) = (next, rest - quotient * next);
        (factor, following) = (following, factor - quotient * following);
    }
    (rest == 1).then(|| factor.rem_euclid(modulus.cast_signed()).cast_unsigned())
}

/// The generator of `drand48` (POSIX) and of Java's `Random`: 48 bits, the upper 32 given out. The 16 others are few enough
/// to try.
pub(super) fn upper_half(samples: &[Sample]) -> Option<Finding> {
    const MASK: u64 = (1 << 48) - 1;
    let step = |state: u64| state.wrapping_mul(0x5_deec_e66d).wrapping_add(11) & MASK;
    let shown = |state: u64, sample: &Sample| state >> 16 == u64::from(sample.isn);
    let betrays = |three: &[Sample]| {
        (0..1_u64 << 16).any(|low| {
            let second = step(u64::from(three[0].isn) << 16 | low);
            shown(second, &three[1]) && shown(step(second), &three[2])
        })
    };
    // Packets may be lost: four places are tried.
    samples.windows(3).step_by(3).take(4).any(betrays).then(|| {
        let detail = "linear congruential: 48 bits of which 32 are given out, as drand48 and Java's Random do; three numbers \
                      betray all others";
        Finding::computable(Class::Regressing, detail.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_multiplies_to_one() {
        for modulus in [1 << 32, 1 << 31, PRIME, 1 << 12] {
            for number in [1, 3, 69_069, 0xfff] {
                let inverse = inverse(number % modulus, modulus).unwrap();
                assert_eq!(inverse * (number % modulus) % modulus, 1);
            }
            assert_eq!(inverse(0, modulus), None);
        }
        assert_eq!(inverse(6, 1 << 32), None);
    }
}
