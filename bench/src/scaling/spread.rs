//! Receive-side scaling: which core gets which flow, by a hash that knows nothing of how many packets a flow has.
//!
//! The hash chooses one of 128 places of a table, as most network cards have it, and the table's places go round the cores. All cores
//! together carry no more than until the fullest of them is full.

use anyhow::{Result, ensure};
use fastrand::Rng;

use crate::stopwatch::least_and_median;

/// Places in the table of a network card.
const PLACES: usize = 128;

/// As how many cores so many cores carry flows whose popularity has this exponent: the median over several hashes.
pub fn busy(flows: u32, exponent: f64, cores: u32, hashes: u64) -> Result<f64> {
    ensure!(
        cores > 0 && cores as usize <= PLACES,
        "no card has {cores} queues and {PLACES} places"
    );
    let busy: Vec<f64> = (0..hashes)
        .map(|seed| once(flows, exponent, cores, seed))
        .collect();
    Ok(least_and_median(&busy)?.1)
}

fn once(flows: u32, exponent: f64, cores: u32, seed: u64) -> f64 {
    let mut hash = Rng::with_seed(seed);
    let mut places = [0.0; PLACES];
    for rank in 1..=flows {
        places[hash.usize(..PLACES)] += f64::from(rank).powf(-exponent);
    }
    let mut loads = vec![0.0; cores as usize];
    for (place, load) in places.iter().enumerate() {
        loads[place % cores as usize] += load;
    }
    let all: f64 = loads.iter().sum();
    let fullest = loads.iter().copied().fold(0.0, f64::max);
    all / fullest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_flows_that_are_alike_keep_all_cores_busy() {
        let all = busy(1 << 18, 0.0, 16, 3).unwrap();
        assert!(all > 15.0 && all <= 16.0, "{all}");
    }

    #[test]
    fn no_core_shares_a_flow() {
        // The most popular of 4096 flows has 0.54 of the packets: 1 / zeta(2), and all cores together carry less than two do.
        let squares: f64 = (1..=4096_u32).map(|rank| f64::from(rank).powi(-2)).sum();
        let most = busy(4096, 2.0, 64, 5).unwrap();
        assert!(
            most <= squares && most > 0.8 * squares,
            "{most} of {squares}"
        );
        assert!((busy(1, 0.0, 8, 1).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn places_that_cannot_be_shared_out_evenly_cost_something() {
        // 128 places among 48 cores: some have 3, some 2.
        let all = busy(1 << 20, 0.0, 48, 3).unwrap();
        assert!(all < 128.0 / 3.0 && all > 41.0, "{all}");
        assert!(busy(1, 0.0, 129, 1).is_err());
    }
}
