//! Many connections that move numbered blocks all the time, each octet checked, until they are told to rest.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::{scenario::Connection, wait};

/// Small enough for the buffers of both ends: one thread writes it and then reads it.
const BLOCK: usize = 8 << 10;
/// Between two blocks of a connection, so that dozens of them leave the processors to what is tested.
const PACE: Duration = Duration::from_millis(3);
/// A connection that moves nothing for this long is broken.
const STALL: Duration = Duration::from_secs(30);

/// A connection after its work.
#[derive(Debug)]
pub struct Worked {
    /// The connection, still open.
    pub connection: Connection,
    /// Blocks that went both ways.
    pub blocks: u64,
    /// The longest that one of them took.
    pub slowest: Duration,
}

#[derive(Debug)]
struct Worker {
    blocks: Arc<AtomicU64>,
    thread: JoinHandle<Result<Worked>>,
}

/// The connections at work.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    workers: Vec<Worker>,
}

impl Load {
    /// Sets all of them to work; what they say follows from `seed`.
    #[must_use]
    pub fn start(connections: Vec<Connection>, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let workers = connections
            .into_iter()
            .zip(0..)
            .map(|(connection, number)| {
                let (blocks, stop) = (Arc::default(), Arc::clone(&stop));
                let counted = Arc::clone(&blocks);
                let seed = seed.wrapping_add(number);
                Worker {
                    blocks,
                    thread: thread::spawn(move || {
                        let port = connection.client.local_addr()?.port();
                        work(connection, seed, &stop, &counted).with_context(|| {
                            format!("the connection of the host's port {port} broke")
                        })
                    }),
                }
            });
        Self {
            workers: workers.collect(),
            stop,
        }
    }

    /// Waits until every connection has moved another block, from now on.
    pub fn await_progress(&self) -> Result<()> {
        let before = self.blocks();
        wait::until(STALL, "every connection to move another block", || {
            if self
                .workers
                .iter()
                .any(|worker| worker.thread.is_finished())
            {
                return Err(anyhow!(
                    "a connection ended before its time: stop the load to see why"
                ));
            }
            let now = self.blocks();
            // The one under way may have begun before: two make sure.
            Ok(before
                .iter()
                .zip(&now)
                .all(|(before, now)| now >= &(before + 2))
                .then_some(()))
        })
    }

    /// How many blocks each has moved.
    fn blocks(&self) -> Vec<u64> {
        let count = |worker: &Worker| worker.blocks.load(Ordering::Relaxed);
        self.workers.iter().map(count).collect()
    }

    /// Lets every connection finish its block; fails if one of them broke.
    pub fn stop(mut self) -> Result<Vec<Worked>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for worker in self.workers.drain(..) {
            all.push(
                worker
                    .thread
                    .join()
                    .map_err(|_| anyhow!("a connection's thread panicked"))??,
            );
        }
        Ok(all)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn work(
    connection: Connection,
    seed: u64,
    stop: &AtomicBool,
    counted: &AtomicU64,
) -> Result<Worked> {
    for stream in [&connection.client, &connection.server] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(STALL))?;
        stream.set_write_timeout(Some(STALL))?;
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let mut slowest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let up = pass_block(&connection.client, &connection.server, &mut random);
        up.context("from the host to the peer")?;
        let down = pass_block(&connection.server, &connection.client, &mut random);
        down.context("from the peer to the host")?;
        slowest = slowest.max(begun.elapsed());
        counted.fetch_add(1, Ordering::Relaxed);
        thread::sleep(PACE);
    }
    let blocks = counted.load(Ordering::Relaxed);
    Ok(Worked {
        connection,
        blocks,
        slowest,
    })
}

/// Moves one block of random octets from one end to the other and compares it.
pub fn pass_block(
    mut from: &TcpStream,
    mut to: &TcpStream,
    random: &mut fastrand::Rng,
) -> Result<()> {
    let mut sent = [0; BLOCK];
    random.fill(&mut sent);
    from.write_all(&sent).context("writing")?;
    let mut received = [0; BLOCK];
    to.read_exact(&mut received).context("reading")?;
    let differs = sent
        .iter()
        .zip(&received)
        .position(|(sent, received)| sent != received);
    ensure!(
        differs.is_none(),
        "another octet arrived at {differs:?} of {BLOCK}"
    );
    Ok(())
}
