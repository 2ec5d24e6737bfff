//! Both objects in the kernel, with flows in their tables, and one measurement.

mod modes;
pub mod together;

use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result, anyhow, ensure};
use aya::{
    Ebpf, EbpfLoader, Pod,
    maps::{HashMap, MapData, PerCpuArray, PerCpuValues, ProgramArray},
    programs::{ProgramFd, SchedClassifier, Xdp},
    util::nr_cpus,
};
use isn_bench_ebpf::Stimulus;
use isn_common::{
    abi::{
        policy::{Mode, Policy, Rule},
        settings::{OnFull, Settings},
    },
    expiry::Place,
    flow::{Direction, Key4},
    siphash::Key,
    tick::Tick,
};
use isn_tests::{
    fuzz::bpf,
    test_run::{Hook, Kernel, Room, clock},
};

use super::{
    cases::Case,
    frames::{self, CLOSING, DOWN, FOLLOWED, Flow, UP, VLAN},
};
use crate::{object::OBJECT, stopwatch::timed};

/// What runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Nothing but an action.
    Pass,
    /// Finding the TCP header.
    Parse,
    /// The least that translating takes.
    Floor,
    /// isnguard.
    Isnguard(Direction),
}

/// Programs, tables, flows.
pub struct Lab {
    kernel: Kernel,
    bench: Ebpf,
    pass: ProgramFd,
    parse: ProgramFd,
    floor: ProgramFd,
    restore: ProgramFd,
    targets: ProgramArray<MapData>,
    cpus: usize,
    /// Frames become those of flows in the order of a mix.
    follows: bool,
    /// Whether all hosts are keyed.
    is_keyed: bool,
}

/// Packets of a mix, after which it begins anew.
pub const MIX: u32 = 1 << 21;

#[derive(Clone, Copy)]
#[repr(transparent)]
struct Given(Stimulus);

// SAFETY: numbers without padding between or behind them.
unsafe impl Pod for Given {}

impl Lab {
    /// Loads everything, with this many flows of IPv4 in the tables of the floor and of translated flows; of others there
    /// are few.
    pub fn new(hook: Hook, flows: u32) -> Result<Self> {
        let mut bench = EbpfLoader::new()
            .map_max_entries("FLOOR", flows)
            .map_max_entries("MIX", MIX)
            .load(OBJECT)
            .context("cannot load the programs of the benchmark")?;
        let mut load = |what| loaded(&mut bench, hook, what);
        let (pass, parse, floor, restore) = (
            load("pass")?,
            load("parse")?,
            load("floor")?,
            load("restore")?,
        );
        let name = match hook {
            Hook::Xdp => "TARGET_XDP",
            Hook::Tc => "TARGET_TC",
        };
        let targets = bench
            .take_map(name)
            .with_context(|| format!("no map {name}"))?
            .try_into()?;
        let cpus = nr_cpus().map_err(|(what, error)| anyhow!("{what}: {error}"))?;
        let mut lab = Self {
            kernel: kernel(hook, flows)?,
            bench,
            pass,
            parse,
            floor,
            restore,
            targets,
            cpus,
            follows: false,
            is_keyed: false,
        };
        lab.fill(flows)?;
        Ok(lab)
    }

    fn fill(&mut self, flows: u32) -> Result<()> {
        let now = clock::now();
        let all = || (0..flows).map(Flow);
        let few = || (0..flows.min(super::HOT)).map(Flow);
        let record = |service| frames::record(service, now);
        let mut translated = self.kernel.flows4(Place::Translated);
        translated.put(all().map(|flow| (flow.key4(UP), record(UP))))?;
        for service in [DOWN, CLOSING] {
            translated.put(few().map(|flow| (flow.key4(service), record(service))))?;
        }
        let tagged = Key4 {
            vlan: VLAN.into(),
            ..Flow(0).key4(DOWN)
        };
        translated.put([(tagged, record(DOWN))])?;
        for service in [UP, DOWN] {
            self.kernel
                .flows6(Place::Translated)
                .put(few().map(|flow| (flow.key6(service), record(service))))?;
        }
        self.kernel
            .flows4(Place::History)
            .put(few().map(|flow| (flow.key4(FOLLOWED), record(FOLLOWED))))?;
        let mut value = [0; 32];
        value[..4].copy_from_slice(&frames::offset(UP).to_ne_bytes());
        let map = self.bench.map_mut("FLOOR").context("no map FLOOR")?;
        insert::<[u8; 16], [u8; 32]>(map.try_into()?, all().map(|flow| (flow.floor_key(), value)))
    }

    /// Nanoseconds that the program which only passes takes without any restoring.
    pub fn bare(&self, runs: u32) -> Result<f64> {
        Self::repeated(&self.pass, &frames::acknowledgment().octets, runs)
    }

