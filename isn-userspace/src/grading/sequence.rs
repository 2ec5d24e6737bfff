//! nmap's three figures (nmap book, chapter "TCP/IP Fingerprinting Methods Supported by Nmap"; `osscan2.cc`) for samples that
//! were not taken 0.1 s apart.
//!
//! nmap sends six SYNs 0.1 s apart. From the differences of successive numbers, each by the shorter way round, it takes
//! the greatest common divisor (GCD); divided by the time between, they are rates a second, of which it gives 8 · log2 of
//! the mean (ISR) and 8 · log2 of the standard deviation (SP), the latter after division by the GCD where that exceeds 9, and 0
//! for a deviation of 1 or less.
//!
//! Dividing by the real time between passive samples would make a random generator the easier to guess, the longer nobody
//! connects. Instead every gap is moved to nmap's length: the growth that the generator's own rate explains is taken
//! off or put on, and what remains is what nmap would have seen after 0.1 s. For gaps of 0.1 s nothing is moved and the figures are
//! nmap's own. Gaps longer than twice the median are left out, since more connections of others lie in them. A fast clock
//! may have wrapped often in a long gap; the rate is known well enough by then to undo that, and the shorter way round is
//! taken of what remains only.
//!
//! A generator whose future can be computed has no spread that would help it: its difficulty is 0 though its numbers look random.

use super::{
    Class, Sequence,
    finding::Finding,
    gaps::{Gap, centred},
    step::{LEAST, greatest_common_divisor},
};

/// Seconds between two of nmap's probes.
const PROBE: f64 = 0.1;

/// The figures; `None` with fewer than 3 gaps. `gaps` are in order of length.
#[allow(clippy::cast_precision_loss, reason = "a number of samples")]
pub(super) fn sequence(gaps: &[Gap], finding: &Finding) -> Option<Sequence> {
    let median = gaps
        .get((gaps.len().max(3) - 1) / 2)
        .filter(|_| gaps.len() >= 3)?;
    let near = gaps
        .partition_point(|gap| gap.seconds <= median.seconds * 2.0)
        .max(3);
    let gcd = divisor(gaps, finding);
    let rates: Vec<f64> = gaps[..near]
        .iter()
        .map(|gap| at_probe(gap, finding.rate))
        .collect();
    let count = rates.len() as f64;
    let mean = rates.iter().sum::<f64>() / count;
    let squares: f64 = rates.iter().map(|rate| (rate - mean).powi(2)).sum();
    let divided = if gcd >= LEAST { f64::from(gcd) } else { 1.0 };
    let deviation = (squares / (count - 1.0)).sqrt() / divided;
    let known = finding.computable || gcd == 0;
    Some(Sequence {
        gcd,
        isr: index(mean),
        difficulty: if known { 0 } else { index(deviation) },
    })
}

/// Growth a second, as if the gap had been 0.1 s long.
fn at_probe(gap: &Gap, rate: f64) -> f64 {
    centred(f64::from(gap.forward) - rate * (gap.seconds - PROBE)).abs() / PROBE
}

fn divisor(gaps: &[Gap], finding: &Finding) -> u32 {
    match finding.class {
        Class::Constant => 0,
        Class::FixedStep => finding.step,
        _ => gaps
            .iter()
            .fold(0, |all, gap| greatest_common_divisor(all, gap.distance())),
    }
}

/// 8 · log2, rounded; 0 for 1 or less.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to some 300"
)]
fn index(value: f64) -> u32 {
    if value <= 1.0 {
        0
    } else {
        (8.0 * value.log2()).round() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(growth: &[u32], class: Class) -> Sequence {
        let gaps: Vec<Gap> = growth
            .iter()
            .map(|forward| Gap {
                seconds: PROBE,
                forward: *forward,
                foreign: true,
            })
            .collect();
        sequence(&gaps, &Finding::predictable(class, String::new())).unwrap()
    }

    /// Worked by hand: rates 1000, 2000, 3000, 2000, 1000; mean 1800, deviation 836.66.
    #[test]
    fn at_a_tenth_of_a_second_the_figures_are_nmaps() {
        let figures = of(&[100, 200, 301, 200, 100], Class::RandomIncrement);
        assert_eq!((figures.gcd, figures.isr, figures.difficulty), (1, 87, 78));
    }

    #[test]
    fn a_divisor_above_nine_is_divided_out_of_the_spread_alone() {
        let figures = of(&[64_000, 128_000, 64_000, 64_000], Class::Unknown);
        // Deviation 32,000 in 0.1 s: 5 steps a second.
        assert_eq!(
            (figures.gcd, figures.isr, figures.difficulty),
            (64_000, 157, 19)
        );
    }

    #[test]
    fn backward_counts_by_the_shorter_way_and_constants_have_no_difficulty() {
        let figures = of(&[u32::MAX - 0xff, 0x100, 0x100], Class::Regressing);
        assert_eq!((figures.gcd, figures.difficulty), (0x100, 0));
        let figures = of(&[0, 0, 0], Class::Constant);
        assert_eq!((figures.gcd, figures.isr, figures.difficulty), (0, 0, 0));
    }

    #[test]
    fn two_gaps_are_too_few() {
        let gap = Gap {
            seconds: PROBE,
            forward: 1,
            foreign: true,
        };
        let finding = Finding::other(Class::Unknown, String::new());
        assert_eq!(sequence(&[gap; 2], &finding), None);
    }
}
