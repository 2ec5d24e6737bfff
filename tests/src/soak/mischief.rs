//! What happens beside the connections: `run` dies and comes again, settings change, SYNs flood, the interface goes down and up.
//! After each the instance must be whole.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    flood::{Side, flood},
    ledger::{Count, Ledger},
    samples::{Sample, Samples},
};
use crate::{
    family::Family,
    gateway::Isnguard,
    holdings::{Holdings, ProcessHoldings},
    hooks::programs_at,
    resident::Resident,
    setup::Setup,
    topology::Lab,
    wait,
};

const PATIENCE: Duration = Duration::from_secs(20);
/// One for arriving packets, one for leaving ones.
const PROGRAMS: usize = 2;
/// The program that `run` sweeps with, at no hook.
const UPKEEP: usize = 1;
/// How long the interface stays down, in milliseconds: less than a neighbour is asked for in vain.
const OUTAGES: std::ops::Range<u64> = 20..600;
const SYNS: std::ops::Range<u32> = 500..8_000;
/// Further options of a reload. None makes the memory shorter than a peer's TIME-WAIT, or leaves a host unguarded.
const RELOADS: [&[&str]; 6] = [
    &["--history", "120"],
    &["--history", "300"],
    &["--on-full", "drop"],
    &["--on-full", "pass"],
    &["--protect", "192.0.2.0/25", "--protect", "192.0.2.128/25"],
    &[
        "--protect",
        "192.0.2.2/32",
        "--protect",
        "2001:db8:1::2/128",
    ],
];

/// Does it.
pub struct Mischief<'a, 'lab> {
    lab: &'lab Lab,
    isnguard: &'a mut Isnguard<'lab>,
    setup: Setup,
    ledger: &'a Ledger,
    run: Option<(Resident, ProcessHoldings)>,
    first_start: Duration,
}

impl<'a, 'lab> Mischief<'a, 'lab> {
    /// Starts `run` for the first time.
    pub fn begin(
        lab: &'lab Lab,
        isnguard: &'a mut Isnguard<'lab>,
        setup: Setup,
        ledger: &'a Ledger,
    ) -> Result<Self> {
        // Otherwise IPv6 addresses go when the interface goes down.
        for conf in ["all", setup.interface.as_str()] {
            let key = format!("net/ipv6/conf/{conf}/keep_addr_on_down");
            lab.gateway.set_sysctl(&key, "1")?;
        }
        let mut mischief = Self {
            lab,
            isnguard,
            setup,
            ledger,
            run: None,
            first_start: Duration::ZERO,
        };
        mischief.first_start = mischief.start()?;
        Ok(mischief)
    }

    /// One thing of several.
    pub fn happen(&mut self, random: &mut fastrand::Rng) -> Result<()> {
        let side = if random.bool() {
            Side::Hosts
        } else {
            Side::Peers
        };
        match random.u8(..10) {
            0 => self.kill().context("killed")?,
            1 => self
                .kill_while_starting(random)
                .context("killed while starting")?,
            2 => self.ask_to_go().context("asked to go")?,
            3..=5 => self.reload(random).context("reloaded")?,
            6 | 7 => self.flood(side, random).context("flooded")?,
            _ => self.flap(random).context("interface down and up")?,
        }
        self.ensure_whole()
    }

    /// Adds what is held now to the samples.
    pub fn sample(&self, samples: &mut Samples, at: Duration) -> Result<()> {
        let run = self.run.as_ref().context("`run` is not there")?;
        let stats = self.isnguard.stats()?;
        let entries = stats["tables"].as_array().context("no tables")?.iter();
        samples.add(Sample {
            at,
            process: ProcessHoldings::of(run.0.id())?,
            kernel: Holdings::of(self.isnguard)?,
            entries: entries.filter_map(|table| table["entries"].as_u64()).sum(),
        });
        Ok(())
    }

