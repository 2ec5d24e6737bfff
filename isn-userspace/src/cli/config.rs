//! `isnguard config check|show|diff|reload`: the configuration file.

use std::{
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use clap::{Args, Subcommand};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    Common, Outcome,
    args::{AttachArgs, absolute},
    complain_of, load, not_running, unread,
};
use crate::{
    config::{LastReload, Loaded, Shown, Source, Unread},
    dataplane::{self, Doing, Pins},
    failure::{Explain as _, Failure},
    report::{CheckReport, DiffReport, ReloadReport, Report as _, ShowReport},
};

const LOOK_AGAIN: Duration = Duration::from_millis(20);

const EXAMPLES: &str = "\
Examples:
  isnguard config check                     what is wrong with the usual file
  isnguard config diff                      what a reload would change
  isnguard config reload                    take it over; connections go on

docs/configuration.md has every key.";

const CHECK_EXAMPLES: &str = "\
Examples:
  isnguard config check                     the file in /etc/isnguard
  isnguard config check ./new.toml          one that is still being written
  isnguard config check ./new.toml --json   with line and column for an editor

Exit code 1 if anything is wrong.";

const SHOW_EXAMPLES: &str = "\
Examples:
  isnguard config show
  isnguard config show --config ./new.toml --mode observe
  isnguard config show --json

What is printed is a file that says the same.";

const DIFF_EXAMPLES: &str = "\
Examples:
  isnguard config diff
  isnguard config diff --config ./new.toml

It is checked as a reload would, and what a reload would refuse is refused.";

const RELOAD_EXAMPLES: &str = "\
Examples:
  isnguard config reload
  isnguard config reload --instance eth1 --timeout 5

Exit code 1 if it was not taken over: what applied before goes on then.";

/// Arguments of `config`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ConfigArgs {
    #[command(subcommand)]
    verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    #[command(after_help = CHECK_EXAMPLES)]
    /// Look for everything that is wrong with a file; loads nothing and needs no privilege
    Check {
        /// File to look at [default: /etc/isnguard/isnguard.toml, or INSTANCE.toml there]
        file: Option<PathBuf>,
    },
    #[command(after_help = SHOW_EXAMPLES)]
    /// What applies by file, command line and defaults, and which of them says it
    Show(AttachArgs),
    #[command(after_help = DIFF_EXAMPLES)]
    /// What `attach` with this configuration, or a reload, would change; changes nothing
    Diff(AttachArgs),
    #[command(after_help = RELOAD_EXAMPLES)]
    /// Ask the `isnguard run` of the instance to take its file over again, as SIGHUP does, and wait for it
    Reload {
        /// Seconds to wait for it at most
        #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u32).range(1..=3_600))]
        timeout: u32,
    },
}

/// Checks, shows, compares or reloads.
pub fn config(args: &ConfigArgs, common: &Common) -> anyhow::Result<Outcome> {
    match &args.verb {
        ConfigVerb::Check { file } => check(file.as_ref(), common),
        ConfigVerb::Show(args) => Ok(match load(args, &[], common) {
            Ok((_, loaded, _)) => {
                ShowReport(Shown::new(&loaded)).print(common.json)?;
                Outcome::Done
            }
            Err(ended) => ended,
        }),
        ConfigVerb::Diff(args) => diff(args, common),
        ConfigVerb::Reload { timeout } => reload(Duration::from_secs((*timeout).into()), common),
    }
}

fn check(file: Option<&PathBuf>, common: &Common) -> anyhow::Result<Outcome> {
    let file = match file {
        Some(named) => absolute(named)?,
        None => Source::usual_file(&common.instance),
    };
    let source = Source {
        file: Some(file.clone()),
        said: crate::config::Given::default(),
        place: common.place(),
        verbose: common.verbose,
    };
    match source.load() {
        Ok(loaded) => {
            let report = CheckReport {
                file,
                valid: true,
                errors: Vec::new(),
                notes: notes(&loaded),
            };
            report.print(common.json)?;
            for note in &report.notes {
                eprintln!("note: {note}");
            }
            Ok(Outcome::Done)
        }
        Err(Unread::Text(faults)) => {
            CheckReport::wrong(&faults).print(common.json)?;
            Ok(Outcome::Failed)
        }
        Err(other) => Ok(unread(&other)),
    }
}

