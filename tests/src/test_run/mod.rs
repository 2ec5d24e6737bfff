//! The real programs in the real kernel, one frame at a time (`BPF_PROG_TEST_RUN`), with their own unpinned maps.

pub mod clock;
pub mod flows;
pub mod forwarding;

use std::{
    io::ErrorKind,
    os::fd::{AsFd as _, BorrowedFd},
};

use anyhow::{Context as _, Result, bail, ensure};
use aya::{
    Ebpf, EbpfLoader, TestRun as _, TestRunOptions,
    maps::{Array, HashMap, LpmTrie, Map, MapData, PerCpuArray, RingBuf, lpm_trie::Key as Prefix},
    programs::{ProgramError, ProgramFd, SchedClassifier, TcAttachType, Xdp, tc},
};
use flows::Flows;
use isn_common::{
    abi::{
        Counters as CpuCounters,
        flow::{Previous, Record},
        maps,
        policy::Policy,
        programs,
        sample::Sample,
        settings::Settings,
    },
    expiry::Place,
    filter,
    flow::{Direction, Key4, Key6},
    slots,
};
use isnguard::dataplane::{
    Filter,
    slots::{Layout, Slots},
};

use crate::expected_counters::Counters;

/// Which kind of program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// XDP.
    Xdp,
    /// A traffic classifier.
    Tc,
}

/// What a program did with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The frame afterwards.
    pub frame: Vec<u8>,
    /// Whether it goes on.
    pub passes: bool,
}

/// Room in the tables.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Translated flows of each family, as the settings must say too.
    pub translated: u32,
    /// Half-open flows of each family.
    pub half_open: u32,
    /// Flows with offset 0 of each family, and incarnations before those in the records.
    pub history: u32,
}

impl Room {
    /// More than any test needs.
    pub const AMPLE: Self = Self {
        translated: 1024,
        half_open: 8192,
        history: 8192,
    };
}

/// What the programs are loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    /// The one that they run on.
    This,
    /// One that may carry out reads in another order than the program's.
    ReordersReads,
}

/// Places beyond the room for translated flows: handshakes that a test has under way at once.
const UNDER_WAY: u32 = 60;

/// The object, loaded: four programs and their maps. Everything goes with this value.
pub struct Kernel {
    ebpf: Ebpf,
    hook: Hook,
    slots_v4: Slots<Key4>,
    slots_v6: Slots<Key6>,
}

const XDP_PASS: u32 = 2;
const XDP_DROP: u32 = 1;
/// `TC_ACT_UNSPEC`: on to the next program.
const TC_NEXT: u32 = u32::MAX;
const TC_DROP: u32 = 2;

impl Kernel {
    /// Loads the programs of one hook.
    pub fn new(hook: Hook, room: Room) -> Result<Self> {
        Self::on(Processor::This, hook, room)
    }

    /// The same as for another kind of processor.
    pub fn on(processor: Processor, hook: Hook, room: Room) -> Result<Self> {
        let reorders_reads = match processor {
            Processor::This => programs::REORDERS_READS_HERE,
            Processor::ReordersReads => 1,
        };
        let places = [room.translated + UNDER_WAY, room.half_open, room.history];
        let layout = Layout {
            sets: places.map(|flows| slots::Room::of(flows).sets),
            flows: places,
        };
        let spread = flows::spread(&layout);
        let mut ebpf = EbpfLoader::new()
            .override_global(programs::REORDERS_READS, &reorders_reads, true)
            .override_global(programs::SPREAD_HERE, &spread, true)
            .map_max_entries(maps::SLOTS_V4, layout.all_sets())
            .map_max_entries(maps::SLOTS_V6, layout.all_sets())
            .map_max_entries(maps::PRINTS_V4, layout.all_sets())
            .map_max_entries(maps::PRINTS_V6, layout.all_sets())
            .map_max_entries(maps::TRANSLATED_V4, slots::Room::of(places[0]).beside)
            .map_max_entries(maps::TRANSLATED_V6, slots::Room::of(places[0]).beside)
            .map_max_entries(maps::PREVIOUS_V4, room.history)
            .map_max_entries(maps::PREVIOUS_V6, room.history)
            .load(isnguard::dataplane::OBJECT)
            .context("cannot load the BPF object; this needs root")?;
        for direction in [Direction::Outbound, Direction::Inbound] {
            let name = program(hook, direction);
            let program = ebpf
                .program_mut(name)
                .with_context(|| format!("the object has no program {name}"))?;
            match hook {
                Hook::Xdp => <&mut Xdp>::try_from(program)?.load(),
                Hook::Tc => <&mut SchedClassifier>::try_from(program)?.load(),
            }
            .with_context(|| format!("the kernel refuses {name}"))?;
        }
        let upkeep = ebpf
            .program_mut(programs::UPKEEP)
            .context("the object has no program for upkeep")?;
        <&mut SchedClassifier>::try_from(upkeep)?
            .load()
            .context("the kernel refuses the program for upkeep")?;
        flows::settle(&mut ebpf, spread)?;
        Ok(Self {
            slots_v4: flows::slots(&ebpf, flows::V4)?,
            slots_v6: flows::slots(&ebpf, flows::V6)?,
            ebpf,
            hook,
        })
    }

