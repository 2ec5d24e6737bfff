//! One play of an episode: what every world is told, and how it is compared.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Error, Result, anyhow, bail, ensure};
use isn_common::{
    abi::{flow::Record, settings::Settings},
    counter::{Counter, Kind},
    datapath,
    flow::Direction,
    headers::ethernet,
    host::{Frame, Memory},
    segment::Family,
    tick::Tick,
    verdict::Verdict,
};

use super::{
    arena::Look,
    episode::{Episode, Guarded, Instance, Packet, Step, default_rules},
    judge::Judge,
    relocation::Shifts,
    world::World,
};
use crate::{
    expected_counters::{Counters, added, difference},
    packet_builder::carrier::DOT1Q,
    two_worlds::{
        FOR_TC, Stepped,
        given::default_settings,
        oracle::{Oracle, octets_apart},
        state::{State, memory_state},
    },
};

/// What one play of an episode needs.
pub(super) struct Stage {
    pub(super) memory: Memory,
    pub(super) oracle: Oracle,
    pub(super) judge: Judge,
    shifts: Shifts,
    pub(super) settings: Settings,
    /// Whether a rule of the prefix is keyed.
    pub(super) keyed: [bool; Guarded::ALL.len()],
    pub tick: Tick,
    sent: Frame,
    wire: Vec<u8>,
    stepped: Stepped,
    pub counted: Counters,
    /// What each kernel world has not seen, since it makes no such test run.
    missed: [Counters; 2],
    pub packets: u64,
    /// What became of each.
    pub verdicts: Vec<Verdict>,
    /// The keys that may have entries.
    pub(super) keys: State,
}

impl Stage {
    /// Nothing has happened yet.
    pub fn new(tick: Tick) -> Self {
        let settings = default_settings();
        let memory = Memory::new(settings);
        memory.set_now(tick);
        Self {
            memory,
            oracle: Oracle::default(),
            judge: Judge::new(),
            shifts: Shifts::default(),
            settings,
            keyed: [false; _],
            tick,
            sent: Frame::new(Vec::new()),
            wire: Vec::new(),
            stepped: Stepped {
                frame: Vec::new(),
                verdict: Verdict::TranslatedOut,
                counted: [0; _],
            },
            counted: [0; _],
            missed: [[0; _]; 2],
            packets: 0,
            verdicts: Vec::new(),
            keys: State::default(),
        }
    }

    /// The error comes with the step that it came up in.
    pub fn perform(
        &mut self,
        kernels: &mut [World],
        episode: &Episode,
        look: Look,
    ) -> Result<(), (Option<usize>, Error)> {
        self.begin(kernels).map_err(|error| (None, error))?;
        for (at, step) in episode.steps.iter().enumerate() {
            let mut outcome = self.step(kernels, step);
            if outcome.is_ok() && look == Look::AfterEveryStep {
                outcome = self.compare(kernels, true);
            }
            outcome.map_err(|error| (Some(at), error))?;
        }
        self.compare(kernels, false).map_err(|error| (None, error))
    }

    fn begin(&mut self, kernels: &mut [World]) -> Result<()> {
        self.set(kernels, Instance::default())?;
        for guarded in Guarded::ALL {
            self.guard(kernels, guarded, &default_rules())?;
        }
        Ok(())
    }

    fn step(&mut self, kernels: &mut [World], step: &Step) -> Result<()> {
        match step {
            Step::Settings(instance) => self.set(kernels, *instance),
            Step::Policy(guarded, rules) => self.guard(kernels, *guarded, rules),
            Step::Wait(seconds) => self.wait(kernels, *seconds),
            Step::Lose(loss) => self.lose(kernels, *loss),
            Step::Packet(packet) => self.packet(kernels, packet),
        }
    }

    /// The cells of circling acknowledgments that the episode has used.
    pub fn storms(&self) -> Vec<u32> {
        self.memory.storms().map(|(index, _)| index).collect()
    }

    fn packet(&mut self, kernels: &mut [World], packet: &Packet) -> Result<()> {
        self.packets += 1;
        self.sent.octets.clone_from(&packet.octets);
        self.sent.stripped_tag = packet.stripped;
        self.shifts
            .relocate(&mut self.sent.octets, &packet.relocations);
        if kernels.is_empty() {
            note_key(&mut self.keys, &self.sent, packet.direction);
        }
        let mut frame = self.sent.clone();
        self.in_memory(packet.direction, &mut frame)?;
        let left = (!matches!(self.stepped.verdict, Verdict::Drop(_))).then_some(&frame.octets[..]);
        if let Some(mark) = &packet.mark {
            self.shifts
                .learn(mark, &packet.octets, &self.sent.octets, left);
        }
        lay_out(&self.sent, &mut self.wire);
        lay_out(&frame, &mut self.stepped.frame);
        for (at, kernel) in kernels.iter_mut().enumerate() {
            self.in_kernel(kernel, at, packet.direction)?;
        }
        self.judge
            .packet(packet.direction, &self.sent, left, &self.stepped)?;
        self.oracle
            .check(packet.direction, &self.wire, &self.stepped)
    }

