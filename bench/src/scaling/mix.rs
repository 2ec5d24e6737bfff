//! Which flow each packet is of. Popularity follows Zipf's law: the flow of rank r has a share of packets as r to the power of less the
//! exponent. The packets of a flow come in trains (Jain and Routhier, "Packet Trains", 1986), here of geometric length.

use fastrand::Rng;

use crate::paths::mix::PACKETS;

/// A mix of traffic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// Flows, a power of two.
    pub flows: u32,
    /// 0 where each is as popular as any other.
    pub exponent: f64,
    /// Packets of a flow in succession, the mean.
    pub train: f64,
}

const SEED: u64 = 20_260_101;
/// Spreads ranks over the numbers of flows: an odd number near the golden section of 2^32 does not let neighbours lie together.
const SCATTER: u32 = 0x9e37_79b1;

impl Mix {
    /// A name that stays the same, and one for people.
    pub fn named(&self) -> (String, String) {
        named(self.flows.into(), self.exponent, self.train)
    }

    /// The flows of as many packets as a mix has, always the same.
    pub fn order(&self) -> Vec<u32> {
        let mut random = Rng::with_seed(SEED);
        let below = shares_up_to(self.flows, self.exponent);
        let last = below.last().copied().unwrap_or(1.0);
        let mut order = Vec::with_capacity(PACKETS as usize);
        while order.len() < PACKETS as usize {
            let at = random.f64() * last;
            let rank = below.partition_point(|it| *it <= at).min(below.len() - 1);
            #[allow(
                clippy::cast_possible_truncation,
                reason = "there are 2^32 flows at most"
            )]
            let flow = (rank as u32).wrapping_mul(SCATTER) & (self.flows - 1);
            order.push(flow);
            while order.len() < PACKETS as usize && random.f64() > 1.0 / self.train {
                order.push(flow);
            }
        }
        order
    }
}

/// The names of a mix, of any number of flows.
pub fn named(flows: u64, exponent: f64, train: f64) -> (String, String) {
    let id = format!("{flows}-{exponent:.1}-{train:.0}");
    let popularity = if exponent == 0.0 {
        "all alike".to_owned()
    } else {
        format!("Zipf {exponent:.1}")
    };
    let trains = if train > 1.0 {
        format!(", trains of {train:.0}")
    } else {
        String::new()
    };
    let flows = if flows == 1 {
        "1 active flow".to_owned()
    } else {
        format!("{flows} active flows")
    };
    (id, format!("{flows}, {popularity}{trains}"))
}

/// Shares of the flows of each rank and all before, not divided by the share of all.
fn shares_up_to(flows: u32, exponent: f64) -> Vec<f64> {
    let mut sum = 0.0;
    let share = |rank: u32| f64::from(rank).powf(-exponent);
    (1..=flows)
        .map(|rank| {
            sum += share(rank);
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn counts(mix: Mix) -> HashMap<u32, u32> {
        let mut counts = HashMap::new();
        for flow in mix.order() {
            *counts.entry(flow).or_default() += 1;
        }
        counts
    }

    #[test]
    fn shares_follow_the_law() {
        let mix = Mix {
            flows: 1024,
            exponent: 1.0,
            train: 1.0,
        };
        let counts = counts(mix);
        // The second most popular flow, of rank 1, has half of what the first has.
        let of_rank = |rank: u32| f64::from(counts[&(rank.wrapping_mul(SCATTER) & 1023)]);
        let ratio = of_rank(0) / of_rank(1);
        assert!((ratio - 2.0).abs() < 0.05, "{ratio}");
        let ratio = of_rank(0) / of_rank(9);
        assert!((ratio - 10.0).abs() < 0.5, "{ratio}");
    }

    #[test]
    fn all_flows_are_met_where_all_are_alike() {
        let mix = Mix {
            flows: 1 << 12,
            exponent: 0.0,
            train: 1.0,
        };
        assert_eq!(counts(mix).len(), 1 << 12);
    }

    #[test]
    fn trains_are_as_long_as_they_are_to_be() {
        let order = Mix {
            flows: 1 << 16,
            exponent: 0.0,
            train: 8.0,
        }
        .order();
        let begun = order.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let number = |it: usize| f64::from(u32::try_from(it).unwrap());
        let mean = number(order.len()) / number(begun + 1);
        assert!((mean - 8.0).abs() < 0.1, "{mean}");
    }
}
