//! Several CPUs at once.
//!
//! On a machine that others use too, two threads seldom run at the same time for long. So they meet before every few milliseconds of
//! runs, and what counts are the pieces in which they had their CPUs all the time. What a call takes without any run is taken off:
//! for XDP, the kernel changes its own code at the beginning and at the end of it.

use std::{
    hint::spin_loop,
    os::fd::{AsFd as _, BorrowedFd},
    sync::atomic::{AtomicUsize, Ordering},
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use isn_tests::fuzz::bpf;

use super::{
    super::{cases::Case, frames},
    Lab,
};
use crate::{
    cpu::Pinned,
    stopwatch::{Took, least_and_median, timed},
};

/// Runs between two meetings: a few milliseconds.
const PIECE: u32 = 100_000;
/// Calls with hardly any runs, and the runs of each.
const EMPTY: u32 = 5;
const FEW: u32 = 2;
/// Of all pieces, those count that were hindered least: a part of them.
const PART: usize = 4;
/// A meeting to which somebody comes later than this does not take place.
const PATIENCE: Duration = Duration::from_secs(10);

/// What several threads did at once.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// Nanoseconds for a run, the mean.
    cost: f64,
    /// How long one of them was kept from its CPU, at the most.
    hindered: Duration,
}

impl Lab {
    /// Runs of the subjects of several cases, each on a CPU of its own, all at once, in pieces of a hundred thousand.
    pub fn on_cpus(&mut self, cases: &[Case], pieces: u32) -> Result<Vec<Piece>> {
        self.renew()?;
        let before = self.kernel.counters()?;
        let subjects: Vec<(BorrowedFd<'_>, &[u8])> = cases
            .iter()
            .map(|case| Ok((self.program(case.subject)?.as_fd(), &*case.frame.octets)))
            .collect::<Result<_>>()?;
        let meeting = Meeting {
            all: cases.len(),
            came: AtomicUsize::new(0),
        };
        let took: Vec<Vec<Piece>> = thread::scope(|scope| {
            let mut threads = Vec::new();
            for (nth, (program, octets)) in subjects.into_iter().enumerate() {
                let meeting = &meeting;
                threads.push(scope.spawn(move || {
                    let _pinned = Pinned::to_nth(nth)?;
                    in_pieces(program, octets, pieces, meeting)
                }));
            }
            let join = |thread: ScopedJoinHandle<'_, Result<_>>| {
                thread
                    .join()
                    .map_err(|_| anyhow!("a measuring thread panicked"))?
            };
            threads.into_iter().map(join).collect::<Result<_>>()
        })?;
        let after = self.kernel.counters()?;
        for case in cases {
            let outcome = case.outcome.index();
            let alike = cases.iter().filter(|it| it.outcome.index() == outcome);
            let all = u64::from(pieces * PIECE + EMPTY * FEW) * alike.count() as u64;
            let seen = after[outcome] - before[outcome];
            ensure!(
                seen == all,
                "{}: {seen} of {all} packets were {}",
                case.id,
                case.outcome.name()
            );
        }
        Ok(joined(&took))
    }
}

/// Where threads wait for each other without going to sleep.
struct Meeting {
    all: usize,
    came: AtomicUsize,
}

impl Meeting {
    /// Waits until everybody has come for this time, counted from 1.
    fn come(&self, time: usize) -> Result<()> {
        self.came.fetch_add(1, Ordering::SeqCst);
        let since = Instant::now();
        while self.came.load(Ordering::SeqCst) < time * self.all {
            if since.elapsed() > PATIENCE {
                bail!("the thread on another CPU did not come");
            }
            spin_loop();
        }
        Ok(())
    }
}

/// What each piece takes; the frame goes on from one to the next.
fn in_pieces(
    program: BorrowedFd<'_>,
    frame: &[u8],
    pieces: u32,
    meeting: &Meeting,
) -> Result<Vec<Piece>> {
    let (mut frame, mut out) = (frame.to_vec(), [0; frames::ROOM]);
    let mut run = |runs| -> Result<Took> {
        let (returned, took) = timed(|| {
            bpf::repeated(program, &frame, &mut out, runs)?.context("the kernel runs no such frame")
        })?;
        frame.copy_from_slice(&out[..returned.length]);
        Ok(took)
    };
    let mut empty = Duration::MAX;
    for _ in 0..EMPTY {
        empty = empty.min(run(FEW)?.work);
    }
    let mut all = Vec::new();
    for time in 1..=pieces as usize {
        meeting.come(time)?;
        let took = run(PIECE)?;
        all.push(Piece {
            cost: took.work.saturating_sub(empty).as_secs_f64() * 1e9 / f64::from(PIECE),
            hindered: took.wall.saturating_sub(took.work),
        });
    }
    Ok(all)
}

/// The pieces of all threads, one by one.
fn joined(threads: &[Vec<Piece>]) -> Vec<Piece> {
    let pieces = threads.iter().map(Vec::len).min().unwrap_or(0);
    let joined = |piece: usize| {
        let each = || threads.iter().map(|it| it[piece]);
        let costs: f64 = each().map(|it| it.cost).sum();
        #[allow(clippy::cast_precision_loss, reason = "there are few CPUs")]
        let cost = costs / threads.len() as f64;
        let hindered = each().map(|it| it.hindered).max().unwrap_or_default();
        Piece { cost, hindered }
    };
    (0..pieces).map(joined).collect()
}

/// Nanoseconds for a run: the median of those pieces in which no thread waited long for its CPU.
pub fn unhindered(pieces: &[Piece]) -> Result<f64> {
    let mut pieces = pieces.to_vec();
    pieces.sort_by_key(|it| it.hindered);
    pieces.truncate(pieces.len().div_ceil(PART));
    let costs: Vec<f64> = pieces.iter().map(|it| it.cost).collect();
    Ok(least_and_median(&costs)?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_which_a_thread_waited_do_not_count() {
        let piece = |cost, hindered| Piece {
            cost,
            hindered: Duration::from_micros(hindered),
        };
        // Both at work all the time, and each twice as slow; then one of them away, and so alone.
        let one = [
            piece(60.0, 1),
            piece(30.0, 2),
            piece(30.0, 5000),
            piece(30.0, 3),
        ];
        let other = [
            piece(62.0, 1),
            piece(30.0, 4000),
            piece(30.0, 1),
            piece(30.0, 4000),
        ];
        let all = joined(&[one.to_vec(), other.to_vec()]);
        assert!((unhindered(&all).unwrap() - 61.0).abs() < 1e-9, "{all:?}");
        assert!(unhindered(&joined(&[])).is_err());
    }
}
