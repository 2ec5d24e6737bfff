//! What both tests look at: connections that are cured, and an instance that is whole or gone.

use std::{
    io::{self, Read as _},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    holdings::Holdings,
    hooks::programs_at,
    load::pass_block,
    process,
    scenario::{Connection, host_end, one_life},
    server::Server,
    setup::Setup,
    topology::Lab,
    wait,
};
use socket2::SockRef;

pub const FIRST_ISN: u32 = 3_000_000_000;
pub const LOWER_ISN: u32 = 1_000_000_000;
/// One for arriving packets, one for leaving ones.
pub const PROGRAMS: usize = 2;
/// Exit code of `detach` where nothing is attached.
const NOT_RUNNING: i32 = 4;
const PEER_PORT: u16 = 7000;
const FIRST_PORT: u16 = 20_000;
const PATIENCE: Duration = Duration::from_secs(20);

/// A host's port that is told again what it was told before.
pub struct Forgotten(u16);

/// A laboratory with a server at the peer and host's ports that were not used yet.
pub struct Bench<'a> {
    pub lab: &'a Lab,
    pub setup: Setup,
    server: Server,
    next_port: u16,
    qdiscs: String,
    /// Where its programs sit: one side, or both where it forwards.
    interfaces: Vec<String>,
}

impl<'a> Bench<'a> {
    pub fn new(lab: &'a Lab, setup: Setup, family: Family) -> Result<Self> {
        Ok(Self {
            server: Server::listen(&lab.peer, family.peer(PEER_PORT))?,
            qdiscs: qdiscs(lab, &setup)?,
            interfaces: interfaces(&setup),
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

    /// A port whose first connection has ended by a reset, so that the peer remembers nothing of it and isnguard does.
    pub fn forgotten(&mut self) -> Result<Forgotten> {
        let port = self.port();
        let Connection { client, server, .. } =
            Connection::open(self.lab, &self.server, port, FIRST_ISN)?;
        SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
        drop(client);
        server.set_read_timeout(Some(PATIENCE))?;
        let ended = (&server).read(&mut [0]).map_err(|error| error.kind());
        ensure!(
            ended == Err(io::ErrorKind::ConnectionReset),
            "the reset did not arrive: {ended:?}"
        );
        Ok(Forgotten(port))
    }

    /// Opens it again with a lower number. The peer takes any, so it comes about untouched as well as translated, and only half
    /// translated it does not.
    pub fn again(&self, Forgotten(port): Forgotten) -> Result<Connection> {
        Connection::open(self.lab, &self.server, port, LOWER_ISN)
    }

    /// Both programs are there, nothing else is at the hooks, and nothing is wrong.
    pub fn ensure_whole(&self, isnguard: &Isnguard) -> Result<()> {
        let status = isnguard.status()?;
        ensure!(status["healthy"] == true, "it is not healthy: {status}");
        let attached = status["attached"].as_array().map_or(0, Vec::len);
        ensure!(
            attached == self.interfaces.len(),
            "it is attached {attached} times: {status}"
        );
        // Where it forwards, one more for what arrives outside.
        let programs = PROGRAMS + self.interfaces.len() - 1;
        self.ensure_programs(programs)?;
        // A program that was replaced goes when no packet runs in it any more.
        let mut holdings = Holdings::of(isnguard)?;
        let alone = wait::until(PATIENCE, "replaced programs to be gone", || {
            holdings = Holdings::of(isnguard)?;
            Ok((holdings.programs == programs).then_some(()))
        });
        alone.with_context(|| format!("{holdings:?}"))
    }

    /// Nothing is left of it: no pin, no program.
    pub fn ensure_gone(&self, isnguard: &Isnguard) -> Result<()> {
        ensure!(
            !isnguard.pins().exists(),
            "{} is left",
            isnguard.pins().display()
        );
        let qdiscs = qdiscs(self.lab, &self.setup)?;
        ensure!(qdiscs == self.qdiscs, "{} became {qdiscs}", self.qdiscs);
        self.ensure_programs(0)
    }

    fn ensure_programs(&self, wanted: usize) -> Result<()> {
        let mut there = 0;
        let counted = wait::until(PATIENCE, "the right number of programs", || {
            there = 0;
            for interface in &self.interfaces {
                there += programs_at(self.lab, interface)?.iter().sum::<usize>();
            }
            Ok((there == wanted).then_some(()))
        });
        ensure!(
            counted.is_ok(),
            "{there} programs are at {:?}, not {wanted}",
            self.interfaces
        );
        Ok(())
    }
}

/// The interface of the setup, and the other side's where packets are forwarded.
fn interfaces(setup: &Setup) -> Vec<String> {
    let other = setup.more.windows(2).filter(|it| it[0] == "--outside");
    let other = other.map(|it| it[1].clone());
    std::iter::once(setup.interface.clone())
        .chain(other)
        .collect()
}

fn qdiscs(lab: &Lab, setup: &Setup) -> Result<String> {
    lab.gateway
        .run("tc", &["qdisc", "show", "dev", &setup.interface])
}

/// Takes it away, whatever is left of it.
pub fn take_away(isnguard: &Isnguard) -> Result<()> {
    let ended = process::run_to_end(isnguard.command("detach", &["--force"])?)?;
    let is_gone = matches!(ended.status.code(), Some(0 | NOT_RUNNING));
    ensure!(is_gone, "`detach --force` failed: {}", ended.complaint());
    Ok(())
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
