//! Episode after episode on several threads, each with its own worlds, until there are enough packets, or a find.

use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};

use super::{
    arena::{Arena, Failure, Look},
    episode::Episode,
    generate::Generator,
    shrink::shrink,
};
use crate::expected_counters::Counters;

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// What all episodes come from.
    pub seed: u64,
    /// It ends after so many packets.
    pub packets: u64,
    /// It ends after this time.
    pub time: Duration,
    /// So many episodes at once.
    pub threads: usize,
}

/// How far a campaign is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Packets played, each in all worlds.
    pub packets: u64,
    /// Episodes they were in.
    pub episodes: u64,
    /// Since the beginning.
    pub elapsed: Duration,
    /// What the packets added to each counter.
    pub counted: Counters,
}

impl Progress {
    /// Packets a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn rate(&self) -> f64 {
        self.packets as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (packets, episodes, seconds) = (self.packets, self.episodes, self.elapsed.as_secs());
        let rate = self.rate();
        write!(
            f,
            "{packets} packets in {episodes} episodes, {seconds} s, {rate:.0} packets/s"
        )
    }
}

/// An episode that fails.
#[derive(Clone, Debug)]
pub struct Find {
    /// Its own seed.
    pub seed: u64,
    /// What is wrong in it as it was made.
    pub failure: Failure,
    /// As it was made.
    pub episode: Episode,
    /// As short as it can be, and what is wrong in it; `None` if it did not fail a second time.
    pub shrunk: Option<(Episode, Failure)>,
}

/// What the threads share.
struct Shared {
    campaign: Campaign,
    began: Instant,
    next: AtomicU64,
    stop: AtomicBool,
    progress: Mutex<Progress>,
    find: Mutex<Option<Find>>,
}

/// So often a failure is tried to be seen again: the jumps are others each time.
const ATTEMPTS: usize = 12;

impl Campaign {
    /// Does it. Tells how far it is now and then, to `tell`, which may end it by `false`. Gives the first find, if there is one.
    pub fn run(&self, mut tell: impl FnMut(&Progress) -> bool) -> Result<(Progress, Option<Find>)> {
        let shared = Shared::new(*self);
        let worker = || {
            let outcome = shared.work();
            if outcome.is_err() {
                shared.stop.store(true, Ordering::Relaxed);
            }
            outcome
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads).map(|_| scope.spawn(worker)).collect();
            while !workers.iter().all(thread::ScopedJoinHandle::is_finished) {
                thread::park_timeout(Duration::from_millis(200));
                if !tell(&shared.so_far()) {
                    shared.stop.store(true, Ordering::Relaxed);
                }
            }
            workers.into_iter().try_for_each(|worker| {
                let outcome = worker.join();
                outcome.map_err(|_| anyhow!("a thread of the fuzzer panicked"))?
            })
        })?;
        let find = shared.find.lock().ok().and_then(|mut find| find.take());
        Ok((shared.so_far(), find))
    }
}

impl Shared {
    fn new(campaign: Campaign) -> Self {
        Self {
            campaign,
            began: Instant::now(),
            next: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            progress: Mutex::new(Progress {
                packets: 0,
                episodes: 0,
                elapsed: Duration::ZERO,
                counted: [0; _],
            }),
            find: Mutex::new(None),
        }
    }

    fn so_far(&self) -> Progress {
        let mut progress = *self.progress.lock().expect("nobody panics with it");
        progress.elapsed = self.began.elapsed();
        progress
    }

    fn is_over(&self) -> bool {
        let enough = self.so_far().packets >= self.campaign.packets;
        enough || self.began.elapsed() >= self.campaign.time || self.stop.load(Ordering::Relaxed)
    }

    fn work(&self) -> Result<()> {
        let mut arena = Arena::load()?;
        let generator = Generator::new();
        while !self.is_over() {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let seed = episode_seed(self.campaign.seed, number);
            let episode = generator.episode(seed);
            match arena.play(&episode, Look::AtTheEnd)? {
                Ok(tally) => {
                    let mut progress = self.progress.lock().expect("nobody panics with it");
                    progress.packets += tally.packets;
                    progress.episodes += 1;
                    for (sum, counted) in progress.counted.iter_mut().zip(tally.counted) {
                        *sum += counted;
                    }
                }
                Err(failure) => {
                    if !self.stop.swap(true, Ordering::Relaxed) {
                        let find = pursue(&mut arena, seed, episode, failure)?;
                        *self.find.lock().expect("nobody panics with it") = Some(find);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The seed of an episode of a campaign.
#[must_use]
pub const fn episode_seed(campaign: u64, number: u64) -> u64 {
    campaign.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Makes an episode that failed as short as it can be.
fn pursue(arena: &mut Arena, seed: u64, mut episode: Episode, failure: Failure) -> Result<Find> {
    episode.tick = Some(failure.tick);
    let shrunk = shrink_find(arena, &episode)?;
    Ok(Find {
        seed,
        failure,
        episode,
        shrunk,
    })
}

/// The shortest episode found that fails as this one does; `None` if this one does not fail again.
pub fn shrink_find(arena: &mut Arena, episode: &Episode) -> Result<Option<(Episode, Failure)>> {
    if let Some(short) = shrink_by(arena, episode, in_memory)? {
        let failure = in_memory(arena, &short)?;
        return Ok(failure.map(|failure| (short, failure)));
    }
    let Some(mut short) = shrink_by(arena, episode, in_kernel)? else {
        return Ok(None);
    };
    for _ in 0..ATTEMPTS * ATTEMPTS {
        if let Err(failure) = arena.examine(&short)? {
            short.tick = Some(failure.tick);
            return Ok(Some((short, failure)));
        }
    }
    Ok(None)
}

/// How an episode fails, if it does.
type Trial = fn(&mut Arena, &Episode) -> Result<Option<Failure>>;

/// In memory, with the jumps of the tick that it bears.
fn in_memory(arena: &mut Arena, episode: &Episode) -> Result<Option<Failure>> {
    let Some(tick) = episode.tick else {
        return Ok(None);
    };
    Ok(arena.play(episode, Look::InMemory(tick))?.err())
}

/// In all worlds, with whatever jumps.
fn in_kernel(arena: &mut Arena, episode: &Episode) -> Result<Option<Failure>> {
    for _ in 0..ATTEMPTS {
        if let Err(failure) = arena.play(episode, Look::AtTheEnd)? {
            return Ok(Some(failure));
        }
    }
    Ok(None)
}

fn shrink_by(arena: &mut Arena, episode: &Episode, trial: Trial) -> Result<Option<Episode>> {
    let mut trouble = None;
    let mut fails = |it: &Episode| {
        if it.is_a_matter_of_moments() || trouble.is_some() {
            return false;
        }
        trial(arena, it).map_or_else(
            |error| {
                trouble = Some(error);
                false
            },
            |failure| failure.is_some(),
        )
    };
    let short = fails(episode).then(|| shrink(episode, &mut fails));
    trouble.map_or(Ok(short), Err)
}
