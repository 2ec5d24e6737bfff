//! Fifty kills and two hundred upgrades under load, half of them at XDP and half at TC.

use std::{thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    datagrams::Datagrams,
    family::Family,
    gateway::Isnguard,
    load::{Load, Worked},
    resident::Resident,
    scenario::seed,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};

use super::bench::Bench;

const KILLS: u64 = 25;
const UPGRADES: u64 = 100;
const CONNECTIONS: usize = 24;
/// A restart does less than the first start; more than so many times as long, and something waits for what never comes.
const MOST_FIRST_STARTS: u32 = 20;

/// What was done and how long it took.
#[derive(Debug, Default)]
struct Figures {
    kills: u64,
    while_starting: u64,
    upgrades: u64,
    restarts: Vec<Duration>,
}

struct Trial<'a, 'b> {
    bench: Bench<'b>,
    isnguard: Isnguard<'a>,
    random: fastrand::Rng,
    first_start: Duration,
    figures: Figures,
}

/// The programs at both hooks, as `status` has them.
fn programs(isnguard: &Isnguard) -> Result<[u64; 2]> {
    let status = isnguard.status()?;
    let id = |key: &str| {
        let id = status["attached"][0][key].as_u64();
        id.with_context(|| format!("no {key} in {status}"))
    };
    Ok([id("program_id")?, id("egress_program_id")?])
}

impl<'a> Trial<'a, '_> {
    /// `work` replaces the programs at both hooks.
    fn upgrading<T>(
        &mut self,
        work: impl FnOnce(&mut Isnguard<'a>, &Setup) -> Result<T>,
    ) -> Result<T> {
        let before = programs(&self.isnguard)?;
        let done = work(&mut self.isnguard, &self.bench.setup)?;
        let after = programs(&self.isnguard)?;
        ensure!(
            before[0] != after[0] && before[1] != after[1],
            "{before:?} became {after:?}: not both were replaced"
        );
        self.figures.upgrades += 1;
        Ok(done)
    }

    fn kill(&mut self, run: Resident) -> Result<()> {
        run.kill()?;
        self.figures.kills += 1;
        Ok(())
    }

    /// Killed while it starts, at an instant of the time that a start takes.
    fn kill_while_starting(&mut self) -> Result<()> {
        let run = Resident::begin(&mut self.isnguard, &self.bench.setup)?;
        thread::sleep(self.first_start.mul_f64(self.random.f64()));
        self.figures.while_starting += 1;
        self.kill(run)
    }

    /// Killed while it stays: at once or a moment later, when it sweeps for the first time.
    fn kill_while_staying(&mut self) -> Result<()> {
        let (run, took) = self.upgrading(Resident::start)?;
        self.figures.restarts.push(took);
        self.upgrading(Isnguard::attach)?;
        thread::sleep(Duration::from_millis(self.random.u64(..20)));
        self.kill(run)
    }

    fn round(&mut self, number: u64) -> Result<()> {
        if number.is_multiple_of(2) {
            self.kill_while_starting()?;
        } else {
            self.kill_while_staying()?;
        }
        while self.figures.upgrades < UPGRADES * (number + 1) / KILLS {
            self.upgrading(Isnguard::attach)?;
        }
        self.bench.ensure_whole(&self.isnguard)
    }
}

fn killed_and_upgraded(setup: Setup, family: Family) -> Result<()> {
    let seed = seed()?;
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let mut bench = Bench::new(&lab, setup, family)?;
    let (run, first_start) = Resident::start(&mut isnguard, &bench.setup)?;
    let connections = (0..CONNECTIONS)
        .map(|_| bench.translated(&isnguard))
        .collect::<Result<Vec<_>>>()?;
    let figures = Figures::default();
    let mut trial = Trial {
        bench,
        isnguard,
        random: fastrand::Rng::with_seed(seed),
        first_start,
        figures,
    };

    let lost_before = lab.lost_frames()?;
    let (load, datagrams) = (
        Load::start(connections, seed),
        Datagrams::start(&lab, family)?,
    );
    load.await_progress()?;
    trial.kill(run)?;
    for number in 0..KILLS {
        trial
            .round(number)
            .with_context(|| format!("round {number}: {:?}", trial.figures))?;
    }
    load.await_progress()?;
    let tally = datagrams.stop()?;
    let worked = load.stop()?;
    let lost_by_queues = lab.lost_frames()? - lost_before;

    tell(&trial, &worked);
    println!("{tally:?}; queues of the laboratory lost {lost_by_queues} frames");
    ensure!(
        tally.lost <= lost_by_queues && tally.again == 0,
        "{tally:?}, and {lost_by_queues} lost by queues"
    );
    ensure_nothing_dropped(&trial.isnguard)?;
    let slowest = trial.figures.restarts.iter().max().context("no restart")?;
    ensure!(
        *slowest < first_start * MOST_FIRST_STARTS,
        "a restart took {slowest:?}, the first start {first_start:?}"
    );
    worked
        .into_iter()
        .try_for_each(|worked| worked.connection.close())
}

fn tell(trial: &Trial, worked: &[Worked]) {
    let Figures {
        kills,
        while_starting,
        upgrades,
        restarts,
    } = &trial.figures;
    let blocks: u64 = worked.iter().map(|it| it.blocks).sum();
    let slowest = worked.iter().map(|it| it.slowest).max().unwrap_or_default();
    let mut sorted = restarts.clone();
    sorted.sort_unstable();
    println!(
        "{kills} kills ({while_starting} while starting), {upgrades} upgrades; {} connections moved {blocks} blocks each way, the \
         slowest in {slowest:?}, none lost",
        worked.len()
    );
    println!(
        "from exec to ready: {:?} at first, {:?} (median) and {:?} (longest) when adopting",
        trial.first_start,
        sorted[sorted.len() / 2],
        sorted[sorted.len() - 1]
    );
}

fn ensure_nothing_dropped(isnguard: &Isnguard) -> Result<()> {
    let stats = isnguard.stats()?;
    let counters = stats["counters"].as_object().context("no counters")?;
    let dropped: Vec<_> = counters
        .iter()
        .filter(|(name, value)| name.starts_with("dropped_") && value.as_u64() != Some(0))
        .collect();
    ensure!(dropped.is_empty(), "{dropped:?}");
    Ok(())
}

#[test]
fn under_load_at_xdp() -> Result<()> {
    killed_and_upgraded(Setup::new(Placement::Inside, Hook::Xdp), Family::V4)
}

#[test]
fn under_load_at_tc() -> Result<()> {
    killed_and_upgraded(Setup::new(Placement::Outside, Hook::Tc), Family::V6)
}
