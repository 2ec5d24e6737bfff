//! Episodes from chance: a few flows between plausible ends, each of which does what ends do, interleaved; then some damage.

use std::rc::Rc;

use fastrand::Rng;

use super::{
    author::Author,
    carriers::{PLAIN, carriers},
    conversation::{Conversation, Stage},
    episode::{Episode, Loss, Step},
    mutate::mutate,
    stencil::Stencil,
};
use crate::packet_builder::Carrier;

/// Makes episodes; the same from the same seed.
pub struct Generator {
    stencils: Vec<Rc<Stencil>>,
    /// Whether the clocks of rebooted hosts go back.
    pub regressing_clocks: bool,
}

/// Steps after which an episode ends.
const STEPS: usize = 70;
/// Flows in it.
const FLOWS: usize = 7;

impl Default for Generator {
    fn default() -> Self {
        Self::new()
    }
}

impl Generator {
    /// Cuts out all carriers.
    #[must_use]
    pub fn new() -> Self {
        let cut = |carrier: &Carrier| Rc::new(Stencil::of(carrier));
        Self {
            stencils: carriers().iter().map(cut).collect(),
            regressing_clocks: true,
        }
    }

    /// The episode of this seed.
    #[must_use]
    pub fn episode(&self, seed: u64) -> Episode {
        let mut author = Author::new(Rng::with_seed(seed));
        let most = if author.chance(4) { FLOWS } else { 2 };
        let mut flows: Vec<_> = (0..author.rng.usize(1..=most))
            .map(|at| self.conversation(at, &mut author.rng))
            .collect();
        author.rule_first();
        // Most episodes are about one thing.
        let is_calm = author.chance(3);
        while author.steps.len() < STEPS {
            let flow = author.rng.usize(..flows.len());
            author.act(&mut flows[flow], is_calm);
        }
        let mut episode = Episode {
            tick: None,
            steps: author.steps,
        };
        if !is_calm {
            mutate(&mut episode, &mut author.rng);
        }
        if episode.is_a_matter_of_moments() {
            episode.steps.retain(|step| !matches!(step, Step::Wait(_)));
        }
        episode
    }

    fn conversation(&self, at: usize, rng: &mut Rng) -> Conversation {
        let carrier = match rng.u8(..3) {
            0 => rng.usize(..self.stencils.len()),
            _ => rng.usize(..PLAIN),
        };
        let host = 1025 + u16::try_from(at).expect("few flows");
        let number = rng.u32(..);
        Conversation {
            stencil: Rc::clone(&self.stencils[carrier]),
            carrier,
            ports: [host, rng.choice([80, 80, 443, 0]).unwrap_or(80)],
            stage: Stage::Closed,
            label: 0,
            isn: number,
            host: number,
            acknowledged: number,
            edge: number,
            peer: rng.u32(..),
            clocks: [rng.u32(..), rng.u32(..)],
            scales: [99, 99],
            timed: false,
            may_regress: self.regressing_clocks,
        }
    }
}

impl Author {
    fn act(&mut self, it: &mut Conversation, is_calm: bool) {
        if self.chance(40) {
            self.pause();
        }
        if self.chance(60) {
            self.rule();
        }
        if self.chance(if self.has_keys { 12 } else { 200 }) {
            let loss = self.rng.choice(Loss::ALL).unwrap_or(Loss::All);
            self.steps.push(Step::Lose(loss));
        }
        let noise = if is_calm { 30 } else { 5 };
        if self.chance(noise) {
            return self.disturb(it);
        }
        match it.stage {
            Stage::Closed if it.label != 0 && self.chance(8) => self.knock(it),
            Stage::Closed if is_calm && it.label == 0 && self.chance(20) => self.circle(it),
            Stage::Closed => self.open(it),
            Stage::HalfOpen => match self.rng.u8(..4) {
                0 => self.exchange(it),
                1 => self.close(it),
                _ => self.open(it),
            },
            Stage::Open => match self.rng.u8(..12) {
                0..=3 => self.exchange(it),
                4 => self.leap(it),
                5 => self.probe(it),
                6 => self.forget_and_open(it),
                _ => self.close(it),
            },
        }
    }

    fn disturb(&mut self, it: &mut Conversation) {
        match self.rng.u8(..12) {
            0..=3 => self.complain(),
            4..=6 => self.repeat(40),
            7 => self.babble(),
            8 => self.repeat(5),
            _ => self.forge(it),
        }
    }

    /// Some time passes.
    pub fn pause(&mut self) {
        let seconds = self.rng.choice([1, 10, 60, 110, 130, 230, 250, 5000]);
        self.steps.push(Step::Wait(seconds.unwrap_or(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::two_worlds::reading::locate;

    #[test]
    fn a_seed_gives_one_episode() {
        let generator = Generator::new();
        assert_eq!(generator.episode(7), generator.episode(7));
        assert_ne!(generator.episode(7), generator.episode(8));
    }

    #[test]
    fn episodes_survive_being_written_down() {
        let generator = Generator::new();
        for seed in 0..200 {
            let episode = generator.episode(seed);
            let text = episode.to_string();
            assert_eq!(Episode::parse(&text).unwrap(), episode, "{text}");
            let annotated = Episode::parse(&episode.annotated(&[])).unwrap();
            assert_eq!(annotated, episode);
        }
    }

    #[test]
    fn no_episode_is_a_matter_of_moments() {
        let generator = Generator::new();
        let any = (0..500).any(|seed| generator.episode(seed).is_a_matter_of_moments());
        assert!(!any);
    }

    #[test]
    fn most_packets_hold_a_whole_segment_with_options() {
        let generator = Generator::new();
        let steps = (0..100).flat_map(|seed| generator.episode(seed).steps);
        let packets: Vec<_> = steps
            .filter_map(|step| match step {
                Step::Packet(packet) => Some(packet),
                _ => None,
            })
            .collect();
        let found = packets
            .iter()
            .filter_map(|it| locate(it.direction, &it.octets));
        let headers: Vec<usize> = found.map(|found| found.header).collect();
        assert!(headers.len() * 2 > packets.len());
        assert!(headers.iter().filter(|header| **header > 20).count() * 2 > headers.len());
    }
}
