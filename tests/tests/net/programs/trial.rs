//! One trial of a service: its client's first connection is translated and serves; the second, without isnguard, hangs.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    namespace::Namespace,
    process::Process,
    scenario::Watch,
    server::{await_listener, established},
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
    unmodified::{give_port, regress_next},
};
use tempfile::TempDir;

const CURED_PORT: u16 = 40_001;
const HANGING_PORT: u16 = 40_002;
const PEER_PORT: u16 = 7000;
/// Past the first second, so that at least one timed retransmission was in vain too.
const GIVE_UP: Duration = Duration::from_millis(1500);
const PATIENCE: Duration = Duration::from_mins(1);
const BYTES: usize = 4 << 20;

/// A server and a client of it.
pub trait Service {
    /// The server, to listen at `at`; it may keep files in `dir`.
    fn server(&self, peer: &Namespace, dir: &Path, at: SocketAddr) -> Result<Command>;

    /// A client that makes one connection to `at`, and what to feed it.
    fn client(&self, host: &Namespace, dir: &Path, at: SocketAddr) -> Result<(Command, Vec<u8>)>;

    /// Fails unless the client, fed and ended well, got what it should have: `answer` is what it printed.
    fn judge(&self, answer: &[u8]) -> Result<()>;
}

/// Octets that do not repeat soon.
pub fn some_bytes() -> Vec<u8> {
    let mut bytes = vec![0; BYTES];
    fastrand::Rng::with_seed(1).fill(&mut bytes);
    bytes
}

/// Runs the trial.
pub fn serves(
    service: &impl Service,
    family: Family,
    placement: Placement,
    hook: Hook,
) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let dir = TempDir::new()?;
    let at = family.peer(PEER_PORT);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, hook))?;
    for port in [CURED_PORT, HANGING_PORT] {
        regress_next(&lab, family.host(port), at)?;
    }
    let _server = Process::spawn(service.server(&lab.peer, dir.path(), at)?)?;
    await_listener(&lab.peer, PEER_PORT)?;
    let watch = Watch::start(&lab, dir.path(), "served")?;

    let mut client = started(service, &lab, CURED_PORT, dir.path(), at)?;
    let status = client.wait(PATIENCE)?;
    ensure!(status.success(), "the client ended with {status}");
    service.judge(&fs::read(dir.path().join("answer"))?)?;

    let flow = isnguard.flow(family.host(CURED_PORT))?;
    ensure!(
        flow.offset != 0 && flow.reason == "regressed",
        "the connection was not translated: {flow:?}"
    );
    let sides = watch.stop()?.verified(family.host(CURED_PORT))?;
    ensure!(sides.openings().len() == 1, "{:?}", sides.openings());
    ensure!(sides.ensure_translated(flow.offset)? > 20);
    isnguard.detach_by_force()?;
    hangs(service, &lab, dir.path(), at)
}

/// The client, given `port` by the host, reading a file and writing another.
fn started(
    service: &impl Service,
    lab: &Lab,
    port: u16,
    dir: &Path,
    at: SocketAddr,
) -> Result<Process> {
    give_port(lab, port)?;
    let (mut command, input) = service.client(&lab.host, dir, at)?;
    fs::write(dir.join("input"), input)?;
    command
        .stdin(File::open(dir.join("input"))?)
        .stdout(File::create(dir.join("answer"))?)
        .stderr(Stdio::inherit());
    Process::spawn(command)
}

fn hangs(service: &impl Service, lab: &Lab, dir: &Path, at: SocketAddr) -> Result<()> {
    let mut client = started(service, lab, HANGING_PORT, dir, at)?;
    let started = Instant::now();
    while started.elapsed() < GIVE_UP {
        let early = client.ended()?;
        ensure!(early.is_none(), "without isnguard it ended: {early:?}");
        ensure!(
            established(&lab.peer, PEER_PORT)? == 0,
            "without isnguard a connection came about"
        );
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Writes a private file for a server or client.
pub fn write(dir: &Path, name: &str, content: &str) -> Result<String> {
    let path = dir.join(name);
    fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.display().to_string())
}