    /// The last sample, and the last end of `run`.
    pub fn finish(mut self, samples: &mut Samples, at: Duration) -> Result<()> {
        self.ensure_whole()?;
        self.sample(samples, at)?;
        self.ask_to_go_for_good()
    }

    fn start(&mut self) -> Result<Duration> {
        let (run, took) = Resident::start(self.isnguard, &self.setup)?;
        let holdings = ProcessHoldings::of(run.id())?;
        self.run = Some((run, holdings));
        Ok(took)
    }

    fn stop(&mut self) -> Result<Resident> {
        let (run, before) = self.run.take().context("`run` is not there")?;
        let after = ProcessHoldings::of(run.id()).context("`run` has ended by itself")?;
        ensure!(
            after.descriptors <= before.descriptors,
            "`run` began with {} descriptors and has {}",
            before.descriptors,
            after.descriptors
        );
        Ok(run)
    }

    fn kill(&mut self) -> Result<()> {
        self.stop()?.kill()?;
        self.ledger.note(Count::Kills);
        self.start().map(drop)
    }

    fn kill_while_starting(&mut self, random: &mut fastrand::Rng) -> Result<()> {
        self.stop()?.kill()?;
        let next = Resident::begin(self.isnguard, &self.setup)?;
        thread::sleep(self.first_start.mul_f64(random.f64()));
        next.kill()?;
        self.ledger.add(Count::Kills, 2);
        self.ledger.note(Count::KillsWhileStarting);
        self.start().map(drop)
    }

    fn ask_to_go_for_good(&mut self) -> Result<()> {
        self.stop()?.ask_to_go()?;
        self.ledger.note(Count::Terms);
        Ok(())
    }

    fn ask_to_go(&mut self) -> Result<()> {
        self.ask_to_go_for_good()?;
        self.start().map(drop)
    }

    fn reload(&mut self, random: &mut fastrand::Rng) -> Result<()> {
        let more = random.choice(RELOADS).unwrap_or_default();
        self.isnguard.attach(&self.setup.clone().with(more))?;
        self.ledger.note(Count::Reloads);
        Ok(())
    }

    fn flood(&mut self, side: Side, random: &mut fastrand::Rng) -> Result<()> {
        let (family, count) = (
            random.choice(Family::ALL).unwrap_or(Family::V4),
            random.u32(SYNS),
        );
        flood(self.lab, side, family, count, random)?;
        self.ledger.add(Count::Syns, count.into());
        self.ledger.note(match side {
            Side::Hosts => Count::FloodsFromHosts,
            Side::Peers => Count::FloodsFromPeers,
        });
        Ok(())
    }

    fn flap(&mut self, random: &mut fastrand::Rng) -> Result<()> {
        let set = |state: &str| {
            let words = ["link", "set", &self.setup.interface, state];
            self.lab.gateway.run("ip", &words)
        };
        set("down")?;
        thread::sleep(Duration::from_millis(random.u64(OUTAGES)));
        set("up")?;
        self.ledger.note(Count::Flaps);
        Ok(())
    }

    /// Healthy, attached once, by two programs and no more; no other is loaded but the one for upkeep.
    fn ensure_whole(&mut self) -> Result<()> {
        let begun = Instant::now();
        let mut told = String::new();
        let whole = wait::until(PATIENCE, "the instance to be whole", || {
            let status = self.isnguard.status()?;
            let at_hooks: usize = programs_at(self.lab, &self.setup.interface)?.iter().sum();
            let holdings = Holdings::of(self.isnguard)?;
            told = format!("{at_hooks} programs at the hooks, {holdings:?}, {status}");
            let is_whole = status["healthy"] == true
                && status["attached"].as_array().map_or(0, Vec::len) == 1
                && at_hooks == PROGRAMS
                && holdings.programs == PROGRAMS + UPKEEP;
            Ok(is_whole.then_some(()))
        });
        whole.with_context(|| format!("{:?}: {told}", begun.elapsed()))
    }
}
