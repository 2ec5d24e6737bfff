//! The phase space of successive differences: each sample's distances to the three before it are a place in a cube. What
//! looks like noise on a line has a shape there, and whoever knows the shape can guess (M. Zalewski, "Strange Attractors and
//! TCP/IP Sequence Number Analysis", 2001).

use super::{
    scale::{HALF, real, round_up},
    thinning::chosen,
};
use crate::grading::Sample;

/// Samples below which there is no place in the cube.
pub const FEWEST: usize = 4;

/// How many of the triples a cube that shows a part of the space must hold.
const HELD: f64 = 0.97;

/// The names of the three axes: across, into the page, up.
pub const AXES: [&str; 3] = ["s[n] − s[n−1]", "s[n−1] − s[n−2]", "s[n−2] − s[n−3]"];

/// The triples of one host and the cube that shows them best.
#[derive(Debug, PartialEq)]
pub struct Phase {
    /// Signed differences (s[n] − s[n−1], s[n−1] − s[n−2], s[n−2] − s[n−3]), as many as are to be shown.
    pub triples: Vec<[i32; 3]>,
    /// How many there were before they were thinned out.
    pub count: usize,
    /// The cube's axes go from minus this to plus this; 2³¹ is everything there is.
    pub reach: f64,
    /// How many of `count` lie outside of that.
    pub outside: usize,
}

impl Phase {
    /// The phase space of samples in order of time, thinned out to `most` triples.
    pub fn of(samples: &[Sample], most: usize) -> Self {
        let all: Vec<[i32; 3]> = samples.windows(FEWEST).map(triple).collect();
        let reach = reach(&all);
        Self {
            count: all.len(),
            outside: all.iter().filter(|triple| farthest(triple) > reach).count(),
            triples: chosen(all.len(), most)
                .into_iter()
                .map(|index| all[index])
                .collect(),
            reach,
        }
    }

    /// How many times larger than the whole space the cube shows its part; 1 for the whole.
    pub fn zoom(&self) -> f64 {
        HALF / self.reach
    }

    /// Each triple that lies in a cube of the half edge `reach`, in units of it.
    pub fn within(&self, reach: f64) -> impl Iterator<Item = [f64; 3]> {
        self.triples
            .iter()
            .filter(move |triple| farthest(triple) <= reach)
            .map(move |triple| triple.map(|difference| f64::from(difference) / reach))
    }
}

fn triple(samples: &[Sample]) -> [i32; 3] {
    [3, 2, 1].map(|n| {
        samples[n]
            .isn
            .wrapping_sub(samples[n - 1].isn)
            .cast_signed()
    })
}

fn farthest(triple: &[i32; 3]) -> f64 {
    f64::from(triple.map(i32::unsigned_abs).into_iter().max().unwrap_or(0))
}

/// The half edge of the least cube with round ends that holds nearly all. What is spread over an eighth of the space or
/// more, and what does not move at all, is shown in the whole of it.
fn reach(triples: &[[i32; 3]]) -> f64 {
    let mut sizes: Vec<f64> = triples.iter().map(farthest).collect();
    sizes.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below the length"
    )]
    let nearly_last = (real(sizes.len()) * HELD) as usize;
    match sizes.get(nearly_last.min(sizes.len().saturating_sub(1))) {
        Some(size) if *size > 0.0 && *size <= HALF / 8.0 => round_up(*size),
        _ => HALF,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::tests::samples;

    #[test]
    fn differences_are_signed_and_the_newest_comes_first() {
        let phase = Phase::of(&samples([u32::MAX, 9, 4, 6]), 10);
        assert_eq!(phase.triples, [[2, -5, 10]]);
        assert_eq!((phase.count, phase.outside), (1, 0));
    }

    #[test]
    fn below_four_samples_there_is_nothing_and_it_is_the_whole_space() {
        for few in [&[][..], &[1], &[1, 2], &[1, 2, 3]] {
            let phase = Phase::of(&samples(few.iter().copied()), 10);
            assert_eq!((phase.count, phase.triples.len()), (0, 0));
            assert!((phase.zoom() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_small_step_is_magnified_and_what_stands_still_or_jumps_is_not() {
        let stepping = Phase::of(&samples((0..100).map(|n| n * 64_000)), 1_000);
        assert!((stepping.reach - 100_000.0).abs() < 1e-6);
        assert!(
            stepping
                .within(stepping.reach)
                .all(|place| place.iter().all(|x| (x - 0.64).abs() < 1e-9))
        );
        for isn in [0_u32, 0x5555_5555] {
            let phase = Phase::of(&samples((0..100).map(|n| isn.wrapping_mul(n))), 1_000);
            assert!((phase.reach - HALF).abs() < 1e-6);
        }
    }

    #[test]
    fn the_rare_jump_lies_outside_and_is_counted() {
        let jump = |n: u32| if n == 50 { 0x4000_0000 } else { n };
        let phase = Phase::of(&samples((0..500).map(jump)), 1_000);
        assert!(phase.zoom() > 1e6);
        assert_eq!(phase.outside, 4);
        assert_eq!(phase.within(phase.reach).count(), phase.count - 4);
        assert_eq!(phase.within(HALF).count(), phase.count);
    }

    #[test]
    fn many_are_thinned_out_but_all_are_counted() {
        let phase = Phase::of(&samples((0..10_000).map(|n| n * n)), 100);
        assert_eq!((phase.triples.len(), phase.count), (100, 9_997));
    }
}
