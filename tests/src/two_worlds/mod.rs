//! The data plane in ordinary memory and in the kernel, at XDP and at TC: the same packets through all three, which must
//! agree on every octet, every counter and every record after every packet.

pub mod about;
pub mod becomes;
pub mod before;
pub mod bench;
pub mod claims;
pub mod connections;
pub mod errors;
pub mod flow;
pub mod given;
mod in_kernel;
pub mod keyed;
pub mod leaves;
pub mod oracle;
pub mod prelude;
pub mod quoting;
pub mod reading;
pub mod shown;
pub mod stamps;
pub mod state;

use std::ops::RangeInclusive;

use anyhow::{Result, ensure};
use isn_common::{
    abi::{
        policy::{Mode, Policy},
        sample::Sample,
        settings::Settings,
    },
    counter::Counter,
    datapath,
    flow::Direction,
    host::{Frame, Memory},
    tick::Tick,
    verdict::Verdict,
};

use self::{
    given::{default_settings, everywhere},
    in_kernel::InKernel,
    oracle::Oracle,
    state::{State, memory_state},
};
use crate::{
    expected_counters::{Counters, added, difference},
    packet_builder::carrier::{DOT1Q, HOST4, HOST6},
    test_run::{Hook, Kernel, Room, clock},
};

/// Memory, XDP and TC, in the same state.
pub struct Worlds {
    memory: Memory,
    xdp: Kernel,
    tc: Kernel,
    room: Room,
    settings: Settings,
    state: State,
    oracle: Oracle,
}

/// What one packet came to, the same in all worlds.
#[derive(Clone, Debug)]
pub struct Stepped {
    /// The frame afterwards, tags in their places.
    pub frame: Vec<u8>,
    /// Outcome.
    pub verdict: Verdict,
    /// What it added to each counter.
    pub counted: Counters,
}

/// No hook gets a frame without an Ethernet header.
const SHORTEST: usize = 14;
/// Lengths of frames that test runs at TC take on every kernel: whole IP headers, in one buffer.
pub const FOR_TC: RangeInclusive<usize> = 54..=3000;

impl Worlds {
    /// Loads the programs; empty tables.
    pub fn load(room: Room) -> Result<Self> {
        let settings = default_settings();
        let mut worlds = Self {
            memory: Memory::new(settings),
            xdp: Kernel::new(Hook::Xdp, room)?,
            tc: Kernel::new(Hook::Tc, room)?,
            room,
            settings,
            state: State::default(),
            oracle: Oracle::default(),
        };
        worlds.renew()?;
        Ok(worlds)
    }

    /// Everything as if just loaded: empty tables, default settings, the hosts' prefixes guarded.
    pub fn renew(&mut self) -> Result<()> {
        let storms: Vec<u32> = self.memory.storms().map(|(index, _)| index).collect();
        let shares: Vec<u32> = self.memory.shares().collect();
        self.memory = Memory::new(default_settings());
        self.oracle = Oracle::default();
        for kernel in [&mut self.xdp, &mut self.tc] {
            kernel.unguard_all()?;
            kernel.samples()?;
            for index in &storms {
                kernel.put_storm(*index, [0; 2])?;
            }
            for index in &shares {
                kernel.put_share(*index, 0)?;
            }
            State::default().write_to(kernel)?;
        }
        self.state = State::default();
        let mut settings = default_settings();
        settings.limits.max_flows = self.room.translated;
        self.set(settings)?;
        self.guard_hosts(&everywhere(Mode::Monotonic))
    }

    /// Applies this policy to the tests' prefixes, instead of what applied before.
    pub fn guard_hosts(&mut self, policy: &Policy) -> Result<()> {
        self.guard4(HOST4, 24, policy)?;
        let address = prefix(HOST6, 6);
        self.memory.guard(&address, 48, *policy);
        self.xdp.guard6(address, 48, policy)?;
        self.tc.guard6(address, 48, policy)
    }

    /// Applies this policy to a further IPv4 prefix.
    pub fn guard4(&mut self, address: [u8; 4], bits: u32, policy: &Policy) -> Result<()> {
        let address = prefix(address, bits as usize / 8);
        self.memory.guard(&address, bits, *policy);
        self.xdp.guard4(address, bits, policy)?;
        self.tc.guard4(address, bits, policy)
    }

    /// Replaces the settings.
    pub fn set(&mut self, settings: Settings) -> Result<()> {
        self.settings = settings;
        self.memory.set(settings);
        self.xdp.set(&settings)?;
        self.tc.set(&settings)
    }

