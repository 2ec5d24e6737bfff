//! Frames by the hundred thousand into a gateway, and their end behind it, without a socket (`BPF_F_TEST_XDP_LIVE_FRAMES`).
//!
//! A program makes each frame and sends it out of the host's interface; the gateway polls the line, forwards, and a program at
//! the peer's end counts and drops. All of it happens on one CPU within one system call.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf, EbpfLoader, Pod, TestRun as _, TestRunAttrs, TestRunOptions,
    maps::{Array, PerCpuArray},
    programs::Xdp,
};
use isn_bench_ebpf::{Course, Traffic};
use isn_tests::{
    namespace::Namespace,
    topology::{HOST_IF, INSIDE_IF, PEER_IF},
};
use nix::net::if_::if_nametoindex;

use super::{
    ground::Ground,
    lines::{FLOWS, LINES, Line},
    traffic::{self, DATA, MOST, course, words},
};
use crate::{
    cpu::{Softirqs, unhindered},
    object::{self, OBJECT},
    stopwatch,
};

/// Frames that are sent before the gateway's turn: NAPI takes as many at a time, and the line's ring holds four times as many.
const BATCH: u32 = 64;
/// The first course of flows whose segments are full of data: behind those of all other ways.
#[allow(clippy::cast_possible_truncation, reason = "there are few ways")]
const FIRST_OF_TRAINS: u32 = MOST + LINES.len() as u32 * FLOWS;
/// What has not come to its end by then is lost.
const LATE: Duration = Duration::from_millis(20);

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub enum Sending {
    /// Segments of open flows, each time one of so many, a power of two, at random.
    Established(u32),
    /// A SYN of a new flow each time.
    Opening,
    /// Segments of one of a few open flows at random, another way.
    Along(Line),
    /// Segments full of data of one of a few open flows, so many of each in succession.
    Train(u32),
    /// From the gateway to the host, where they end: what of all that is measured is not the gateway's.
    Short,
}

/// Programs that make frames and end them.
pub struct Injector {
    bench: Ebpf,
    established: Vec<u8>,
    opening: Vec<u8>,
    full: Vec<u8>,
    along: Vec<(Line, Vec<u8>)>,
    state: u64,
    fresh: u64,
}

/// What became of frames.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Nanoseconds of the CPU for each.
    pub cost: f64,
    /// The same for all of them together.
    pub work: Duration,
    /// The time on the wall, less what others had the CPU.
    pub own: Duration,
    /// How many did not come to an end behind the gateway or, answered, before it.
    pub lost: u64,
}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct Given<T>(T);

// SAFETY: both are numbers without padding between or behind them.
unsafe impl Pod for Given<Traffic> {}
// SAFETY: as above.
unsafe impl Pod for Given<Course> {}

impl Injector {
    /// Loads the programs, with a course for each open flow.
    pub fn new(ground: &Ground, courses: &[Course]) -> Result<Self> {
        let mut bench = EbpfLoader::new()
            .map_max_entries("COURSES", FIRST_OF_TRAINS + FLOWS)
            .load(OBJECT)
            .context("cannot load the programs of the benchmark")?;
        let along = LINES.iter().map(|line| line.program);
        for name in ["established_xdp", "opening_xdp", "train_xdp"]
            .into_iter()
            .chain(along)
        {
            object::loaded(&mut bench, name)?;
        }
        let map = bench.map_mut("COURSES").context("no map COURSES")?;
        let mut map: Array<_, Given<Course>> = map.try_into()?;
        for (number, course) in courses.iter().enumerate() {
            map.set(u32::try_from(number)?, Given(*course), 0)?;
        }
        let mut along = Vec::new();
        for (line, first) in LINES.into_iter().zip((MOST..).step_by(FLOWS as usize)) {
            for flow in 0..FLOWS {
                let course = line.course(&line.frame(ground, flow)?);
                map.set(first + flow, Given(course), 0)?;
            }
            along.push((line, line.frame(ground, 0)?));
        }
        let open = |flow| traffic::acknowledgment(flow, traffic::ACKNOWLEDGMENT);
        for flow in 0..FLOWS {
            let course = course(&open(flow)?.full(ground.near)?);
            map.set(FIRST_OF_TRAINS + flow, Given(course), 0)?;
        }
        Ok(Self {
            bench,
            established: open(0)?.frame(ground.near)?.to_vec(),
            opening: traffic::first_of_all().frame(ground.near)?.to_vec(),
            full: open(0)?.full(ground.near)?,
            along,
            state: 1,
            fresh: 0,
        })
    }

    /// Lets everything pass that arrives at the gateway from the host.
    pub fn pass(&mut self, gateway: &Namespace) -> Result<()> {
        object::attach(&mut self.bench, "pass_xdp", gateway, INSIDE_IF)
    }

