//! Plays an episode in memory, at XDP, at TC and in the reference model, packet by packet, and compares.
//!
//! Octets and verdicts are compared after every packet, counters and tables at the end: if they differ there, the episode is
//! played again with a comparison after each step. All kernels' time is real, so an episode during which the clock's tick
//! changed is played again, too.

use std::{fmt, mem};

use anyhow::{Result, bail};
use isn_common::{tick::Tick, verdict::Verdict};

use super::{episode::Episode, stage::Stage, world::World};
use crate::{
    expected_counters::Counters,
    test_run::{Hook, Room, clock},
};

/// Room in the tables: few translated flows, so that they get full.
pub(super) const ROOM: Room = Room {
    translated: 2,
    half_open: 2048,
    history: 2048,
};
/// An episode is played again so often at most because the clock moved on.
const MOST_PLAYS: usize = 200;

/// All worlds of one thread.
pub struct Arena {
    kernels: Vec<World>,
    stage: Stage,
}

/// How closely to look, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Tables and counters at the end.
    AtTheEnd,
    /// Tables and counters after every step.
    AfterEveryStep,
    /// Without the kernel, at a given tick.
    InMemory(u32),
}

/// What an episode came to.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    /// Packets in it.
    pub packets: u64,
    /// What they added to each counter.
    pub counted: Counters,
}

/// Where worlds differ, or what no packet may suffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// After which step, counted from 0; `None` if that is not known.
    pub step: Option<usize>,
    /// The tick in which it was.
    pub tick: u32,
    /// What is wrong.
    pub what: String,
    /// What became of each packet up to it.
    pub verdicts: Vec<Verdict>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => write!(f, "step {}: {}", step + 1, self.what),
            None => write!(f, "at the end: {}", self.what),
        }
    }
}

impl Arena {
    /// Loads the programs.
    pub fn load() -> Result<Self> {
        Ok(Self {
            kernels: vec![World::load(Hook::Xdp, ROOM)?, World::load(Hook::Tc, ROOM)?],
            stage: Stage::new(Tick(0)),
        })
    }

    /// The same without the kernel; it can only look [`Look::InMemory`].
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            kernels: Vec::new(),
            stage: Stage::new(Tick(0)),
        }
    }

    /// Plays an episode. The outer error is of this machine, the inner one is a find.
    pub fn play(&mut self, episode: &Episode, look: Look) -> Result<Result<Tally, Failure>> {
        for _ in 0..MOST_PLAYS {
            let tick = match look {
                Look::InMemory(tick) => Tick(tick),
                _ => clock::now(),
            };
            self.stage = Stage::new(tick);
            let outcome = self.play_once(episode, look);
            if matches!(look, Look::InMemory(_)) {
                return Ok(outcome);
            }
            let storms = self.stage.storms();
            for kernel in &mut self.kernels {
                kernel.clear(&storms)?;
            }
            if clock::now() == tick {
                return Ok(outcome);
            }
        }
        bail!(
            "{MOST_PLAYS} times the clock moved on while an episode of {} steps was played: this machine is too slow for it",
            episode.steps.len()
        )
    }

    /// The same, and if something is wrong only at the end, at which step it began.
    pub fn examine(&mut self, episode: &Episode) -> Result<Result<Tally, Failure>> {
        let outcome = self.play(episode, Look::AtTheEnd)?;
        match outcome {
            Err(Failure { step: None, .. }) => {
                let closely = self.play(episode, Look::AfterEveryStep)?;
                Ok(closely.and(outcome))
            }
            outcome => Ok(outcome),
        }
    }

    fn play_once(&mut self, episode: &Episode, look: Look) -> Result<Tally, Failure> {
        let kernels = match look {
            Look::InMemory(_) => &mut [],
            _ => &mut self.kernels[..],
        };
        let stage = &mut self.stage;
        match stage.perform(kernels, episode, look) {
            Ok(()) => Ok(Tally {
                packets: stage.packets,
                counted: stage.counted,
            }),
            Err((step, error)) => Err(Failure {
                step,
                tick: stage.tick.0,
                what: format!("{error:#}"),
                verdicts: mem::take(&mut stage.verdicts),
            }),
        }
    }
}
