//! Who rules over an episode: settings, policies and keys, from the beginning or in its middle (S1, S3, S18, S20).

use isn_common::abi::policy::{Mode, Rule};

use super::{
    author::Author,
    episode::{Guarded, Instance, Step},
};

/// Seconds of adopting: none that the pauses of episodes add up to.
const ADOPTING: [u32; 3] = [45, 500, 100_000];

fn all(mode: Mode) -> Vec<Rule> {
    vec![Rule::new(0, u16::MAX, mode)]
}

impl Author {
    /// What applies when the episode begins: in one of two, keyed mode for all hosts or for some.
    pub fn rule_first(&mut self) {
        if self.rng.bool() {
            return;
        }
        self.has_keys = true;
        let instance = Instance {
            generation: self.rng.choice([0, 1, 63, 64, u32::MAX]).unwrap_or(0),
            ..self.adopting(4)
        };
        self.set(instance);
        for prefix in Guarded::ALL {
            if !self.chance(8) {
                let rules = self.keyed_rules();
                self.steps.push(Step::Policy(prefix, rules));
            }
        }
    }

    /// Somebody changes a setting, a key or a policy.
    pub fn rule(&mut self) {
        match self.rng.u8(..4) {
            0 => self.change_settings(),
            1 if self.has_keys => self.change_keys(),
            _ => {
                let rules = self.some_rules();
                let prefix = self.rng.choice(Guarded::ALL).unwrap_or(Guarded::Hosts4);
                self.steps.push(Step::Policy(prefix, rules));
            }
        }
    }

    fn set(&mut self, instance: Instance) {
        self.instance = instance;
        self.steps.push(Step::Settings(instance));
    }

    fn change_settings(&mut self) {
        let instance = Instance {
            history: self.rng.choice([240, 240, 240, 30]).unwrap_or(240),
            drop_when_full: self.rng.bool(),
            draining: self.chance(4),
            ..self.instance
        };
        self.set(instance);
    }

    /// Another key, or adopting that begins or ends.
    pub(super) fn change_keys(&mut self) {
        let rotation = u32::from(self.rng.bool());
        let instance = Instance {
            generation: self.instance.generation.wrapping_add(rotation),
            ..self.adopting(2)
        };
        self.set(instance);
    }

    /// The settings as they are, but for adopting: in one of so many.
    fn adopting(&mut self, one_in: u32) -> Instance {
        let begins = self.chance(one_in);
        let seconds = self.rng.choice(ADOPTING).unwrap_or(45);
        Instance {
            adopting: if begins { seconds } else { 0 },
            after_key: begins && self.rng.bool(),
            ..self.instance
        }
    }

    fn some_rules(&mut self) -> Vec<Rule> {
        match self.rng.u8(..10) {
            0 => all(Mode::Observe),
            1 => Vec::new(),
            2 => vec![
                Rule::new(443, 443, Mode::Observe),
                Rule::new(80, 80, Mode::Monotonic),
            ],
            3..=5 => self.keyed_rules(),
            6 => vec![
                Rule::exempt(80, 443),
                Rule::new(0, u16::MAX, Mode::Monotonic),
            ],
            _ => all(Mode::Monotonic),
        }
    }

    /// Keyed, with exceptions on either end's ports.
    fn keyed_rules(&mut self) -> Vec<Rule> {
        let mode = self
            .rng
            .choice([Some(Mode::Observe), Some(Mode::Monotonic), None]);
        let exception = |first, last| match mode.flatten() {
            Some(mode) => Rule::new(first, last, mode),
            None => Rule::exempt(first, last),
        };
        match self.rng.u8(..8) {
            0 => vec![Rule::new(80, 80, Mode::Keyed)],
            1 => vec![exception(443, 443), Rule::new(0, u16::MAX, Mode::Keyed)],
            2 => vec![exception(1025, 1025), Rule::new(80, 443, Mode::Keyed)],
            3 => vec![Rule::new(443, 443, Mode::Keyed), exception(0, 1023)],
            _ => all(Mode::Keyed),
        }
    }
}