    /// From now on, what arrives at the host or the peer ends there.
    pub fn end_frames(&mut self, ground: &Ground) -> Result<()> {
        let Ground { lab, .. } = ground;
        object::attach(&mut self.bench, "sink_xdp", &lab.peer, PEER_IF)?;
        object::attach(&mut self.bench, "sink_xdp", &lab.host, HOST_IF)
    }

    /// From now on, what arrives at the peer ends there, behind what joins segments and takes them joined.
    pub fn end_joined(&mut self, ground: &Ground) -> Result<()> {
        object::attach_tc(&mut self.bench, "sink_tc", &ground.lab.peer, PEER_IF)
    }

    /// Sends so many frames and awaits their end. The state of a new flow's number goes on from one call to the next.
    pub fn send(
        &mut self,
        what: Sending,
        frames: u32,
        ground: &Ground,
        softirqs: &Softirqs,
    ) -> Result<Sent> {
        let (name, frame) = self.prepare(what)?;
        let (from, interface) = match what {
            Sending::Short => (&ground.lab.gateway, INSIDE_IF),
            Sending::Along(line) if !line.is_from_host() => (&ground.lab.peer, PEER_IF),
            _ => (&ground.lab.host, HOST_IF),
        };
        let before = (self.sunk()?, softirqs.work()?);
        let run = || self.run(name, &frame, interface, frames);
        let (((), own), took) = from.enter(|| stopwatch::timed(|| unhindered(run)))?;
        let sunk = await_end(frames, || Ok(self.sunk()? - before.0))?;
        let work = took.work + softirqs.work()?.saturating_sub(before.1);
        self.state += 1;
        if let Sending::Opening = what {
            self.fresh += u64::from(frames);
        }
        Ok(Sent {
            cost: work.as_secs_f64() * 1e9 / f64::from(frames),
            work,
            own,
            lost: u64::from(frames).saturating_sub(sunk),
        })
    }

    /// Says which frames are made next; by which program, and what their memory holds at first.
    fn prepare(&mut self, what: Sending) -> Result<(&'static str, Vec<u8>)> {
        let random = |flows, first| Traffic {
            state: self.state,
            mask: flows - 1,
            first,
            ..Traffic::default()
        };
        let (name, frame, traffic) = match what {
            Sending::Established(flows) => ("established_xdp", &self.established, random(flows, 0)),
            Sending::Short => ("established_xdp", &self.established, random(1, 0)),
            Sending::Along(line) => {
                let nth = self.along.iter().position(|(it, _)| *it == line);
                let nth = nth.context("no such way")?;
                let first = MOST + FLOWS * u32::try_from(nth)?;
                (line.program, &self.along[nth].1, random(FLOWS, first))
            }
            Sending::Train(length) => {
                let traffic = Traffic {
                    state: self.state << 32,
                    train: length - 1,
                    step: u32::try_from(DATA)?,
                    ..random(FLOWS, FIRST_OF_TRAINS)
                };
                ("train_xdp", &self.full, traffic)
            }
            Sending::Opening => {
                let traffic = Traffic {
                    state: self.fresh,
                    ..random(1, 0)
                };
                ("opening_xdp", &self.opening, traffic)
            }
        };
        let (frame, traffic) = (
            frame.clone(),
            Traffic {
                header: words(frame),
                ..traffic
            },
        );
        let map = self.bench.map_mut("TRAFFIC").context("no map TRAFFIC")?;
        Array::try_from(map)?.set(0, Given(traffic), 0)?;
        Ok((name, frame))
    }

    /// In the namespace of this interface.
    fn run(&self, name: &str, frame: &[u8], interface: &str, frames: u32) -> Result<()> {
        let context = context(if_nametoindex(interface)?, frame.len())?;
        let program = self.bench.program(name).context("no such program")?;
        let options = TestRunOptions {
            data_in: Some(frame),
            ctx_in: Some(&context),
            repeat: frames,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::new()
        };
        <&Xdp>::try_from(program)?
            .test_run(options)
            .with_context(|| format!("the kernel sends no live frames of {name}"))?;
        Ok(())
    }

    /// Frames that have come to their end so far.
    fn sunk(&self) -> Result<u64> {
        let map = self.bench.map("SUNK").context("no map SUNK")?;
        let map: PerCpuArray<_, u64> = map.try_into()?;
        Ok(map.get(&0, 0)?.iter().sum())
    }
}

/// How many frames have come to their end: all of them, as soon as they have, and else those that came in time.
fn await_end(frames: u32, sunk: impl Fn() -> Result<u64>) -> Result<u64> {
    let deadline = Instant::now() + LATE;
    loop {
        let sunk = sunk()?;
        if sunk >= u64::from(frames) || Instant::now() > deadline {
            return Ok(sunk);
        }
        thread::yield_now();
    }
}

/// `struct xdp_md` of a frame that arrives at this interface: its octets from 0 on, no metadata.
fn context(interface: u32, length: usize) -> Result<Vec<u8>> {
    let words = [0, u32::try_from(length)?, 0, interface, 0, 0];
    Ok(words.iter().flat_map(|word| word.to_ne_bytes()).collect())
}
