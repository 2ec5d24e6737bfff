//! What `run` writes to standard error: a line for each thing, whatever comes from outside.

use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf, process::Stdio};

use anyhow::{Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    process::{self, Process},
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
    wait,
};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);
/// The kernel takes it for the name of an interface.
const EVIL_IF: &str = "e\u{1b}[2J\u{7}x";
const SHOWN: &str = r"e\u{1b}[2J\u{7}x";

/// `run` on an interface with such a name, its standard error in a file.
struct Logged {
    run: Process,
    file: PathBuf,
    _dir: TempDir,
}

impl Logged {
    fn start(lab: &Lab, isnguard: &mut Isnguard, options: &[&str]) -> Result<Self> {
        lab.gateway.run(
            "ip",
            &[
                "link", "add", EVIL_IF, "type", "veth", "peer", "name", "other0",
            ],
        )?;
        lab.gateway.run("ip", &["link", "set", EVIL_IF, "up"])?;
        let dir = TempDir::new()?;
        let file = dir.path().join("log");
        isnguard.touch();
        let arguments = [&["--inside", EVIL_IF, "--hook", "tc"], options].concat();
        let mut command = isnguard.command("run", &arguments)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&file)?);
        let run = Process::spawn(command)?;
        let logged = Self {
            run,
            file,
            _dir: dir,
        };
        logged.until("ready: ")?;
        Ok(logged)
    }

    fn text(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.file)?)
    }

    fn until(&self, words: &str) -> Result<()> {
        wait::until(PATIENCE, &format!("{words:?} in the log"), || {
            Ok(self.text()?.contains(words).then_some(()))
        })
    }

    fn end(mut self) -> Result<String> {
        self.run.signal(Signal::SIGTERM)?;
        ensure!(self.run.wait(PATIENCE)?.success());
        self.text()
    }
}

fn is_safe(text: &str) -> bool {
    text.chars()
        .all(|c| c == '\n' || c == '\t' || !c.is_control())
}

#[test]
fn names_from_outside_act_on_no_terminal() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let logged = Logged::start(
        &lab,
        &mut isnguard,
        &["--log-level", "debug", "--metrics", "9464"],
    )?;
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["attach"],
        &["attach", "--json"],
        &["attach", "--inside", "no\u{1b}[2J"],
    ] {
        let ended = process::run_to_end(isnguard.command(arguments[0], &arguments[1..])?)?;
        ensure!(
            is_safe(&ended.stdout) && is_safe(&ended.stderr),
            "{arguments:?}: {ended:?}"
        );
    }
    ensure!(isnguard.verb("status", &[])?.contains(SHOWN));
    lab.gateway.run("ip", &["link", "del", EVIL_IF])?;
    logged.until(&format!("WARN interface `{SHOWN}` is gone"))?;
    let text = logged.end()?;
    ensure!(is_safe(&text), "{text:?}");
    ensure!(text.contains("DEBUG "), "{text}");
    Ok(())
}

#[test]
fn json_is_an_object_a_line() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let logged = Logged::start(
        &lab,
        &mut isnguard,
        &["--log-format", "json", "--log-level", "isnguard=trace"],
    )?;
    lab.gateway.run("ip", &["link", "del", EVIL_IF])?;
    logged.until("is gone")?;
    let text = logged.end()?;
    let lines: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    for line in &lines {
        for key in ["timestamp", "level", "target", "message"] {
            ensure!(line[key].is_string(), "{line}");
        }
    }
    let gone = lines.iter().find(|line| line["level"] == "warn");
    ensure!(
        gone.is_some_and(|it| it["message"]
            .as_str()
            .is_some_and(|it| it.contains(EVIL_IF))),
        "{text}"
    );
    ensure!(
        lines.iter().any(|it| it["message"]
            .as_str()
            .is_some_and(|it| it.contains("stays attached"))),
        "{text}"
    );

    let mut refused = isnguard.command("run", &["--inside", "nowhere0", "--log-format", "json"])?;
    refused.env("RUST_LOG", "off");
    let refused = process::run_to_end(refused)?;
    ensure!(
        refused.status.code() == Some(1) && refused.stderr.is_empty(),
        "{refused:?}"
    );
    let refused = process::run_to_end(
        isnguard.command("run", &["--inside", "nowhere0", "--log-format", "json"])?,
    )?;
    let line: Value = serde_json::from_str(&refused.stderr)?;
    ensure!(
        line["level"] == "error" && line["remedy"].is_string(),
        "{line}"
    );
    Ok(())
}

#[test]
fn the_journal_gets_priorities() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    let dir = TempDir::new()?;
    let path = dir.path().join("journal");
    let journal = fs::File::create(&path)?;
    let about = journal.metadata()?;
    let mut command = isnguard.command("status", &["--log-level", "debug"])?;
    command
        .env("JOURNAL_STREAM", format!("{}:{}", about.dev(), about.ino()))
        .env("RUST_LOG", "loud=er")
        .stdout(Stdio::null())
        .stderr(journal);
    ensure!(Process::spawn(command)?.wait(PATIENCE)?.success());
    let debug = fs::read_to_string(&path)?;
    ensure!(
        debug.lines().all(|line| line.starts_with("<7>DEBUG ")),
        "{debug}"
    );

    let mut command = isnguard.command("status", &[])?;
    command
        .env("JOURNAL_STREAM", "0:0")
        .env("RUST_LOG", "loud=er");
    let piped = process::run_to_end(command)?;
    ensure!(piped.stderr.starts_with(" WARN "), "{piped:?}");
    Ok(())
}

#[test]
fn a_level_that_is_none_is_refused_and_one_in_the_environment_is_told() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let refused = process::run_to_end(isnguard.command("status", &["--log-level", "loud=er"])?)?;
    ensure!(
        refused.status.code() == Some(2) && refused.stderr.contains("neither a level"),
        "{refused:?}"
    );
    let mut told = isnguard.command("status", &[])?;
    told.env("RUST_LOG", "loud=er");
    let told = process::run_to_end(told)?;
    ensure!(
        told.stderr.contains("RUST_LOG is left out of account"),
        "{told:?}"
    );
    Ok(())
}
