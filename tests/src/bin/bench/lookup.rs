//! What a segment of an established connection costs among few flows and among many: the real program, one frame at a time,
//! each of another flow at random, less what running any program takes.

use std::os::fd::BorrowedFd;

use anyhow::{Context as _, Result, ensure};
use etherparse::PacketBuilder;
use isn_common::{
    abi::{
        maps,
        settings::{OnFull, Settings},
    },
    counter::Counter,
    flow::{Direction, Key4},
    siphash::Key,
    tick::Tick,
};
use isn_tests::{
    fuzz::bpf,
    test_run::{Hook, Kernel, Room, clock},
};

use crate::{
    flows::{HIGH_WATER, OFFSET, OPEN, PEER_NEXT, SERVICE, key4, record},
    stopwatch::timed,
};

/// Frames in one measurement.
const FRAMES: u32 = 300_000;
const SOURCE_AT: usize = 26;
const PORTS_AT: usize = 34;
/// Room for what a program makes of a frame.
const ROOM: usize = 128;

/// A program with `flows` flows in its table.
pub struct Bench {
    kernel: Kernel,
    flows: u32,
    random: fastrand::Rng,
}

impl Bench {
    /// Loads the program of XDP for packets of hosts and fills its table.
    pub fn load(flows: u32) -> Result<Self> {
        let room = Room {
            translated: flows,
            ..Room::AMPLE
        };
        let mut kernel = Kernel::new(Hook::Xdp, room)?;
        let history = Tick::in_seconds(Settings::DEFAULT_HISTORY_SECONDS);
        kernel.set(&Settings::new(history, OnFull::Pass, 0, Key([1, 2])))?;
        let now = clock::now();
        let mut table = kernel.table4(maps::TRANSLATED_V4)?;
        for number in 0..flows {
            table
                .insert(key4(number, SERVICE), record(OPEN, OFFSET, now), 0)
                .with_context(|| format!("flow {number} found no room"))?;
        }
        Ok(Self {
            kernel,
            flows,
            random: fastrand::Rng::with_seed(u64::from(flows)),
        })
    }

    /// Nanoseconds that a frame of one of the first `among` flows at random takes, running a program at all included.
    pub fn translate(&mut self, among: u32) -> Result<f64> {
        let translated = Counter::PacketsTranslatedOut.index();
        let before = self.kernel.counters()?[translated];
        let mut frame = segment();
        let took = self.run(&mut frame, among.min(self.flows))?;
        let seen = self.kernel.counters()?[translated] - before;
        ensure!(
            seen == u64::from(FRAMES),
            "{seen} of {FRAMES} frames were translated"
        );
        Ok(took)
    }

    /// Nanoseconds that a frame takes at which the program hardly looks.
    pub fn pass(&mut self) -> Result<f64> {
        let mut frame = segment();
        // No EtherType that it knows.
        frame[12..14].copy_from_slice(&[0x88, 0xb5]);
        self.run(&mut frame, self.flows)
    }

    fn run(&mut self, frame: &mut [u8], among: u32) -> Result<f64> {
        let program: BorrowedFd<'_> = self.kernel.program_fd(Direction::Outbound)?;
        let mut out = [0; ROOM];
        let ((), took) = timed(|| {
            for _ in 0..FRAMES {
                address(frame, &key4(self.random.u32(..among), SERVICE));
                bpf::test_run(program, frame, &mut out)?
                    .context("the kernel runs no such frame")?;
            }
            Ok(())
        })?;
        Ok(took.work.as_secs_f64() * 1e9 / f64::from(FRAMES))
    }
}

/// An acknowledgment without data, as a host sends it.
fn segment() -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([0; 4], [0; 4], 64)
        .tcp(0, 0, HIGH_WATER.wrapping_sub(OFFSET), 65_535)
        .ack(PEER_NEXT);
    let mut frame = Vec::with_capacity(ROOM);
    builder
        .write(&mut frame, &[])
        .expect("a vector takes everything");
    // As long as the shortest frame.
    frame.resize(60, 0);
    frame
}

/// Makes the frame one of this flow; no program verifies a checksum.
fn address(frame: &mut [u8], key: &Key4) {
    frame[SOURCE_AT..SOURCE_AT + 4].copy_from_slice(&key.host);
    frame[SOURCE_AT + 4..SOURCE_AT + 8].copy_from_slice(&key.peer);
    frame[PORTS_AT..PORTS_AT + 2].copy_from_slice(&key.host_port);
    frame[PORTS_AT + 2..PORTS_AT + 4].copy_from_slice(&key.peer_port);
}
