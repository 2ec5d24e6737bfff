//! What every world is told besides packets: settings, keys, policies, time that passes, and entries that get lost.

use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};
use isn_common::{
    abi::{
        policy::{Mode, Rule},
        settings::{Keyed, OnFull, Settings},
    },
    tick::Tick,
};

use super::{
    arena::ROOM,
    episode::{Guarded, Instance, Loss},
    stage::Stage,
    world::World,
};
use crate::two_worlds::{
    given::policy,
    state::{State, memory_state, older},
};

impl Stage {
    pub(super) fn set(&mut self, kernels: &mut [World], instance: Instance) -> Result<()> {
        let full = if instance.drop_when_full {
            OnFull::Drop
        } else {
            OnFull::Pass
        };
        let history = Tick::in_seconds(instance.history);
        self.settings = Settings::new(history, full, 0, self.settings.secret);
        self.settings.limits.max_flows = ROOM.translated;
        self.settings.draining = u32::from(instance.draining);
        self.settings.keyed = self.keys_of(instance);
        self.judge.set(instance);
        self.apply(kernels)
    }

    fn keys_of(&self, instance: Instance) -> Keyed {
        let mut keys = [Instance::key(instance.generation); 2];
        let before = instance.generation.wrapping_sub(1);
        keys[usize::from(before % 2 == 1)] = Instance::key(before);
        Keyed {
            keys,
            generation: instance.generation,
            adopting_since: self.tick.0,
            adopting_for: Tick::in_seconds(instance.adopting),
            flags: self.in_use()
                | if instance.after_key {
                    Keyed::AFTER_KEY
                } else {
                    0
                },
        }
    }

    fn in_use(&self) -> u32 {
        if self.keyed.contains(&true) {
            Keyed::IN_USE
        } else {
            0
        }
    }

    fn apply(&mut self, kernels: &mut [World]) -> Result<()> {
        self.memory.set(self.settings);
        kernels
            .iter_mut()
            .try_for_each(|kernel| kernel.set(&self.settings))
    }

    pub(super) fn guard(
        &mut self,
        kernels: &mut [World],
        guarded: Guarded,
        rules: &[Rule],
    ) -> Result<()> {
        if let Some((address, bits)) = guarded.v4() {
            self.memory.guard(&address, bits, policy(rules));
        }
        if let Some((address, bits)) = guarded.v6() {
            self.memory.guard(&address, bits, policy(rules));
        }
        self.judge.guard(guarded, rules);
        kernels
            .iter_mut()
            .try_for_each(|kernel| kernel.guard(guarded, rules))?;
        let is_keyed = |rule: &Rule| rule.mode() == Some(Mode::Keyed);
        self.keyed[guarded as usize] = rules.iter().any(is_keyed);
        let flags = self.settings.keyed.flags & !Keyed::IN_USE | self.in_use();
        if flags == self.settings.keyed.flags {
            return Ok(());
        }
        self.settings.keyed.flags = flags;
        self.apply(kernels)
    }

    pub(super) fn wait(&mut self, kernels: &mut [World], seconds: u32) -> Result<()> {
        let ticks = Tick::in_seconds(seconds);
        self.judge.wait(seconds);
        let since = &mut self.settings.keyed.adopting_since;
        *since = since.wrapping_sub(ticks);
        self.apply(kernels)?;
        for kernel in &mut *kernels {
            let state = kernel.take()?;
            kernel.put(&state.aged(ticks))?;
            self.keys = state;
        }
        let before = self.in_both(kernels)?;
        before.aged(ticks).write_to_memory(&before, &self.memory);
        for (index, cell) in self.memory.storms() {
            let turns = cell.turns.load(Ordering::Relaxed);
            let aged = older(turns, ticks);
            cell.turns.store(aged, Ordering::Relaxed);
            let words = [cell.acknowledgments.load(Ordering::Relaxed), aged];
            for kernel in &mut *kernels {
                kernel.put_storm(index, words)?;
            }
        }
        Ok(())
    }

    /// What lies in memory, which must be as much as in the kernels.
    fn in_both(&self, kernels: &[World]) -> Result<State> {
        let (state, flows) = memory_state(&self.memory, &self.keys);
        if !kernels.is_empty() {
            let known = self.keys.len();
            ensure!(
                flows == known,
                "{flows} entries in memory, {known} in the kernel"
            );
        }
        Ok(state)
    }

    pub(super) fn lose(&mut self, kernels: &mut [World], loss: Loss) -> Result<()> {
        self.judge.lose(loss);
        self.oracle.lose();
        for kernel in &mut *kernels {
            let state = kernel.take()?;
            kernel.put(&left(&state, loss))?;
            self.keys = state;
        }
        let before = self.in_both(kernels)?;
        left(&before, loss).write_to_memory(&before, &self.memory);
        Ok(())
    }
}

/// What is left after a loss.
fn left(state: &State, loss: Loss) -> State {
    match loss {
        Loss::All => State::default(),
        Loss::Memory => State {
            translated_v4: state.translated_v4.clone(),
            translated_v6: state.translated_v6.clone(),
            previous_v4: state.previous_v4.clone(),
            previous_v6: state.previous_v6.clone(),
            ..State::default()
        },
    }
}
