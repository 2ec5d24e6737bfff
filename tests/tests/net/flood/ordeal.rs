//! A crowd and newcomers for a while, with floods or without.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use isn_tests::{
    crowd::{
        Crowd,
        figures::Figures,
        newcomers::{Newcomer, Tally},
    },
    flood::{Flood, Sent, Side},
};

/// Between two chunks on one connection.
const PACE: Duration = Duration::from_secs(1);
/// Ends from which each group of newcomers comes while the floods come, twice each.
pub const NEWCOMERS: u32 = 6000;

/// What went on at one time.
pub struct Outcome {
    /// The crowd's rounds.
    pub crowd: Figures,
    /// The newcomers' connections.
    pub newcomers: Tally,
    /// What the floods sent, in the order of [`Side::ALL`]; nothing if there were none.
    pub floods: Vec<Sent>,
}

/// Lets the crowd and the newcomers go on, and the floods come, for `time`.
pub fn go_on(
    crowd: &mut Crowd,
    newcomers: &mut [Newcomer<'_>],
    floods: &[Flood],
    count: u64,
    time: Duration,
) -> Result<Outcome> {
    let pace = time / NEWCOMERS;
    let over = AtomicBool::new(false);
    let goes_on = || !over.load(Ordering::Relaxed);
    thread::scope(|scope| {
        let newcomers: Vec<_> = newcomers
            .iter_mut()
            .map(|newcomer| scope.spawn(move || newcomer.keep_coming(pace, goes_on)))
            .collect();
        let sent: Vec<_> = floods
            .iter()
            .map(|flood| scope.spawn(move || flood.send(count, time)))
            .collect();
        let started = Instant::now();
        let until = || started.elapsed() < time || sent.iter().any(|flood| !flood.is_finished());
        let figures = crowd.carry_on(PACE, until);
        over.store(true, Ordering::Relaxed);
        let mut tally = Tally::default();
        for newcomer in newcomers {
            tally = tally.and(ended(newcomer.join())?);
        }
        let floods: Result<_> = sent.into_iter().map(|flood| ended(flood.join())).collect();
        Ok(Outcome {
            crowd: figures?,
            newcomers: tally,
            floods: floods?,
        })
    })
}

fn ended<T>(joined: thread::Result<Result<T>>) -> Result<T> {
    joined.map_err(|_| anyhow!("a thread of the test panicked"))?
}

/// Prints what it came to, a line each.
pub fn report(name: &str, outcome: &Outcome) {
    let new = &outcome.newcomers;
    println!("{name}: {}", outcome.crowd);
    println!(
        "{name}: new connections: {} fresh, {} with an offset, {} failed, the slowest handshake {:.2?}",
        new.fresh,
        new.moved,
        new.failures.len(),
        new.slowest
    );
    for (side, sent) in Side::ALL.iter().zip(&outcome.floods) {
        println!("{name}: from the side of {side:?} {sent:?}");
    }
}