    /// The settings now.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        self.settings
    }

    /// All flows.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The samples that were told since the last look, the same in all worlds but for their times.
    pub fn samples(&mut self) -> Result<Vec<Sample>> {
        let in_memory = self.memory.samples.take();
        for (name, kernel) in [("XDP", &mut self.xdp), ("TC", &mut self.tc)] {
            let mut samples = kernel.samples()?;
            for (sample, other) in samples.iter_mut().zip(&in_memory) {
                let late = sample.at.saturating_sub(other.at) >> Tick::SHIFT;
                ensure!(late <= 1, "{name}: {sample:?} was told at another time");
                sample.at = other.at;
            }
            ensure!(
                samples == in_memory,
                "{name} told {samples:?}, memory {in_memory:?}"
            );
        }
        Ok(in_memory)
    }

    /// Lets all flows be `seconds` older than they are.
    pub fn wait(&mut self, seconds: u32) -> Result<()> {
        let ticks = Tick::in_seconds(seconds);
        let aged = self.state.aged(ticks);
        self.put(aged)?;
        let mut settings = self.settings;
        let since = &mut settings.keyed.adopting_since;
        *since = since.wrapping_sub(ticks);
        self.set(settings)
    }

    /// Loses entries: what is left of the state is this.
    pub fn lose(&mut self, left: State) -> Result<()> {
        self.oracle.lose();
        self.put(left)
    }

    /// Replaces all flows in all worlds.
    pub fn put(&mut self, state: State) -> Result<()> {
        state.write_to(&mut self.xdp)?;
        state.write_to(&mut self.tc)?;
        state.write_to_memory(&self.state, &self.memory);
        self.state = state;
        Ok(())
    }

    /// One packet through all worlds. The error tells where they differ, or what none of them may do.
    pub fn step(&mut self, direction: Direction, frame: &Frame) -> Result<Stepped> {
        let wire = on_wire(frame);
        if wire.len() < SHORTEST {
            let in_memory = self.step_in_memory(direction, frame, clock::now());
            self.oracle.check(direction, &wire, &in_memory)?;
            return Ok(in_memory);
        }
        let (tick, [at_xdp, at_tc]) = self.step_in_kernel(direction, &wire)?;
        let in_memory = self.step_in_memory(direction, frame, tick);
        for (name, kernel) in [("XDP", &at_xdp), ("TC", &at_tc)] {
            let Some(kernel) = kernel else {
                ensure!(
                    name == "TC" && !FOR_TC.contains(&wire.len()),
                    "{name} does not run {} octets",
                    wire.len()
                );
                continue;
            };
            let passes = !matches!(in_memory.verdict, Verdict::Drop(_));
            ensure!(
                kernel.passes == passes,
                "{name}: passes: {}; in memory: {:?}",
                kernel.passes,
                in_memory.verdict
            );
            ensure!(
                !passes || kernel.frame == in_memory.frame,
                "{name} and memory give different octets:\n{}",
                oracle::octets_apart(&kernel.frame, &in_memory.frame)
            );
            if let Some(difference) = difference(&in_memory.counted, &kernel.counted) {
                anyhow::bail!("{name}: {difference} as in memory");
            }
        }
        self.compare_states(at_tc.is_some())?;
        self.oracle.check(direction, &wire, &in_memory)?;
        Ok(in_memory)
    }

    /// Runs both hooks within one tick, so that all worlds mean the same time.
    fn step_in_kernel(
        &mut self,
        direction: Direction,
        wire: &[u8],
    ) -> Result<(Tick, [Option<InKernel>; 2])> {
        loop {
            let tick = clock::settled();
            let at_xdp = InKernel::run(&self.xdp, direction, wire)?;
            let at_tc = InKernel::run(&self.tc, direction, wire)?;
            if clock::now() == tick {
                return Ok((tick, [at_xdp, at_tc]));
            }
            self.state.write_to(&mut self.xdp)?;
            self.state.write_to(&mut self.tc)?;
            self.forget_run()?;
        }
    }

    /// Takes back what a run told that does not count. Whoever looks at samples must do so after each step.
    fn forget_run(&mut self) -> Result<()> {
        ensure!(
            self.memory.samples.borrow().is_empty(),
            "nobody has looked at the samples of the step before"
        );
        self.xdp.samples()?;
        self.tc.samples()?;
        Ok(())
    }

    fn step_in_memory(&self, direction: Direction, frame: &Frame, tick: Tick) -> Stepped {
        let before = self.counters();
        let mut frame = frame.clone();
        self.memory.set_now(tick);
        let verdict = datapath::run(&mut frame, &self.memory, direction);
        Stepped {
            frame: on_wire(&frame),
            verdict,
            counted: added(&before, &self.counters()),
        }
    }

    fn counters(&self) -> Counters {
        std::array::from_fn(|index| self.memory.counter(Counter::ALL[index]))
    }

    fn compare_states(&mut self, ran_at_tc: bool) -> Result<()> {
        let at_xdp = State::read(&mut self.xdp)?;
        if !ran_at_tc {
            at_xdp.write_to(&mut self.tc)?;
        }
        let at_tc = State::read(&mut self.tc)?;
        let (in_memory, flows) = memory_state(&self.memory, &at_xdp);
        for (name, other) in [("TC", &at_tc), ("memory", &in_memory)] {
            if let Some(difference) = at_xdp.difference(other, ["XDP", name]) {
                anyhow::bail!("the tables differ:\n{difference}");
            }
        }
        ensure!(
            flows == at_xdp.len(),
            "{flows} entries in memory, {} in the kernel",
            at_xdp.len()
        );
        self.state = at_xdp;
        Ok(())
    }
}

/// The frame as it was before its tag was taken out, which is how the kernel's test runs must get it.
#[must_use]
pub fn on_wire(frame: &Frame) -> Vec<u8> {
    let mut octets = frame.octets.clone();
    if let Some(tci) = frame.stripped_tag {
        let [a, b] = tci.to_be_bytes();
        let [x, y] = DOT1Q.to_be_bytes();
        octets.splice(12..12, [x, y, a, b]);
    }
    octets
}

fn prefix<const N: usize>(mut address: [u8; N], octets: usize) -> [u8; N] {
    address[octets..].fill(0);
    address
}
