//! What a packet costs in a mix of traffic: flows of which some have more packets than others, in a table of many.

use anyhow::{Result, ensure};
use isn_tests::test_run::Hook;

use super::{
    Effort,
    cases::{self, Case},
    lab::{Lab, MIX, Subject},
};
use crate::stopwatch::least_and_median;

/// Tables full of flows, and mixes that are made of them.
pub struct Mixer(Lab);

/// Nanoseconds for a packet: medians.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Of isnguard.
    pub ours: f64,
    /// Of the floor.
    pub floor: f64,
    /// One by the other, within a round.
    pub ratio: f64,
}

/// Packets of a mix, after which it begins anew.
pub const PACKETS: u32 = MIX;
/// Packets that pass in one measurement: a part of the mix, and the next one in the next round.
const PART: u32 = PACKETS / 8;

impl Mixer {
    /// Fills tables with so many flows.
    pub fn new(flows: u32) -> Result<Self> {
        Ok(Self(Lab::new(Hook::Xdp, flows)?))
    }

    /// What a packet costs where they come in this order.
    pub fn cost(&mut self, order: &[u32], effort: Effort) -> Result<Cost> {
        self.0.follow(order)?;
        let (ours, floor) = (cases::outbound_of_many(), cases::floor(1));
        // Whatever lies in caches now is of another mix.
        self.part(&ours, 0)?;
        self.part(&floor, 0)?;
        let (mut costs, mut floors, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..u32::try_from(effort.rounds)? {
            let from = (round + 1) * PART % PACKETS;
            let [ours, floor] = [self.part(&ours, from)?, self.part(&floor, from)?];
            ensure!(floor > 0.0, "the floor took no time");
            costs.push(ours);
            floors.push(floor);
            ratios.push(ours / floor);
        }
        let median = |values: &[f64]| least_and_median(values).map(|(_, median)| median);
        Ok(Cost {
            ours: median(&costs)?,
            floor: median(&floors)?,
            ratio: median(&ratios)?,
        })
    }

    fn part(&mut self, case: &Case, from: u32) -> Result<f64> {
        let case = case.clone().mixed(from, PACKETS);
        let bare = self.0.bare(PART)?;
        let passing = self.0.run(Subject::Pass, &case, PART)?;
        Ok(self.0.run(case.subject, &case, PART)? - passing + bare)
    }
}