/// What is not wrong and may not be meant.
fn notes(loaded: &Loaded) -> Vec<String> {
    let mut notes = Vec::new();
    if loaded.given.placed.is_empty() {
        notes.push(
            "no interface is named: this adopts what is attached, and attaches nothing by itself"
                .into(),
        );
    }
    if loaded.given.protect.is_empty() {
        notes.push("no rule ([[protect]]): every host on that side is guarded".into());
    }
    let mode = loaded
        .request
        .mode
        .unwrap_or(crate::settings::Mode::Monotonic);
    if let Ok(policy) = crate::settings::PolicyTable::build(&loaded.request.protect, mode) {
        notes.extend(policy.shadows().iter().map(|(narrow, wide)| {
            format!(
                "hosts in {narrow} are guarded on its own ports only: the longest prefix applies alone, and the rules of \
                 {wide} do not reach them"
            )
        }));
    }
    notes
}

fn diff(args: &AttachArgs, common: &Common) -> anyhow::Result<Outcome> {
    let (_, loaded, common) = match load(args, &[], common) {
        Ok(loaded) => loaded,
        Err(ended) => return Ok(ended),
    };
    let Some(told) = dataplane::reconfigure(&loaded.request, Doing::Tell)? else {
        return Ok(not_running(&common));
    };
    let report = DiffReport::new(common.instance.as_str(), false, told);
    report.print(common.json)?;
    for warning in report.warnings() {
        eprintln!("note: {warning}");
    }
    Ok(Outcome::Done)
}

fn reload(patience: Duration, common: &Common) -> anyhow::Result<Outcome> {
    let place = common.place();
    if !Pins::new(&place).home.is_dir() {
        return Ok(not_running(common));
    }
    let what = format!(
        "cannot reload the configuration of instance `{}`",
        common.instance
    );
    let Some(process) = dataplane::running(&place) else {
        complain_of(&Failure::new(
            what,
            "no `isnguard run` stays with it",
            "`isnguard attach --config FILE` takes a file over at once; or start `isnguard run --config FILE`",
        ));
        return Ok(Outcome::Failed);
    };
    let before = LastReload::of(&place).filter(|it| it.process == Some(process));
    let Some(before) = before else {
        complain_of(&Failure::new(
            what,
            format!("process {process} runs it without a configuration file, or begins just now"),
            "end it and start `isnguard run --config FILE` (its data plane stays attached); or `isnguard attach --config \
             FILE` takes a file over at once",
        ));
        return Ok(Outcome::Failed);
    };
    kill(Pid::from_raw(i32::try_from(process)?), Signal::SIGHUP).explain(
        what.clone(),
        format!("see who process {process} is; run it as root"),
    )?;
    let deadline = Instant::now() + patience;
    loop {
        let now = LastReload::of(&place);
        if let Some(now) = now.filter(|it| it.at_ns != before.at_ns) {
            let report = ReloadReport::new(common.instance.as_str(), process, now);
            report.print(common.json)?;
            return Ok(if report.is_successful() {
                Outcome::Done
            } else {
                Outcome::Failed
            });
        }
        let gone = dataplane::running(&place) != Some(process);
        if gone || Instant::now() > deadline {
            let why = if gone {
                format!("process {process} has ended meanwhile")
            } else {
                format!(
                    "process {process} has not answered within {} s",
                    patience.as_secs()
                )
            };
            return Err(Failure::new(what, why, "see its log, and `isnguard status`").into());
        }
        sleep(LOOK_AGAIN);
    }
}
