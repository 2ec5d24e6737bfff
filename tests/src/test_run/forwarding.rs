//! The programs that forward, one frame at a time: what a test run redirects goes nowhere, and shows how it would have left.
//!
//! A test run is on the loopback interface of the network namespace that it is made in, so the routes there count.

use anyhow::{Context as _, Result};
use aya::{
    Ebpf, EbpfLoader, TestRun as _, TestRunOptions,
    maps::{HashMap, PerCpuArray, xdp::DevMapHash},
    programs::Xdp,
};
use isn_common::{
    abi::{Counters as CpuCounters, forward::Port, maps, programs},
    flow::Direction,
};

use crate::expected_counters::Counters;

/// The index of every namespace's loopback interface.
pub const LOOPBACK: u32 = 1;
/// The action with which the kernel gets a frame.
pub const PASS: u32 = 2;
/// The action with which a frame leaves.
pub const REDIRECT: u32 = 4;

/// Both programs and their maps. Everything goes with this value.
pub struct Forwarding {
    ebpf: Ebpf,
}

impl Forwarding {
    /// Loads them; nothing is guarded, and no interface forwards.
    pub fn new() -> Result<Self> {
        let mut ebpf = EbpfLoader::new()
            .load(isnguard::dataplane::OBJECT)
            .context("cannot load the BPF object; this needs root")?;
        for name in [programs::FORWARD_OUT, programs::FORWARD_IN] {
            let program = ebpf
                .program_mut(name)
                .with_context(|| format!("the object has no program {name}"))?;
            <&mut Xdp>::try_from(program)?
                .load()
                .with_context(|| format!("the kernel refuses {name}"))?;
        }
        Ok(Self { ebpf })
    }

    /// Says what the interface is on which test runs are made.
    pub fn arrive_at(&mut self, port: Port) -> Result<()> {
        let map = self.ebpf.map_mut(maps::PORTS).context("no ports")?;
        let mut ports: HashMap<_, u32, Port> = map.try_into()?;
        Ok(ports.insert(LOOPBACK, port, 0)?)
    }

    /// Has frames of this direction leave by an interface of the current namespace.
    pub fn leave_by(&mut self, direction: Direction, interface: u32) -> Result<()> {
        let name = match direction {
            Direction::Outbound => maps::TO_PEERS,
            Direction::Inbound => maps::TO_HOSTS,
        };
        let map = self.ebpf.map_mut(name).context("no devices")?;
        let mut devices: DevMapHash<_> = map.try_into()?;
        Ok(devices.insert(interface, interface, None, 0)?)
    }

    /// The action of the program of this direction, and the frame afterwards.
    pub fn run(&self, direction: Direction, frame: &[u8]) -> Result<(u32, Vec<u8>)> {
        self.run_with(direction, frame, None)
    }

    /// The same with only the first `linear` octets of the frame in its first buffer.
    pub fn run_in_buffers(
        &self,
        direction: Direction,
        frame: &[u8],
        linear: u32,
    ) -> Result<(u32, Vec<u8>)> {
        // Of the six words of `xdp_md`, `data_end` is the second.
        let words = [0, linear, 0, 0, 0, 0];
        self.run_with(
            direction,
            frame,
            Some(&words.map(u32::to_ne_bytes).concat()),
        )
    }

    fn run_with(
        &self,
        direction: Direction,
        frame: &[u8],
        context: Option<&[u8]>,
    ) -> Result<(u32, Vec<u8>)> {
        let name = match direction {
            Direction::Outbound => programs::FORWARD_OUT,
            Direction::Inbound => programs::FORWARD_IN,
        };
        let mut out = vec![0; frame.len() + 64];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ctx_in: context,
            ..TestRunOptions::new()
        };
        let program = self.ebpf.program(name).context("no program")?;
        let ran = <&Xdp>::try_from(program)?
            .test_run(options)
            .with_context(|| format!("test run of {name} over {} octets", frame.len()))?;
        out.truncate(usize::try_from(ran.data_size_out)?);
        Ok((ran.return_value, out))
    }

    /// All counters, summed over the CPUs.
    pub fn counters(&self) -> Result<Counters> {
        let map = self.ebpf.map(maps::COUNTERS).context("no counters")?;
        let map: PerCpuArray<_, CpuCounters> = map.try_into()?;
        let mut sums = [0u64; _];
        for cpu in map.get(&0, 0)?.iter() {
            for (sum, value) in sums.iter_mut().zip(cpu.0) {
                *sum = sum.wrapping_add(value);
            }
        }
        Ok(sums)
    }
}
