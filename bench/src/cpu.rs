//! One CPU for all the work of a measurement, and how long that was at work.
//!
//! What a thread sends through virtual lines is carried to their ends by the same thread, in the kernel, before its call
//! returns: the time of the thread is the time of the whole way. Only under pressure the kernel leaves a part to its thread
//! `ksoftirqd` of that CPU, whose time is added.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::stopwatch::{self, Took};

/// This thread, and those that it starts from now on, run on one CPU until this is dropped.
#[derive(Debug)]
pub struct Pinned {
    before: CpuSet,
    softirqs: Softirqs,
}

/// The kernel's own thread for what is left over on a CPU, if this process can see it.
#[derive(Clone, Debug)]
pub struct Softirqs(Option<PathBuf>);

const MYSELF: Pid = Pid::from_raw(0);

impl Pinned {
    /// The last one of those that this process may use: what the machine does by itself is often on the first.
    pub fn to_one() -> Result<Self> {
        Self::to_nth(0)
    }

    /// The same, where 0 is the last and 1 the one before.
    pub fn to_nth(nth: usize) -> Result<Self> {
        let before = sched_getaffinity(MYSELF).context("cannot tell which CPUs may be used")?;
        let is_set = |cpu: &usize| before.is_set(*cpu).unwrap_or(false);
        let mut from_the_last = (0..CpuSet::count()).rev().filter(is_set);
        let cpu = from_the_last
            .nth(nth)
            .with_context(|| format!("this process may not use {} CPUs", nth + 1))?;
        let mut one = CpuSet::new();
        one.set(cpu)?;
        sched_setaffinity(MYSELF, &one).with_context(|| format!("cannot stay on CPU {cpu}"))?;
        Ok(Self {
            before,
            softirqs: Softirqs::of(cpu)?,
        })
    }

    /// How to measure what that CPU does.
    pub fn softirqs(&self) -> &Softirqs {
        &self.softirqs
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Err(error) = sched_setaffinity(MYSELF, &self.before) {
            eprintln!("this thread stays on one CPU: {error}");
        }
    }
}

impl Softirqs {
    fn of(cpu: usize) -> Result<Self> {
        let name = format!("ksoftirqd/{cpu}");
        for entry in fs::read_dir("/proc").context("cannot list /proc")? {
            let process = entry?.path();
            // Other entries have no such file, and processes may end meanwhile.
            let comm = fs::read_to_string(process.join("comm"));
            if comm.is_ok_and(|comm| comm.trim() == name) {
                return Ok(Self(Some(process.join("schedstat"))));
            }
        }
        Ok(Self(None))
    }

    /// Whether its time can be told.
    pub fn is_visible(&self) -> bool {
        self.0.is_some()
    }

    /// How long it has been at work so far.
    pub fn work(&self) -> Result<Duration> {
        let Some(path) = &self.0 else {
            return Ok(Duration::ZERO);
        };
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Duration::from_nanos(number(&text, WORKED)?))
    }

    /// What `task` gives, and what this thread and that one together took.
    pub fn timed<T>(&self, task: impl FnOnce() -> Result<T>) -> Result<(T, Took)> {
        let before = self.work()?;
        let (given, mut took) = stopwatch::timed(task)?;
        took.work += self.work()?.saturating_sub(before);
        Ok((given, took))
    }
}

/// What `task` gives, and how long this thread would have taken on the wall if it had had its CPU whenever it wanted: what others
/// took from it is left out, what it waited for is not.
pub fn unhindered<T>(task: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let before = kept_waiting()?;
    let started = Instant::now();
    let given = task()?;
    let wall = started.elapsed();
    let waited = kept_waiting()?.saturating_sub(before);
    Ok((given, wall.saturating_sub(waited)))
}

/// How long this thread has been ready to work so far, and others were at work on its CPU.
fn kept_waiting() -> Result<Duration> {
    let path = "/proc/thread-self/schedstat";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(Duration::from_nanos(number(&text, WAITED)?))
}

/// Numbers of a `schedstat`, in nanoseconds: at work; ready to work, without a CPU.
const WORKED: usize = 0;
const WAITED: usize = 1;

fn number(schedstat: &str, at: usize) -> Result<u64> {
    let number = schedstat.split_whitespace().nth(at);
    let number = number.with_context(|| format!("a schedstat without times: {schedstat}"))?;
    number
        .parse()
        .with_context(|| format!("{number} is no time in a schedstat"))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn schedstat_has_times() {
        assert_eq!(number("204 17 3\n", WORKED).unwrap(), 204);
        assert_eq!(number("204 17 3\n", WAITED).unwrap(), 17);
        assert!(number("", WORKED).is_err());
        assert!(number("x 1 2", WORKED).is_err());
    }

    #[test]
    fn waiting_for_something_counts() {
        let pause = Duration::from_millis(20);
        let (_sender, receiver) = mpsc::channel::<()>();
        let wait = || Ok(receiver.recv_timeout(pause).unwrap_err());
        let (_, took) = unhindered(wait).unwrap();
        assert!(took >= pause, "{took:?}");
    }

    #[test]
    fn pinned_to_one_cpu_and_back() {
        let before = sched_getaffinity(MYSELF).unwrap();
        let pinned = Pinned::to_one().unwrap();
        let now = sched_getaffinity(MYSELF).unwrap();
        let usable = (0..CpuSet::count()).filter(|cpu| now.is_set(*cpu).unwrap());
        assert_eq!(usable.count(), 1);
        drop(pinned);
        assert_eq!(sched_getaffinity(MYSELF).unwrap(), before);
    }
}
