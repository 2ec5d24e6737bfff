//! The operating guide's first day, its turning on and its leaving, line by line as they stand there. What systemd would do with
//! the units is done by hand.

use std::{fs, path::Path, process::Stdio};

use anyhow::{Context, Result, bail, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    process::{self, Process},
    scenario::{Connection, host_end, one_life},
    server::Server,
    service::{Instantiated, Manager, Unit},
    topology::{INSIDE_IF, Lab, LabOptions},
};
use nix::sys::signal::Signal;

use super::PATIENCE;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const KIB: u64 = 1 << 10;
/// The instance and the interface of the guide.
const GUIDED: &str = "eth1";

struct Guide(String);

impl Guide {
    fn read() -> Result<Self> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating.md");
        Ok(Self(fs::read_to_string(file)?))
    }

    /// The lines of the block of this name.
    fn block(&self, name: &str) -> Result<Vec<&str>> {
        let begins = format!("```sh {name}\n");
        let (_, rest) = self
            .0
            .split_once(&begins)
            .with_context(|| format!("no block {name}"))?;
        let (block, _) = rest.split_once("```").context("the block has no end")?;
        Ok(block.lines().collect())
    }

    /// What the guide puts into the file of options.
    fn options(&self) -> Result<&str> {
        let (_, rest) = self
            .0
            .split_once("ISNGUARD_OPTIONS=\"")
            .context("no options")?;
        Ok(rest.split_once('"').context("the options have no end")?.0)
    }
}

/// A gateway whose operator has the guide.
struct Operator<'a> {
    lab: &'a Lab,
    isnguard: &'a Isnguard<'a>,
    unit: Unit,
    manager: Manager,
    /// What stands in the file of options, or in the unit where there is none.
    options: String,
    run: Option<Process>,
}

impl Operator<'_> {
    fn follow(&mut self, lines: &[&str]) -> Result<()> {
        ensure!(!lines.is_empty());
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["systemctl", verb, service] => {
                    ensure!(*service == format!("isnguard@{GUIDED}"), "{line}");
                    self.systemctl(verb)?;
                }
                ["isnguard", verb, more @ .., "--instance", GUIDED] => {
                    self.isnguard
                        .verb(verb, more)
                        .with_context(|| (*line).to_owned())?;
                }
                _ => bail!("the guide says what nobody understands here: {line}"),
            }
        }
        Ok(())
    }

    fn systemctl(&mut self, verb: &str) -> Result<()> {
        match verb {
            "enable" => Ok(()),
            "start" => self.start(),
            "stop" => self.stop(),
            "restart" => {
                self.stop()?;
                self.start()
            }
            _ => bail!("systemctl {verb}"),
        }
    }

    fn start(&mut self) -> Result<()> {
        let options = self
            .options
            .replace("%i", GUIDED)
            .replace(GUIDED, INSIDE_IF);
        let options: Vec<&str> = options.split_whitespace().collect();
        let of = Instantiated {
            instance: self.isnguard.instance(),
            program: self.isnguard.binary(),
            options: &options,
        };
        let words = self.unit.command("ExecStart", &of)?;
        let mut command = self.lab.gateway.command(&words[0])?;
        command
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        self.manager.supervise(&mut command, None);
        self.run = Some(Process::spawn(command)?);
        self.manager.told("READY=1", PATIENCE).map(drop)
    }

    fn stop(&mut self) -> Result<()> {
        let Some(mut run) = self.run.take() else {
            return Ok(());
        };
        if run.ended()?.is_none() {
            run.signal(Signal::SIGTERM)?;
        }
        ensure!(run.wait(PATIENCE)?.success());
        Ok(())
    }
}

#[test]
fn what_the_guide_says_works_as_it_stands_there() -> Result<()> {
    let guide = Guide::read()?;
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.touch();
    let isnguard = isnguard;
    let unit = Unit::read("isnguard@.service")?;
    let unless_told = unit
        .all("Environment")
        .next()
        .context("no options in the unit")?;
    let unless_told = unless_told
        .trim_matches('"')
        .strip_prefix("ISNGUARD_OPTIONS=");
    let mut operator = Operator {
        lab: &lab,
        isnguard: &isnguard,
        options: unless_told.context("no options in the unit")?.to_owned(),
        unit,
        manager: Manager::listen()?,
        run: None,
    };

    let before = Connection::open(&lab, &server, PORT + 1, FIRST_ISN)?;
    operator.follow(&guide.block("first-day")?)?;
    ensure!(
        isnguard.status()?["mode"] == "observe",
        "{}",
        isnguard.status()?
    );
    one_life(&lab, &server, PORT, FIRST_ISN)?;
    before.exchange(64 * KIB, 1)?;

    guide.options()?.clone_into(&mut operator.options);
    operator.follow(&guide.block("turn-on")?)?;
    ensure!(
        isnguard.status()?["mode"] == "monotonic",
        "{}",
        isnguard.status()?
    );
    let connection = Connection::open(&lab, &server, PORT, LOWER_ISN)?;
    connection.exchange(64 * KIB, 2)?;
    ensure!(isnguard.flow(host_end(&server, PORT))?.offset != 0);
    before.exchange(64 * KIB, 3)?;
    connection.close()?;

    operator.follow(&guide.block("leave")?)?;
    before.exchange(64 * KIB, 4)?;
    let status = process::run_to_end(isnguard.command("status", &[])?)?;
    ensure!(status.status.code() == Some(4), "{status:?}");
    before.close()
}