    fn in_memory(&mut self, direction: Direction, frame: &mut Frame) -> Result<()> {
        let run = || datapath::run(frame, &self.memory, direction);
        let verdict = catch_unwind(AssertUnwindSafe(run))
            .map_err(|_| anyhow!("the data plane panicked; the message is above"))?;
        let now: Counters = std::array::from_fn(|at| self.memory.counter(Counter::ALL[at]));
        self.stepped.counted = added(&self.counted, &now);
        self.stepped.verdict = verdict;
        self.verdicts.push(verdict);
        self.counted = now;
        let outcomes = Counter::ALL.iter().filter(|it| it.kind() == Kind::Outcome);
        let sum: u64 = outcomes.map(|it| self.stepped.counted[it.index()]).sum();
        ensure!(sum == 1, "one packet counted as {sum} outcomes");
        Ok(())
    }

    fn in_kernel(&mut self, kernel: &mut World, at: usize, direction: Direction) -> Result<()> {
        let name = kernel.name;
        let Some(ran) = kernel.run(direction, &self.wire)? else {
            let length = self.wire.len();
            ensure!(
                name == "TC" && !FOR_TC.contains(&length),
                "{name} does not run {length} octets"
            );
            for (missed, counted) in self.missed[at].iter_mut().zip(self.stepped.counted) {
                *missed += counted;
            }
            return Ok(());
        };
        let verdict = self.stepped.verdict;
        let passes = !matches!(verdict, Verdict::Drop(_));
        ensure!(
            ran.passes == passes,
            "{name}: passes: {}; in memory: {verdict:?}",
            ran.passes
        );
        ensure!(
            !passes || ran.frame == self.stepped.frame,
            "{name} and memory give different octets ({verdict:?}):\n{}",
            octets_apart(ran.frame, &self.stepped.frame)
        );
        Ok(())
    }

    /// Compares counters and tables; these are empty then, unless they shall be kept.
    fn compare(&mut self, kernels: &mut [World], keep: bool) -> Result<()> {
        for (at, kernel) in kernels.iter_mut().enumerate() {
            let name = kernel.name;
            let state = kernel.take()?;
            let (in_memory, flows) = memory_state(&self.memory, &state);
            if let Some(difference) = state.difference(&in_memory, [name, "memory"]) {
                bail!("the tables differ:\n{difference}");
            }
            ensure!(
                flows == state.len(),
                "{flows} entries in memory, {} in {name}:\n{state:?}",
                state.len()
            );
            if keep {
                kernel.put(&state)?;
            }
            let wanted = added(&self.missed[at], &self.counted);
            if let Some(difference) = difference(&wanted, &kernel.counted()?) {
                bail!("{name}: {difference} as in memory");
            }
        }
        Ok(())
    }
}

/// Remembers that there may be entries for this packet: tables in memory can only be asked by key.
fn note_key(keys: &mut State, frame: &Frame, direction: Direction) {
    let Ok(link) = ethernet::read(frame) else {
        return;
    };
    if let Ok((key, _)) = <[u8; 4] as Family>::locate(frame, link, direction) {
        keys.translated_v4.insert(key, Record::EMPTY);
        keys.half_open_v4.insert(key, Record::EMPTY);
        keys.history_v4.insert(key, Record::EMPTY);
    }
    if let Ok((key, _)) = <[u8; 16] as Family>::locate(frame, link, direction) {
        keys.translated_v6.insert(key, Record::EMPTY);
        keys.half_open_v6.insert(key, Record::EMPTY);
        keys.history_v6.insert(key, Record::EMPTY);
    }
}

/// The frame with its tag in its place, which is how the kernel's test runs must get it.
fn lay_out(frame: &Frame, wire: &mut Vec<u8>) {
    wire.clear();
    let Some(tci) = frame.stripped_tag else {
        wire.extend_from_slice(&frame.octets);
        return;
    };
    let at = frame.octets.len().min(12);
    wire.extend_from_slice(&frame.octets[..at]);
    wire.extend_from_slice(&DOT1Q.to_be_bytes());
    wire.extend_from_slice(&tci.to_be_bytes());
    wire.extend_from_slice(&frame.octets[at..]);
}
