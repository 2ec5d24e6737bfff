//! What both tests look at: connections that are cured, and an instance that is whole or gone.

use std::time::Duration;

use anyhow::{Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    holdings::{Holdings, programs_at},
    load::pass_block,
    scenario::{Connection, host_end, one_life},
    server::Server,
    setup::Setup,
    topology::Lab,
    wait,
};

pub const FIRST_ISN: u32 = 3_000_000_000;
pub const LOWER_ISN: u32 = 1_000_000_000;
/// One for arriving packets, one for leaving ones.
pub const PROGRAMS: usize = 2;
const PEER_PORT: u16 = 7000;
const FIRST_PORT: u16 = 20_000;
const PATIENCE: Duration = Duration::from_secs(20);

/// A laboratory with a server at the peer and host's ports that were not used yet.
pub struct Bench<'a> {
    pub lab: &'a Lab,
    pub setup: Setup,
    server: Server,
    next_port: u16,
}

impl<'a> Bench<'a> {
    pub fn new(lab: &'a Lab, setup: Setup, family: Family) -> Result<Self> {
        Ok(Self {
            server: Server::listen(&lab.peer, family.peer(PEER_PORT))?,
            lab,
            setup,
            next_port: FIRST_PORT,
        })
    }

    fn port(&mut self) -> u16 {
        self.next_port += 1;
        self.next_port
    }

    /// An open connection of a port that nobody used before: no number of it is unsafe.
    pub fn plain(&mut self) -> Result<Connection> {
        let port = self.port();
        Connection::open(self.lab, &self.server, port, FIRST_ISN)
    }

    /// An open connection with an offset: the second of its port, which begins below the first.
    pub fn translated(&mut self, isnguard: &Isnguard) -> Result<Connection> {
        let port = self.port();
        one_life(self.lab, &self.server, port, FIRST_ISN)?;
        let connection = Connection::open(self.lab, &self.server, port, LOWER_ISN)?;
        let flow = isnguard.flow(host_end(&self.server, port))?;
        ensure!(flow.offset != 0, "it has no offset: {flow:?}");
        Ok(connection)
    }

    /// Both programs are there, nothing else is at the hooks, and nothing is wrong.
    pub fn ensure_whole(&self, isnguard: &Isnguard) -> Result<()> {
        let status = isnguard.status()?;
        ensure!(status["healthy"] == true, "it is not healthy: {status}");
        let attached = status["attached"].as_array().map_or(0, Vec::len);
        ensure!(attached == 1, "it is attached {attached} times: {status}");
        self.ensure_programs(PROGRAMS)?;
        // A program that was replaced goes when no packet runs in it any more.
        wait::until(PATIENCE, "replaced programs to be gone", || {
            Ok((Holdings::of(isnguard)?.programs == PROGRAMS).then_some(()))
        })
    }

    /// Nothing is left of it: no pin, no program.
    pub fn ensure_gone(&self, isnguard: &Isnguard) -> Result<()> {
        ensure!(
            !isnguard.pins().exists(),
            "{} is left",
            isnguard.pins().display()
        );
        self.ensure_programs(0)
    }

    fn ensure_programs(&self, wanted: usize) -> Result<()> {
        let mut there = 0;
        let counted = wait::until(PATIENCE, "the right number of programs", || {
            there = programs_at(&self.lab.gateway, &self.setup.interface)?;
            Ok((there == wanted).then_some(()))
        });
        ensure!(
            counted.is_ok(),
            "{there} programs are at {}, not {wanted}",
            self.setup.interface
        );
        Ok(())
    }
}

/// A block each way, octet by octet the same.
pub fn ensure_moves(connection: &Connection) -> Result<()> {
    for stream in [&connection.client, &connection.server] {
        stream.set_read_timeout(Some(PATIENCE))?;
    }
    let mut random = fastrand::Rng::with_seed(1);
    pass_block(&connection.client, &connection.server, &mut random)?;
    pass_block(&connection.server, &connection.client, &mut random)
}
