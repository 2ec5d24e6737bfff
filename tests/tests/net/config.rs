//! The configuration file and the policy at run time, under live connections (S1, S4, S19).

mod killed;
mod policy;
mod refused;
mod reload;
mod shapes;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    process::{self, Ended, Process},
    scenario::{Connection, host_end, one_life},
    schema::ensure_shape,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{INSIDE_IF, Lab},
    wait,
};
use serde_json::Value;
use tempfile::TempDir;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7_000;
const OTHER_PORT: u16 = 7_001;
const PORT: u16 = 40_000;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(30);
/// As long as a SYN that hangs takes to be retransmitted once.
const HANGS: Duration = Duration::from_millis(1_100);
const FAILED: i32 = 1;
const DEGRADED: i32 = 3;

/// A configuration file of the laboratory's gateway, at TC, which goes with the value.
struct File {
    path: PathBuf,
    _dir: TempDir,
}

impl File {
    /// Interface and hook, and more.
    fn new(more: &str) -> Result<Self> {
        let dir = TempDir::new()?;
        let file = Self {
            path: dir.path().join("gateway.toml"),
            _dir: dir,
        };
        file.say(more)?;
        Ok(file)
    }

    fn say(&self, more: &str) -> Result<()> {
        let head = format!("# The gateway\ninside = [\"{INSIDE_IF}\"]\nhook = \"tc\"\n");
        Ok(fs::write(&self.path, head + more)?)
    }

    fn text(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.path)?)
    }

    fn name(&self) -> Result<&str> {
        self.path.to_str().context("the path is no text")
    }

    /// `isnguard run --config`, once it has noted that it follows the file.
    fn run(&self, isnguard: &mut Isnguard<'_>) -> Result<Process> {
        isnguard.touch();
        let mut command = isnguard.command("run", &["--config", self.name()?])?;
        command.stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::null());
        let mut run = Process::spawn(command)?;
        wait::until(PATIENCE, "`isnguard run` to follow its file", || {
            ensure!(run.ended()?.is_none(), "`isnguard run` ended at once");
            // Half attached, it cannot be told what it is.
            let Ok(status) = isnguard.status() else {
                return Ok(None);
            };
            let last = &status["last_reload"];
            Ok((last["process"] == run.id() && last["successful"] == true).then_some(()))
        })?;
        Ok(run)
    }
}

/// One rule for both families of the laboratory's hosts.
fn guarded(more: &str) -> String {
    let rule =
        |family: Family| format!("[[protect]]\nprefix = \"{}\"\n{more}\n", family.protected());
    Family::ALL.map(rule).concat()
}

fn verb(isnguard: &Isnguard<'_>, line: &str) -> Result<Ended> {
    let mut words = line.split(' ');
    let verb = words.next().context("no verb")?;
    let rest: Vec<&str> = words.collect();
    process::run_to_end(isnguard.command(verb, &rest)?)
}

fn done(isnguard: &Isnguard<'_>, line: &str) -> Result<String> {
    let ended = verb(isnguard, line)?;
    ensure!(ended.status.success(), "`{line}`: {}", ended.complaint());
    Ok(ended.stdout)
}

/// A verb that fails and says all this.
fn refused(isnguard: &Isnguard<'_>, line: &str, said: &[&str]) -> Result<()> {
    let ended = verb(isnguard, line)?;
    let text = format!("{}{}", ended.stdout, ended.stderr);
    ensure!(
        ended.status.code() == Some(FAILED),
        "`{line}` gave {}: {text}",
        ended.status
    );
    for words in said {
        ensure!(
            text.contains(words),
            "`{line}` does not say `{words}`: {text}"
        );
    }
    Ok(())
}

/// What a verb prints, of the documented shape.
fn json(isnguard: &Isnguard<'_>, line: &str) -> Result<Value> {
    let printed = done(isnguard, &format!("{line} --json"))?;
    shapes::shaped(line, &printed)
}

/// The rules as `policy list --json` has them: prefix, ports, mode.
fn rules(isnguard: &Isnguard<'_>) -> Result<Vec<String>> {
    let listed = json(isnguard, "policy list")?;
    let rules = listed["rules"].as_array().context("no rules")?;
    let word = |rule: &Value, key: &str| rule[key].as_str().unwrap_or("?").to_owned();
    Ok(rules
        .iter()
        .map(|it| [word(it, "prefix"), word(it, "ports"), word(it, "mode")].join(" "))
        .collect())
}

/// A connection with an offset: the second of its port, which begins below the first.
fn translated(lab: &Lab, server: &Server, port: u16) -> Result<Connection> {
    one_life(lab, server, port, FIRST_ISN)?;
    Connection::open(lab, server, port, LOWER_ISN)
}

fn offset(isnguard: &Isnguard<'_>, server: &Server, port: u16) -> Result<u32> {
    Ok(isnguard.flow(host_end(server, port))?.offset)
}

fn attached_without_file(isnguard: &mut Isnguard<'_>, more: &[&str]) -> Result<()> {
    let setup = Setup::new(Placement::Inside, Hook::Tc).with(more);
    isnguard.attach(&setup).map(drop)
}

fn ensure_only(dir: &Path, names: &[&str]) -> Result<()> {
    let mut there: Vec<String> = fs::read_dir(dir)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    there.sort();
    ensure!(there == names, "{there:?} is there, and not {names:?}");
    Ok(())
}
