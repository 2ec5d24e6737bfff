//! Hours in minutes: connections opened, used and ended at random while `run` is killed and restarted, settings change, SYNs flood
//! and the interface goes down and up. Everything is counted, and nothing may grow.
//!
//! `life` is one connection and how it ends, `crowd` many of them; `mischief` is what happens meanwhile, `flood` a part of it;
//! `samples` says whether something grows; `ledger` has the numbers.

mod crowd;
mod flood;
mod ledger;
mod life;
mod mischief;
mod samples;

use std::{
    fmt, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use isn_common::counter::{Counter, Kind};

pub use self::ledger::{Count, Ledger};
use self::{crowd::Crowd, mischief::Mischief, samples::Samples};
use crate::{
    gateway::Isnguard,
    holdings,
    kernel_log::KernelLog,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
    wait,
};

/// Between two looks whether there is something to do.
const LOOK: Duration = Duration::from_millis(20);
/// Between two things that happen.
const PAUSES: std::ops::Range<u64> = 200..1500;
const PATIENCE: Duration = Duration::from_secs(30);

/// What to soak, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Soak {
    /// Everything random follows from it, but for the kernel's timing.
    pub seed: u64,
    /// How long connections are opened; what is open then may end.
    pub time: Duration,
    /// Where arriving packets are taken.
    pub hook: Hook,
}

/// How far it is.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Since it began.
    pub elapsed: Duration,
    /// What was done so far.
    pub ledger: &'a Ledger,
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>4} s: {}", self.elapsed.as_secs(), self.ledger)
    }
}

/// What it came to.
#[derive(Debug)]
pub struct Findings {
    /// What was done, a line each.
    pub ledger: String,
    /// What was held at the start, in the middle and at the end: a table.
    pub samples: String,
    /// What should not have happened; empty if all is well.
    pub violations: Vec<String>,
}

impl Findings {
    /// Fails if something happened that should not have.
    pub fn ensure_clean(&self, seed: u64) -> Result<()> {
        let violations = self.violations.join("\n  ");
        ensure!(self.violations.is_empty(), "seed {seed}:\n  {violations}");
        Ok(())
    }
}

impl Soak {
    /// Soaks until the time is over, something is wrong, or `go_on` says no.
    pub fn run(&self, mut go_on: impl FnMut(&Progress<'_>) -> bool) -> Result<Findings> {
        let begun = Instant::now();
        let mut log = KernelLog::listen()?;
        let lab = Lab::new(LabOptions::default())?;
        flood::swallow_answers(&lab)?;
        let setup = Setup::new(Placement::Inside, self.hook);
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        let mut random = fastrand::Rng::with_seed(self.seed);
        let ledger = Ledger::default();
        let mut mischief = Mischief::begin(&lab, &mut isnguard, setup, &ledger)?;
        let mut samples = Samples::default();
        let violations = thread::scope(|scope| {
            let crowd = Crowd::gather(scope, &lab, &ledger, random.u64(..))?;
            let disturbed = self.disturb(
                &mut mischief,
                &crowd,
                &mut samples,
                &mut random,
                &mut go_on,
                &ledger,
            );
            let mut violations = crowd.go_home();
            violations.extend(disturbed.err().map(|error| format!("{error:#}")));
            anyhow::Ok(violations)
        })?;
        let mut findings = Findings {
            ledger: ledger.lines(),
            samples: String::new(),
            violations,
        };
        let wrong = &mut findings.violations;
        if let Err(error) = mischief.finish(&mut samples, begun.elapsed()) {
            wrong.push(format!("{error:#}"));
        }
        findings.samples = samples.table();
        wrong.extend(samples.growth());
        wrong.extend(counters(&isnguard).err().map(|error| format!("{error:#}")));
        wrong.extend(leave(&mut isnguard).err().map(|error| format!("{error:#}")));
        let complaints = log.complaints()?.into_iter();
        wrong.extend(complaints.map(|line| format!("the kernel complained: {line}")));
        Ok(findings)
    }

    fn disturb(
        &self,
        mischief: &mut Mischief<'_, '_>,
        crowd: &Crowd<'_>,
        samples: &mut Samples,
        random: &mut fastrand::Rng,
        go_on: &mut impl FnMut(&Progress<'_>) -> bool,
        ledger: &Ledger,
    ) -> Result<()> {
        let begun = Instant::now();
        let mut next = begun;
        // A quarter to warm up, then the first of three samples; the last is taken when all is over.
        let mut at = [self.time / 4, self.time * 5 / 8].into_iter().peekable();
        while begun.elapsed() < self.time && !crowd.is_broken() {
            let elapsed = begun.elapsed();
            if !go_on(&Progress { elapsed, ledger }) {
                break;
            }
            if at.next_if(|at| elapsed >= *at).is_some() {
                mischief.sample(samples, elapsed)?;
            }
            if Instant::now() >= next {
                mischief
                    .happen(random)
                    .with_context(|| format!("after {elapsed:?}"))?;
                next = Instant::now() + Duration::from_millis(random.u64(PAUSES));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }
}

/// Every packet had exactly one outcome, and none that would break a connection.
fn counters(isnguard: &Isnguard) -> Result<()> {
    let stats = isnguard.stats()?;
    let value = |name: &str| {
        let value = stats["counters"][name].as_u64();
        value.with_context(|| format!("no counter {name} in {stats}"))
    };
    let outcomes = Counter::ALL
        .iter()
        .filter(|counter| counter.kind() == Kind::Outcome);
    let mut sum = 0;
    for counter in outcomes {
        sum += value(counter.name())?;
    }
    let seen = value("packets_seen")?;
    ensure!(
        sum == seen && seen > 0,
        "{seen} packets were seen, and the outcomes add up to {sum}"
    );
    let untranslatable = value("dropped_untranslatable")?;
    ensure!(
        untranslatable == 0,
        "{untranslatable} packets were dropped as untranslatable"
    );
    let translated = value("packets_translated_out")?.min(value("packets_translated_in")?);
    ensure!(translated > 0, "nothing was translated: {stats}");
    Ok(())
}

/// Detaches: nothing may be left, in the file system or in the kernel.
fn leave(isnguard: &mut Isnguard) -> Result<()> {
    let maps = holdings::map_ids(isnguard)?;
    isnguard.detach_by_force()?;
    ensure!(
        !isnguard.pins().exists(),
        "{} is left",
        isnguard.pins().display()
    );
    wait::until(PATIENCE, "the kernel to free the maps", || {
        Ok((holdings::still_loaded(&maps) == 0).then_some(()))
    })
}
