//! What else a laboratory can be made to do: keyed mode, telling of SYNs, flows in the order of a mix.

use std::os::fd::BorrowedFd;

use anyhow::{Context as _, Result, ensure};
use aya::maps::{Array, MapData};
use isn_common::{
    abi::{
        policy::{Mode, Policy, Rule},
        settings::{Keyed, OnFull, Settings},
    },
    expiry::Place,
    siphash::Key,
    tick::Tick,
};
use isn_tests::test_run::{Hook, clock};

use super::{
    super::frames::{self, Flow, KEPT},
    Lab, loaded,
};

impl Lab {
    /// From now on, all hosts are keyed, and nothing is adopted. A flow to a port of its own has an entry where flows of keyed mode
    /// are remembered.
    pub fn go_keyed(&mut self) -> Result<()> {
        let keyed = Keyed {
            keys: [Key([3, 4]), Key([0; 2])],
            flags: Keyed::IN_USE,
            ..Keyed::UNUSED
        };
        self.kernel.set(&Settings {
            keyed,
            ..settings()
        })?;
        let mut policy = Policy {
            rules: [Rule::NONE; Policy::MOST_RULES],
        };
        policy.rules[0] = Rule::new(0, u16::MAX, Mode::Keyed);
        self.kernel.guard4(frames::GUARDED_V4, 16, &policy)?;
        self.kernel.guard6(frames::GUARDED_V6, 64, &policy)?;
        self.is_keyed = true;
        self.keep()
    }

    /// Puts the flow in whose entry is to be found in the history: others that come in evict it.
    pub(super) fn keep(&mut self) -> Result<()> {
        let kept = (Flow(0).key4(KEPT), frames::record(KEPT, clock::now()));
        self.kernel.flows4(Place::History).put([kept])
    }

    /// From now on, samples are taken of every SYN.
    pub fn take_samples(&mut self) -> Result<()> {
        let mut settings = settings();
        settings.limits.sample_share = u32::MAX;
        self.kernel.set(&settings)
    }

    /// The ring that samples are put into.
    pub fn ring(&self) -> Result<BorrowedFd<'_>> {
        self.kernel.ring_fd()
    }

    /// How many samples have been put there since this was asked last; they are taken out.
    pub fn samples(&mut self) -> Result<usize> {
        Ok(self.kernel.samples()?.len())
    }

    /// From now on, what restores frames takes flows in this order, [`MIX`](super::MIX) of them, over and over.
    pub fn follow(&mut self, order: &[u32]) -> Result<()> {
        ensure!(
            order.len() == super::MIX as usize,
            "{} packets are no mix",
            order.len()
        );
        if !self.follows {
            self.restore = loaded(&mut self.bench, Hook::Xdp, "mix")?;
            self.follows = true;
        }
        let map = self.bench.map_mut("MIX").context("no map MIX")?;
        let mut map: Array<&mut MapData, u32> = map.try_into()?;
        for (place, flow) in (0..).zip(order) {
            map.set(place, flow, 0)?;
        }
        Ok(())
    }
}

fn settings() -> Settings {
    let history = Tick::in_seconds(Settings::DEFAULT_HISTORY_SECONDS);
    Settings::new(history, OnFull::Pass, 0, Key([1, 2]))
}
