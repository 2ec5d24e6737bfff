//! `key rotate`, killed before each of its system calls that leave something behind: no connection breaks, and whoever comes
//! next finishes or undoes it.

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    interrupted::{Interrupted, kill_before},
    keys::KeyFile,
    scenario::{Connection, host_end},
    server::Server,
    topology::{Lab, LabOptions},
};

use super::{ISN, PEER_PORT, PORT, ensure_alone, ensure_goes_on, key_status, rotate, setup, shown};

/// More than a rotation makes: one that never ends is a failure.
const MOST_CALLS: usize = 100;

#[derive(Debug, Clone, Copy)]
enum Healer {
    Attach,
    Rotate,
}

struct Bench<'a> {
    lab: &'a Lab,
    server: Server,
    port: u16,
}

impl Bench<'_> {
    fn open(&mut self) -> Result<Connection> {
        self.port += 1;
        Connection::open(self.lab, &self.server, self.port, ISN)
    }

    fn once(&mut self, nth: usize, healer: Healer) -> Result<Interrupted> {
        let key = KeyFile::random()?;
        let mut isnguard = Isnguard::new(&self.lab.gateway)?;
        let keyed = key.keyed(
            setup().with(&["--max-flows", "1024", "--max-history", "1024"]),
            0,
        )?;
        isnguard.attach(&keyed)?;
        let old = self.open()?;
        let before = key.now()?;
        let path = key.path().to_str().context("no text")?;
        let killed = kill_before(
            isnguard.command("key", &["rotate", "--key-file", path])?,
            nth,
        )?;
        if let Interrupted::Ended(code) = killed {
            ensure!(code == 0, "left alone, it ends with code {code}");
        }
        ensure_goes_on(&old)?;
        let new = self.open()?;
        ensure_goes_on(&new)?;
        match healer {
            Healer::Attach => drop(isnguard.attach(&keyed)?),
            // While connections are adopted, another one would not be made.
            Healer::Rotate => drop(rotate(&isnguard, &key, &["--force"])?),
        }
        let status = key_status(&isnguard, &key)?;
        ensure!(status["agree"] == true, "{status}");
        ensure_alone(&key)?;
        for connection in [&old, &new] {
            ensure_goes_on(connection)?;
        }
        let newest = self.open()?;
        ensure_goes_on(&newest)?;
        let host = host_end(&self.server, self.port);
        let flow = shown(&isnguard, host)?.context("it is not known")?;
        let expected = key.now()?.offset(host, self.server.address());
        ensure!(flow["offset"] == expected, "{flow}, and F is {expected}");
        if matches!(healer, Healer::Rotate) {
            ensure!(key.now()? != before, "nothing was rotated");
        }
        isnguard.detach_by_force()?;
        Ok(killed)
    }
}

fn at_every_instant(healer: Healer) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut bench = Bench {
        lab: &lab,
        server,
        port: PORT,
    };
    for nth in 0..MOST_CALLS {
        let at = || format!("killed before its lasting call {nth}, then {healer:?}");
        let killed = bench.once(nth, healer).with_context(at)?;
        println!("{nth}: {killed:?}");
        if !matches!(killed, Interrupted::Before(_)) {
            ensure!(nth > 6, "there were {nth} instants only");
            return Ok(());
        }
    }
    anyhow::bail!("it makes more than {MOST_CALLS} lasting calls")
}

#[test]
fn and_then_attached() -> Result<()> {
    at_every_instant(Healer::Attach)
}

#[test]
fn and_then_rotated() -> Result<()> {
    at_every_instant(Healer::Rotate)
}
