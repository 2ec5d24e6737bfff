//! Many connections at once, each worker with hosts' addresses and ports of its own.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Scope, ScopedJoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::{
    ledger::{Count, Ledger},
    life::{self, End},
};
use crate::{
    family::Family,
    scenario::Connection,
    segment::distance,
    server::Server,
    topology::{HOST_IF, Lab},
};

const WORKERS: u16 = 10;
/// The last octets of the hosts' addresses.
const NODES: std::ops::RangeInclusive<u8> = 2..=4;
const PORTS: u16 = 6;
const FIRST_PORT: u16 = 30_000;
const FIRST_PEER_PORT: u16 = 7_000;
/// A worker's connections that stay open for the whole time.
const IDLE: usize = 2;
/// As long as Linux keeps TIME-WAIT (`TCP_TIMEWAIT_LEN`), and a bit.
const REST: Duration = Duration::from_secs(63);

/// What went wrong, and that everybody should stop.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    is_broken: AtomicBool,
    violations: Mutex<Vec<String>>,
}

/// The workers.
pub struct Crowd<'scope> {
    shared: Arc<Shared>,
    workers: Vec<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope> Crowd<'scope> {
    /// Gives the host more addresses and sets everybody to work.
    pub fn gather<'env>(
        scope: &'scope Scope<'scope, 'env>,
        lab: &'env Lab,
        ledger: &'env Ledger,
        seed: u64,
    ) -> Result<Self> {
        add_addresses(lab)?;
        let shared: Arc<Shared> = Arc::default();
        let mut crowd = Self {
            shared,
            workers: Vec::new(),
        };
        for number in 0..WORKERS {
            let made = Worker::new(lab, ledger, number, seed);
            let mut worker = match made {
                Ok(worker) => worker,
                Err(error) => {
                    crowd.shared.stop.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            };
            let shared = Arc::clone(&crowd.shared);
            crowd.workers.push(scope.spawn(move || {
                if let Err(error) = worker.work(&shared.stop) {
                    let told = format!("worker {number}: {error:#}");
                    shared
                        .violations
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(told);
                    shared.is_broken.store(true, Ordering::Relaxed);
                    shared.stop.store(true, Ordering::Relaxed);
                }
            }));
        }
        Ok(crowd)
    }

    /// Whether a connection did not go as it was meant to.
    pub fn is_broken(&self) -> bool {
        self.shared.is_broken.load(Ordering::Relaxed)
    }

    /// Everybody ends what is open; what went wrong.
    pub fn go_home(self) -> Vec<String> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut violations = Vec::new();
        for worker in self.workers {
            if worker.join().is_err() {
                violations.push("a worker panicked".to_owned());
            }
        }
        violations.append(
            &mut self
                .shared
                .violations
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        violations
    }
}

fn add_addresses(lab: &Lab) -> Result<()> {
    for family in Family::ALL {
        for node in NODES.skip(1) {
            let address = format!("{}/{}", family.address(1, node), family.bits());
            let mut arguments = vec!["address", "add", &address, "dev", HOST_IF];
            if family == Family::V6 {
                arguments.push("nodad");
            }
            lab.host.run("ip", &arguments)?;
        }
    }
    Ok(())
}

/// What a worker knows about an address and port of a host.
#[derive(Debug, Clone, Copy)]
struct HostEnd {
    last_isn: Option<u32>,
    free_at: Instant,
}

struct Worker<'a> {
    lab: &'a Lab,
    ledger: &'a Ledger,
    random: fastrand::Rng,
    servers: [Server; 2],
    ends: BTreeMap<SocketAddr, HostEnd>,
    idle: Vec<Connection>,
}

impl<'a> Worker<'a> {
    fn new(lab: &'a Lab, ledger: &'a Ledger, number: u16, seed: u64) -> Result<Self> {
        let server =
            |family: Family| Server::listen(&lab.peer, family.peer(FIRST_PEER_PORT + number));
        let mut ends = BTreeMap::new();
        for family in Family::ALL {
            for node in NODES {
                for port in 0..PORTS {
                    let port = FIRST_PORT + number * PORTS + port;
                    let end = SocketAddr::new(family.address(1, node), port);
                    ends.insert(
                        end,
                        HostEnd {
                            last_isn: None,
                            free_at: Instant::now(),
                        },
                    );
                }
            }
        }
        Ok(Self {
            lab,
            ledger,
            random: fastrand::Rng::with_seed(seed.wrapping_add(number.into())),
            servers: [server(Family::V4)?, server(Family::V6)?],
            ends,
            idle: Vec::new(),
        })
    }

    fn work(&mut self, stop: &AtomicBool) -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            let Some(at) = self.free_end() else { continue };
            let connection = self.open(at)?;
            self.live(&connection, at)?;
            if self.idle.len() < IDLE && self.ends[&at].last_isn.is_some() {
                self.ends.remove(&at);
                self.idle.push(connection);
                continue;
            }
            let how = End::any(&mut self.random);
            life::end(connection, how, self.ledger)
                .with_context(|| format!("ending the connection of {at}"))?;
            if how == End::HostCloses
                && let Some(end) = self.ends.get_mut(&at)
            {
                end.free_at = Instant::now() + REST;
            }
        }
        for connection in std::mem::take(&mut self.idle) {
            let at = connection.client.local_addr()?;
            self.live(&connection, at).context("after it was idle")?;
            let closed = life::end(connection, End::PeerCloses, &Ledger::default());
            closed.with_context(|| format!("ending the idle connection of {at}"))?;
            self.ledger.note(Count::StayedIdle);
        }
        Ok(())
    }

    fn free_end(&mut self) -> Option<SocketAddr> {
        let now = Instant::now();
        let free: Vec<_> = self
            .ends
            .iter()
            .filter(|(_, end)| end.free_at <= now)
            .map(|(at, _)| *at)
            .collect();
        self.random.choice(free)
    }

    fn open(&mut self, at: SocketAddr) -> Result<Connection> {
        let end = self.ends[&at];
        let isn = self.number_after(end.last_isn);
        let is_regressing = end.last_isn.is_some_and(|last| distance(last, isn) < 0);
        let server = &self.servers[usize::from(at.is_ipv6())];
        let opened = Connection::open_from(&self.lab.host, at, server, isn, life::PATIENCE);
        let opened =
            opened.with_context(|| format!("opening {at} with {isn} after {:?}", end.last_isn))?;
        self.ends.insert(
            at,
            HostEnd {
                last_isn: Some(isn),
                ..end
            },
        );
        self.ledger.note(Count::Opened);
        if is_regressing {
            self.ledger.note(Count::Regressing);
        }
        Ok(opened)
    }

    /// Mostly below the last, now and then anywhere.
    fn number_after(&mut self, last: Option<u32>) -> u32 {
        let below = last.filter(|_| self.random.u8(..4) > 0);
        let number = match below {
            Some(last) => last.wrapping_sub(self.random.u32(1..1 << 30)),
            None => self.random.u32(..),
        };
        // The laboratory cannot choose 0.
        number.max(1)
    }

    fn live(&mut self, connection: &Connection, at: SocketAddr) -> Result<()> {
        life::live(connection, &mut self.random, self.ledger)
            .with_context(|| format!("using the connection of {at}"))
    }
}
