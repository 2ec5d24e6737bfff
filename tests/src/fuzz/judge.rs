//! The reference model beside the worlds: it is told what they are told, and judges every packet.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use isn_common::{
    abi::policy::{self, Rule},
    counter::{Counter, Kind},
    flow::Direction,
    host::Frame,
};

use super::{
    arena::ROOM,
    episode::{Guarded, Instance, Loss, default_rules},
};
use crate::{
    model::{self, Given, Guard, Keyed, Mode, Model, Prefix, Table},
    two_worlds::Stepped,
};

/// The model and its clock.
pub struct Judge {
    model: Model,
    now: Duration,
}

/// Any time, long after the beginning.
const BEGINNING: Duration = Duration::from_secs(100_000);

impl Judge {
    /// Nothing remembered, the default settings.
    #[must_use]
    pub fn new() -> Self {
        let guards = Guarded::ALL.map(|guarded| Guard {
            prefix: prefix(guarded),
            rules: rules(&default_rules()),
        });
        let model = Model::new(Given {
            guards: guards.into(),
            history_seconds: Instance::default().history,
            draining: false,
            drop_when_full: false,
            room: ROOM.translated as usize,
            keyed: Keyed::default(),
        });
        Self {
            model,
            now: BEGINNING,
        }
    }

    /// Other settings.
    pub fn set(&mut self, instance: Instance) {
        let given = self.model.given();
        given.history_seconds = instance.history;
        given.draining = instance.draining;
        given.drop_when_full = instance.drop_when_full;
        let before = Instance::key(instance.generation.wrapping_sub(1)).0;
        given.keyed = Keyed {
            key: Instance::key(instance.generation).0,
            generation: instance.generation,
            before: instance.after_key.then_some(before),
            adopting_since: self.now,
            adopting_for: Duration::from_secs(instance.adopting.into()),
        };
    }

    /// Another policy.
    pub fn guard(&mut self, guarded: Guarded, policy: &[Rule]) {
        self.model.given().guards[guarded as usize].rules = rules(policy);
    }

    /// Time passes.
    pub fn wait(&mut self, seconds: u32) {
        self.now += Duration::from_secs(seconds.into());
    }

    /// Entries are lost.
    pub fn lose(&mut self, loss: Loss) {
        let memory = [Table::HalfOpen, Table::History];
        let all = [Table::HalfOpen, Table::History, Table::Translated];
        self.model.lose(match loss {
            Loss::Memory => &memory,
            Loss::All => &all,
        });
    }

    /// Judges a packet: as it came, as it left, and how it was counted.
    pub fn packet(
        &mut self,
        direction: Direction,
        came: &Frame,
        left: Option<&[u8]>,
        stepped: &Stepped,
    ) -> Result<()> {
        let direction = match direction {
            Direction::Outbound => model::Direction::Outbound,
            Direction::Inbound => model::Direction::Inbound,
        };
        let judged = self
            .model
            .judge(self.now, direction, &came.octets, came.stripped_tag, left);
        let judgement = judged.map_err(|it| anyhow!("{:?}, {it}", stepped.verdict))?;
        let outcome = stepped.verdict.counter().name();
        ensure!(
            judgement.permits(outcome) || is_as_good(outcome, judgement.outcome.counter()),
            "counted as {outcome}; the model: {}",
            judgement.outcome.counter()
        );
        for event in Counter::ALL.iter().filter(|it| it.kind() == Kind::Event) {
            let counted = stepped.counted[event.index()];
            let name = event.name();
            if let Some(expected) = judgement.expects(name) {
                ensure!(
                    counted == expected,
                    "{outcome}: {name} moved by {counted}; the model: by {expected}"
                );
            }
        }
        Ok(())
    }
}

/// Reasons why a packet passes as nothing that is understood.
const NOT_UNDERSTOOD: [&str; 9] = [
    "pass_truncated",
    "pass_bad_header",
    "pass_fragment",
    "pass_short_fragment",
    "pass_not_tcp",
    "pass_icmp",
    "pass_icmp_fragment",
    "pass_extension_headers",
    "pass_ip_authentication",
];
/// The reasons that say that headers contradict each other.
const CONTRADICTORY: usize = 2;

/// Two names that fit: with an offset of timestamps alone, a segment without any is translated by nothing; a later fragment of an
/// ICMP message is both. The data plane's, the model's.
const BOTH_FIT: [(&str, &str); 4] = [
    ("pass_fragment", "pass_icmp_fragment"),
    ("packets_translated_in", "pass_nothing_to_translate"),
    ("packets_translated_out", "pass_nothing_to_translate"),
    ("icmp_translated", "pass_icmp"),
];

/// Which of several faults is named depends on the order in which headers are read, of which no rule speaks.
fn is_as_good(counted: &str, judged: &str) -> bool {
    if BOTH_FIT.contains(&(counted, judged)) {
        return true;
    }
    let place = |reason| NOT_UNDERSTOOD.iter().position(|it| *it == reason);
    match (place(counted), place(judged)) {
        (Some(one), Some(other)) => one.min(other) < CONTRADICTORY,
        _ => false,
    }
}

impl Default for Judge {
    fn default() -> Self {
        Self::new()
    }
}

fn prefix(guarded: Guarded) -> Prefix {
    let v4 = guarded
        .v4()
        .map(|(address, bits)| Prefix::V4(address, bits));
    let v6 = || {
        guarded
            .v6()
            .map(|(address, bits)| Prefix::V6(address, bits))
    };
    v4.or_else(v6).expect("it is of one family")
}

fn rules(rules: &[Rule]) -> Vec<model::Rule> {
    let mode = |rule: &Rule| match rule.mode()? {
        policy::Mode::Observe => Some(Mode::Observe),
        policy::Mode::Monotonic => Some(Mode::Monotonic),
        policy::Mode::Keyed => Some(Mode::Keyed),
    };
    let judged = |rule: &Rule| model::Rule {
        first_port: rule.first_port,
        last_port: rule.last_port,
        mode: mode(rule),
    };
    let known = rules.iter().take_while(|rule| rule.is_some());
    known.map(judged).collect()
}
