//! What a mix costs that nobody has measured, from what flows cost of which each is as popular as any other.
//!
//! The cost of a packet depends on how many other flows had packets since the last one of its flow (its *distance*): so much must have
//! stayed in the caches in between. Where N flows are alike, distances are evenly spread over 1 to N, so that what a distance costs is
//! the slope of N times the cost among N. How distances are spread where flows are not alike is what Che's approximation gives
//! (Che, Tung, Wang, "Hierarchical Web Caching Systems", 2002), which takes each flow by itself.

/// Costs among flows that are alike, by their number, from few to many.
pub struct Curve(Vec<(f64, f64)>);

/// Ranks that are taken one by one; those behind come in classes of which each begins at so many times the rank of the one before.
const ONE_BY_ONE: u64 = 1000;
const CLASS: f64 = 1.02;
/// Halvings after which a time is known well enough.
const HALVINGS: usize = 100;

/// Flows that are about as popular.
struct Class {
    /// How many.
    flows: f64,
    /// The share of each of all packets.
    share: f64,
}

impl Curve {
    /// From at least one point.
    pub fn new(points: Vec<(f64, f64)>) -> Self {
        assert!(!points.is_empty(), "a curve has points");
        Self(points)
    }

    /// The points.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.0
    }

    /// What a packet costs among so many flows with this exponent, in trains of this mean length. What lies farther away than anything
    /// that was measured is taken to cost as much as the farthest that was: no less.
    pub fn cost(&self, flows: u64, exponent: f64, train: f64) -> f64 {
        let classes = classes(flows, exponent);
        let (first_flows, first) = self.0[0];
        let (mut below, mut sum) = (0.0, 0.0);
        let (mut last_flows, mut last, mut slope) = (0.0, 0.0, first);
        for (number, cost) in &self.0 {
            slope = (number * cost - last_flows * last) / (number - last_flows);
            // A noisy machine may measure less for more.
            slope = slope.max(first);
            let within = if *number >= as_f64(flows) {
                1.0
            } else {
                share_within(&classes, *number)
            };
            sum += slope * (within - below);
            (last_flows, last, below) = (*number, *cost, within);
        }
        sum += slope * (1.0 - below);
        debug_assert!(first_flows > 0.0);
        let begins = 1.0 / train;
        begins * sum + (1.0 - begins) * first
    }
}

/// The share of packets of which the flow is among the last `number` different ones.
fn share_within(classes: &[Class], number: f64) -> f64 {
    let met = |time: f64| -> f64 {
        classes
            .iter()
            .map(|it| it.flows * -(-it.share * time).exp_m1())
            .sum()
    };
    // Packets until so many flows have been met: more than flows, and fewer than this.
    let (mut low, mut high) = (0.0, number);
    while met(high) < number && high < f64::MAX / 4.0 {
        high *= 2.0;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if met(middle) < number {
            low = middle;
        } else {
            high = middle;
        }
    }
    classes
        .iter()
        .map(|it| it.flows * it.share * -(-it.share * high).exp_m1())
        .sum()
}

fn classes(flows: u64, exponent: f64) -> Vec<Class> {
    let mut classes = Vec::new();
    let mut rank = 1;
    while rank <= flows {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank is positive and below 2^53"
        )]
        let next = if rank <= ONE_BY_ONE {
            rank + 1
        } else {
            (as_f64(rank) * CLASS) as u64
        };
        let next = next.min(flows + 1);
        let middle = f64::midpoint(as_f64(rank), as_f64(next - 1));
        classes.push(Class {
            flows: as_f64(next - rank),
            share: middle.powf(-exponent),
        });
        rank = next;
    }
    let all: f64 = classes.iter().map(|it| it.flows * it.share).sum();
    for class in &mut classes {
        class.share /= all;
    }
    classes
}

#[allow(
    clippy::cast_precision_loss,
    reason = "there are fewer than 2^53 flows"
)]
const fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve() -> Curve {
        Curve::new(vec![(1e3, 20.0), (1e4, 30.0), (1e5, 80.0), (1e6, 300.0)])
    }

    fn close(one: f64, other: f64, by: f64) {
        assert!((one / other - 1.0).abs() < by, "{one} and {other}");
    }

    #[test]
    fn flows_that_are_alike_cost_what_was_measured() {
        // Che's approximation rounds the edge of a cache off.
        for (flows, cost) in [(1_000, 20.0), (100_000, 80.0), (1_000_000, 300.0)] {
            close(curve().cost(flows, 0.0, 1.0), cost, 0.01);
        }
    }

    #[test]
    fn beyond_what_was_measured_nothing_gets_cheaper() {
        let costs: Vec<f64> = [6, 7, 8]
            .map(|power| curve().cost(10_u64.pow(power), 0.0, 1.0))
            .into();
        assert!(costs.is_sorted(), "{costs:?}");
        // The farthest distances cost (300 M - 8 M) / 0.9 M.
        close(costs[2], 292.0e6 / 0.9e6, 0.01);
    }

    #[test]
    fn popularity_and_trains_make_it_cheaper_and_never_cheaper_than_few_flows() {
        let cost = |exponent, train| curve().cost(1_000_000, exponent, train);
        let costs = [
            cost(0.0, 1.0),
            cost(0.8, 1.0),
            cost(1.0, 1.0),
            cost(1.2, 1.0),
            cost(1.2, 8.0),
        ];
        assert!(costs.is_sorted_by(|one, other| one > other), "{costs:?}");
        assert!(costs[4] > 20.0);
        close(cost(1.0, 4.0), 0.25 * cost(1.0, 1.0) + 0.75 * 20.0, 1e-9);
    }

    #[test]
    fn shares_within_are_those_of_a_cache_that_was_simulated() {
        use std::collections::{BTreeMap, HashMap};
        let (flows, room) = (2_000_u32, 100_usize);
        let below: Vec<f64> = (1..=flows)
            .scan(0.0, |sum, rank| {
                *sum += 1.0 / f64::from(rank);
                Some(*sum)
            })
            .collect();
        let mut random = fastrand::Rng::with_seed(3);
        let (mut last, mut by_time) = (HashMap::new(), BTreeMap::new());
        let (mut hits, packets) = (0, 200_000_u32);
        for now in 0..packets {
            let at = random.f64() * below[below.len() - 1];
            let flow = below.partition_point(|it| *it <= at);
            if let Some(before) = last.insert(flow, now) {
                by_time.remove(&before);
                hits += 1;
            }
            by_time.insert(now, flow);
            if by_time.len() > room {
                let (_, oldest) = by_time.pop_first().unwrap();
                last.remove(&oldest);
            }
        }
        let share = share_within(&classes(flows.into(), 1.0), 100.0);
        close(f64::from(hits) / f64::from(packets), share, 0.02);
    }
}