    /// Has a request for upkeep carried out; to how many flows it was done.
    pub fn upkeep(&self, request: &[u8]) -> Result<u32> {
        let program = self
            .ebpf
            .program(programs::UPKEEP)
            .context("the object has no program for upkeep")?;
        let options = TestRunOptions {
            data_in: Some(request),
            ..TestRunOptions::new()
        };
        Ok(<&SchedClassifier>::try_from(program)?
            .test_run(options)?
            .return_value)
    }

    /// How many flows were removed after their time.
    pub fn swept(&self, which: u32) -> Result<u64> {
        let map = self
            .ebpf
            .map(maps::SWEPT)
            .context("the object counts nothing swept")?;
        let map: Array<_, u64> = map.try_into()?;
        Ok(map.get(&which, 0)?)
    }

    /// How many flows the data plane says are in the tables of translated ones, IPv4 and IPv6.
    pub fn load(&self) -> Result<[u64; 2]> {
        let map = self
            .ebpf
            .map(maps::LOAD)
            .context("the object counts no flows")?;
        let map: Array<_, u64> = map.try_into()?;
        Ok([map.get(&maps::LOAD_V4, 0)?, map.get(&maps::LOAD_V6, 0)?])
    }

    /// Runs the program of this direction over a frame.
    pub fn run(&self, direction: Direction, frame: &[u8]) -> Result<Ran> {
        self.attempt(direction, frame, None)?.with_context(|| {
            format!(
                "the kernel makes no {:?} test run of {} octets",
                self.hook,
                frame.len()
            )
        })
    }

