//! One hook of the kernel as the fuzzer needs it: as little work for a packet as can be, and all tables at once.

use std::{collections::HashMap, os::fd::AsFd as _};

use anyhow::{Context as _, Result, ensure};
use isn_common::{
    abi::{
        maps,
        policy::{Policy, Rule},
        settings::Settings,
    },
    expiry::Place,
    flow::Direction,
};

use super::{
    bpf::{take_all, test_run},
    episode::{Guarded, default_rules},
};
use crate::{
    expected_counters::{Counters, added},
    test_run::{Hook, Kernel, Room},
    two_worlds::{given::policy, state::State},
};

/// Programs of one hook with their own maps.
pub struct World {
    /// Its name in reports.
    pub name: &'static str,
    kernel: Kernel,
    hook: Hook,
    out: Vec<u8>,
    guards: [Vec<Rule>; Guarded::ALL.len()],
    counters: Counters,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Ran<'a> {
    /// The frame afterwards.
    pub frame: &'a [u8],
    /// Whether it goes on.
    pub passes: bool,
}

/// Longer than any frame here.
const BUFFER: usize = 4096;

impl World {
    /// Loads the programs.
    pub fn load(hook: Hook, room: Room) -> Result<Self> {
        let mut world = Self {
            name: match hook {
                Hook::Xdp => "XDP",
                Hook::Tc => "TC",
            },
            kernel: Kernel::new(hook, room)?,
            hook,
            out: vec![0; BUFFER],
            guards: Default::default(),
            counters: [0; _],
        };
        for guarded in Guarded::ALL {
            world.write_guard(guarded, &default_rules())?;
        }
        Ok(world)
    }

    /// Applies settings.
    pub fn set(&mut self, settings: &Settings) -> Result<()> {
        self.kernel.set(settings)
    }

    /// Applies a policy, unless it applies already.
    pub fn guard(&mut self, guarded: Guarded, rules: &[Rule]) -> Result<()> {
        if self.guards[guarded as usize] == rules {
            return Ok(());
        }
        self.write_guard(guarded, rules)
    }

    fn write_guard(&mut self, guarded: Guarded, rules: &[Rule]) -> Result<()> {
        self.guards[guarded as usize] = rules.to_vec();
        let policy: Policy = policy(rules);
        if let Some((address, bits)) = guarded.v4() {
            self.kernel.guard4(address, bits, &policy)?;
        }
        if let Some((address, bits)) = guarded.v6() {
            self.kernel.guard6(address, bits, &policy)?;
        }
        Ok(())
    }

    /// Runs a frame; `None` if this kernel makes no such test run.
    pub fn run(&mut self, direction: Direction, frame: &[u8]) -> Result<Option<Ran<'_>>> {
        let program = self.kernel.program(direction)?.as_fd();
        let returned = test_run(program, frame, &mut self.out)
            .with_context(|| format!("{}: test run of {} octets", self.name, frame.len()))?;
        let Some(returned) = returned else {
            return Ok(None);
        };
        let (pass, drop) = Kernel::actions(self.hook);
        ensure!(
            returned.action == pass || returned.action == drop,
            "{} returned action {}",
            self.name,
            returned.action
        );
        Ok(Some(Ran {
            frame: &self.out[..returned.length],
            passes: returned.action == pass,
        }))
    }

    /// What was added to each counter since [`World::clear`].
    pub fn counted(&self) -> Result<Counters> {
        Ok(added(&self.counters, &self.kernel.counters()?))
    }

    /// Empties the tables and these cells of circling acknowledgments, and counts from 0.
    pub fn clear(&mut self, storms: &[u32]) -> Result<()> {
        self.take()?;
        if self.kernel.load()? != [0; 2] {
            self.kernel.set_load(&HashMap::new(), &HashMap::new())?;
        }
        for index in storms {
            self.put_storm(*index, [0; 2])?;
        }
        self.counters = self.kernel.counters()?;
        Ok(())
    }

    /// Takes all flows out of the tables.
    pub fn take(&mut self) -> Result<State> {
        let kernel = &mut self.kernel;
        Ok(State {
            translated_v4: kernel.flows4(Place::Translated).take()?,
            translated_v6: kernel.flows6(Place::Translated).take()?,
            half_open_v4: kernel.flows4(Place::HalfOpen).take()?,
            half_open_v6: kernel.flows6(Place::HalfOpen).take()?,
            history_v4: kernel.flows4(Place::History).take()?,
            history_v6: kernel.flows6(Place::History).take()?,
            previous_v4: take_all(kernel.table_fd(maps::PREVIOUS_V4)?)?
                .into_iter()
                .collect(),
            previous_v6: take_all(kernel.table_fd(maps::PREVIOUS_V6)?)?
                .into_iter()
                .collect(),
        })
    }

    /// Writes a cell of circling acknowledgments.
    pub fn put_storm(&mut self, index: u32, words: [u64; 2]) -> Result<()> {
        self.kernel.put_storm(index, words)
    }

    /// Puts these flows into the tables.
    pub fn put(&mut self, state: &State) -> Result<()> {
        state.write_to(&mut self.kernel)
    }
}