    /// Nanoseconds for a run of the subject, and of what restores its frame before, if the case has that.
    pub fn run(&mut self, subject: Subject, case: &Case, runs: u32) -> Result<f64> {
        self.renew()?;
        let before = self.kernel.counters()?;
        let took = match &case.stimulus {
            Some(stimulus) => {
                self.aim(subject, stimulus)?;
                Self::repeated(&self.restore, &case.frame.octets, runs)?
            }
            None => Self::repeated(self.program(subject)?, &case.frame.octets, runs)?,
        };
        if let Subject::Isnguard(_) = subject {
            let outcome = case.outcome.index();
            let counted = self.kernel.counters()?[outcome] - before[outcome];
            ensure!(
                counted == u64::from(runs),
                "{}: {counted} of {runs} packets were {}",
                case.id,
                case.outcome.name()
            );
        }
        Ok(took)
    }

    /// Brings the flows of all frames back to where they were before the runs so far.
    fn renew(&mut self) -> Result<()> {
        let now = clock::now();
        let flows = [Flow(0), Flow(1)];
        for (flow, service) in flows.into_iter().flat_map(|it| [(it, UP), (it, DOWN)]) {
            let record = frames::record(service, now);
            self.kernel
                .flows4(Place::Translated)
                .put([(flow.key4(service), record)])?;
            self.kernel
                .flows6(Place::Translated)
                .put([(flow.key6(service), record)])?;
        }
        if self.is_keyed {
            self.keep()?;
        }
        Ok(())
    }

    fn program(&self, subject: Subject) -> Result<&ProgramFd> {
        Ok(match subject {
            Subject::Pass => &self.pass,
            Subject::Parse => &self.parse,
            Subject::Floor => &self.floor,
            Subject::Isnguard(direction) => self.kernel.program(direction)?,
        })
    }

    /// Has the program that restores frames do what the stimulus says, and go on to the subject.
    fn aim(&mut self, subject: Subject, stimulus: &Stimulus) -> Result<()> {
        let map = self.bench.map_mut("STIMULUS").context("no map STIMULUS")?;
        let mut given: PerCpuArray<_, Given> = map.try_into()?;
        let on_each = vec![Given(*stimulus); self.cpus];
        given.set(0, PerCpuValues::try_from(on_each)?, 0)?;
        let target = self.program(subject)?.try_clone()?;
        Ok(self.targets.set(0, &target, 0)?)
    }

    /// Nanoseconds for each of many runs of a program.
    fn repeated(program: &ProgramFd, frame: &[u8], runs: u32) -> Result<f64> {
        let mut out = [0; frames::ROOM];
        let ((), took) = timed(|| {
            bpf::repeated(program.as_fd(), frame, &mut out, runs)?
                .context("the kernel runs no such frame")?;
            Ok(())
        })?;
        Ok(took.work.as_secs_f64() * 1e9 / f64::from(runs))
    }
}

fn loaded(bench: &mut Ebpf, hook: Hook, what: &str) -> Result<ProgramFd> {
    let name = match hook {
        Hook::Xdp => format!("{what}_xdp"),
        Hook::Tc => format!("{what}_tc"),
    };
    let program = bench
        .program_mut(&name)
        .with_context(|| format!("no program {name}"))?;
    match hook {
        Hook::Xdp => <&mut Xdp>::try_from(&mut *program)?.load(),
        Hook::Tc => <&mut SchedClassifier>::try_from(&mut *program)?.load(),
    }
    .with_context(|| format!("the kernel refuses {name}"))?;
    Ok(program.fd()?.try_clone()?)
}

/// isnguard's programs, which guard the hosts of the frames.
fn kernel(hook: Hook, flows: u32) -> Result<Kernel> {
    let room = Room {
        translated: flows + 2 * super::HOT,
        half_open: 65_536,
        ..Room::AMPLE
    };
    let mut kernel = Kernel::new(hook, room)?;
    let history = Tick::in_seconds(Settings::DEFAULT_HISTORY_SECONDS);
    kernel.set(&Settings::new(history, OnFull::Pass, 0, Key([1, 2])))?;
    let mut policy = Policy {
        rules: [Rule::NONE; Policy::MOST_RULES],
    };
    policy.rules[0] = Rule::new(0, u16::MAX, Mode::Monotonic);
    kernel.guard4(frames::GUARDED_V4, 16, &policy)?;
    kernel.guard6(frames::GUARDED_V6, 64, &policy)?;
    Ok(kernel)
}

fn insert<K: Pod, V: Pod>(
    mut table: HashMap<&mut MapData, K, V>,
    flows: impl Iterator<Item = (K, V)>,
) -> Result<()> {
    for (key, value) in flows {
        table
            .insert(key, value, 0)
            .context("a flow found no room")?;
    }
    Ok(())
}