    /// Runs the program over a frame of which only the first `linear` octets lie in its first buffer, if that is given. `None` if
    /// this kernel does not lay out such a frame: it has limits on both sides, which differ between versions.
    pub fn attempt(
        &self,
        direction: Direction,
        frame: &[u8],
        linear: Option<u32>,
    ) -> Result<Option<Ran>> {
        // Room for more than went in: a program that made a frame longer must be found out.
        let mut out = vec![0; frame.len() + 64];
        let context = linear.map(|linear| self.context(linear));
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ctx_in: context.as_deref(),
            ..TestRunOptions::new()
        };
        let name = program(self.hook, direction);
        let program = self
            .ebpf
            .program(name)
            .with_context(|| format!("the object has no program {name}"))?;
        let result = match self.hook {
            Hook::Xdp => <&Xdp>::try_from(program)?.test_run(options),
            Hook::Tc => <&SchedClassifier>::try_from(program)?.test_run(options),
        };
        let result = match result {
            Err(ProgramError::SyscallError(error))
                if error.io_error.kind() == ErrorKind::InvalidInput =>
            {
                return Ok(None);
            }
            result => {
                result.with_context(|| format!("test run of {name} over {} octets", frame.len()))?
            }
        };
        out.truncate(usize::try_from(result.data_size_out)?);
        Ok(Some(Ran {
            frame: out,
            passes: self.passes(result.return_value)?,
        }))
    }

    /// The program of this direction, for test runs without aya and for calls from other programs.
    pub fn program(&self, direction: Direction) -> Result<&ProgramFd> {
        let name = program(self.hook, direction);
        let program = self
            .ebpf
            .program(name)
            .with_context(|| format!("the object has no program {name}"))?;
        Ok(program.fd()?)
    }

    /// Puts the classifier of this direction where packets leave an interface of the current namespace.
    pub fn attach(&mut self, direction: Direction, interface: &str) -> Result<()> {
        let name = program(self.hook, direction);
        let program = self.ebpf.program_mut(name);
        let program = program.with_context(|| format!("the object has no program {name}"))?;
        // Kernels before 6.6 need it; where it is there, that is an error.
        let _ = tc::qdisc_add_clsact(interface);
        <&mut SchedClassifier>::try_from(program)?
            .attach(interface, TcAttachType::Egress)
            .with_context(|| format!("cannot attach {name} to {interface}"))?;
        Ok(())
    }

    /// A table of flows, for operations on all of its entries at once.
    pub fn table_fd(&self, name: &str) -> Result<BorrowedFd<'_>> {
        match self.ebpf.map(name) {
            Some(Map::HashMap(data) | Map::LruHashMap(data)) => Ok(data.fd().as_fd()),
            _ => bail!("the object has no table {name}"),
        }
    }

    /// A context that says how much of the data is linear: `xdp_md` has `data_end` as its second word, `__sk_buff` as its 21st.
    fn context(&self, linear: u32) -> Vec<u8> {
        let (words, data_end) = match self.hook {
            Hook::Xdp => (6, 1),
            Hook::Tc => (48, 20),
        };
        let mut context = vec![0; 4 * words];
        context[4 * data_end..4 * data_end + 4].copy_from_slice(&linear.to_ne_bytes());
        context
    }

    /// The actions with which a packet goes on and with which it ends.
    #[must_use]
    pub const fn actions(hook: Hook) -> (u32, u32) {
        match hook {
            Hook::Xdp => (XDP_PASS, XDP_DROP),
            Hook::Tc => (TC_NEXT, TC_DROP),
        }
    }

    fn passes(&self, action: u32) -> Result<bool> {
        let (pass, drop) = Self::actions(self.hook);
        ensure!(
            action == pass || action == drop,
            "{:?} returned action {action}",
            self.hook
        );
        Ok(action == pass)
    }

    /// Replaces the settings.
    pub fn set(&mut self, settings: &Settings) -> Result<()> {
        let mut map: Array<_, Settings> = self.map_mut(maps::SETTINGS)?.try_into()?;
        Ok(map.set(0, settings, 0)?)
    }

    /// Guards an IPv4 prefix.
    pub fn guard4(&mut self, address: [u8; 4], bits: u32, policy: &Policy) -> Result<()> {
        let length = u8::try_from(bits)?;
        self.filter(maps::FILTER_V4)?
            .set(filter::of_prefix_v4(address, length))?;
        let mut map: LpmTrie<_, [u8; 4], Policy> = self.map_mut(maps::POLICY_V4)?.try_into()?;
        Ok(map.insert(&Prefix::new(bits, address), policy, 0)?)
    }

    /// Guards an IPv6 prefix.
    pub fn guard6(&mut self, address: [u8; 16], bits: u32, policy: &Policy) -> Result<()> {
        let length = u8::try_from(bits)?;
        self.filter(maps::FILTER_V6)?
            .set(filter::of_prefix_v6(address, length))?;
        let mut map: LpmTrie<_, [u8; 16], Policy> = self.map_mut(maps::POLICY_V6)?.try_into()?;
        Ok(map.insert(&Prefix::new(bits, address), policy, 0)?)
    }

    fn filter(&self, name: &str) -> Result<Filter> {
        match self.ebpf.map(name) {
            Some(Map::Array(data)) => Ok(Filter::of(data)?),
            _ => bail!("the object has no filter {name}"),
        }
    }

    /// Guards nothing any more.
    pub fn unguard_all(&mut self) -> Result<()> {
        let mut v4: LpmTrie<_, [u8; 4], Policy> = self.map_mut(maps::POLICY_V4)?.try_into()?;
        for key in v4.keys().collect::<Result<Vec<_>, _>>()? {
            v4.remove(&key)?;
        }
        let mut v6: LpmTrie<_, [u8; 16], Policy> = self.map_mut(maps::POLICY_V6)?.try_into()?;
        for key in v6.keys().collect::<Result<Vec<_>, _>>()? {
            v6.remove(&key)?;
        }
        Ok(())
    }

    /// Says how many flows are in the tables of translated ones, and whose they are, where they were put there past the programs.
    pub fn set_load(
        &mut self,
        v4: &std::collections::HashMap<Key4, Record>,
        v6: &std::collections::HashMap<Key6, Record>,
    ) -> Result<()> {
        let mut load: Array<_, u64> = self.map_mut(maps::LOAD)?.try_into()?;
        load.set(maps::LOAD_V4, v4.len() as u64, 0)?;
        load.set(maps::LOAD_V6, v6.len() as u64, 0)?;
        held(
            self.map_mut(maps::HOSTS_V4)?.try_into()?,
            v4.keys().map(|key| key.host),
        )?;
        held(
            self.map_mut(maps::HOSTS_V6)?.try_into()?,
            v6.keys().map(|key| key.host),
        )
    }

    /// The ring of the samples, for whoever waits on it.
    pub fn ring_fd(&self) -> Result<BorrowedFd<'_>> {
        match self.ebpf.map(maps::SAMPLES) {
            Some(Map::RingBuf(data)) => Ok(data.fd().as_fd()),
            _ => bail!("the object has no ring {}", maps::SAMPLES),
        }
    }

    /// Takes the samples out of their ring.
    pub fn samples(&mut self) -> Result<Vec<Sample>> {
        let mut ring: RingBuf<_> = self.map_mut(maps::SAMPLES)?.try_into()?;
        let mut samples = Vec::new();
        while let Some(octets) = ring.next() {
            let octets = octets.first_chunk().context("half a sample")?;
            samples.push(Sample::from_octets(octets));
        }
        Ok(samples)
    }

    /// Writes a cell of what hosts have put into the tables of memory.
    pub fn put_share(&mut self, index: u32, word: u64) -> Result<()> {
        let mut map: Array<_, u64> = self.map_mut(maps::SHARES)?.try_into()?;
        Ok(map.set(index, word, 0)?)
    }

    /// Writes a cell of circling acknowledgments: those of both sides, and their turns.
    pub fn put_storm(&mut self, index: u32, words: [u64; 2]) -> Result<()> {
        let mut map: Array<_, [u64; 2]> = self.map_mut(maps::STORMS)?.try_into()?;
        Ok(map.set(index, words, 0)?)
    }

    /// All counters, summed over the CPUs.
    pub fn counters(&self) -> Result<Counters> {
        let map = self
            .ebpf
            .map(maps::COUNTERS)
            .context("the object has no counters")?;
        let map: PerCpuArray<_, CpuCounters> = map.try_into()?;
        let mut sums = [0u64; _];
        for cpu in map.get(&0, 0)?.iter() {
            for (sum, value) in sums.iter_mut().zip(cpu.0) {
                *sum = sum.wrapping_add(value);
            }
        }
        Ok(sums)
    }

    /// A table of IPv4 flows.
    pub fn flows4(&mut self, place: Place) -> Flows<'_, Key4> {
        Flows::new(&self.slots_v4, &mut self.ebpf, flows::V4, place)
    }

    /// A table of IPv6 flows.
    pub fn flows6(&mut self, place: Place) -> Flows<'_, Key6> {
        Flows::new(&self.slots_v6, &mut self.ebpf, flows::V6, place)
    }

    /// The incarnations before those in the records, IPv4.
    pub fn previous4(&mut self) -> Result<HashMap<&mut MapData, Key4, Previous>> {
        Ok(self.map_mut(maps::PREVIOUS_V4)?.try_into()?)
    }

    /// The incarnations before those in the records, IPv6.
    pub fn previous6(&mut self) -> Result<HashMap<&mut MapData, Key6, Previous>> {
        Ok(self.map_mut(maps::PREVIOUS_V6)?.try_into()?)
    }

    fn map_mut(&mut self, name: &str) -> Result<&mut Map> {
        self.ebpf
            .map_mut(name)
            .with_context(|| format!("the object has no map {name}"))
    }
}

/// Counts hosts anew.
fn held<A: aya::Pod + Eq + std::hash::Hash>(
    mut map: HashMap<&mut MapData, A, u64>,
    hosts: impl Iterator<Item = A>,
) -> Result<()> {
    for host in map.keys().collect::<Result<Vec<_>, _>>()? {
        map.remove(&host)?;
    }
    let mut counts = std::collections::HashMap::new();
    for host in hosts {
        *counts.entry(host).or_insert(0u64) += 1;
    }
    for (host, count) in counts {
        map.insert(host, count, 0)?;
    }
    Ok(())
}

const fn program(hook: Hook, direction: Direction) -> &'static str {
    match (hook, direction) {
        (Hook::Xdp, Direction::Outbound) => programs::XDP_OUT,
        (Hook::Xdp, Direction::Inbound) => programs::XDP_IN,
        (Hook::Tc, Direction::Outbound) => programs::TC_OUT,
        (Hook::Tc, Direction::Inbound) => programs::TC_IN,
    }
}
