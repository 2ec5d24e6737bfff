//! The command line: one file a verb, one definition for parsing and help.

mod args;
mod attach;
mod audit;
mod completions;
mod config;
mod detach;
mod doctor;
mod explain;
mod flows;
mod grace;
mod hosts;
mod key;
mod manual;
mod monitor;
mod pictures;
mod policy;
mod progress;
mod run;
mod snapshot;
mod stats;
mod status;
#[cfg(test)]
mod tests;
mod top;

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
    process::ExitCode,
};

use clap::{
    ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    parser::ValueSource,
};
use tracing::level_filters::LevelFilter;

use crate::{
    config::{Loaded, Source, Unread},
    failure::{Failure, chained},
    logging::{self, LogFormat, Wanted},
    metrics::MetricsAddress,
    report::{self, visible_lines},
    settings::{InstanceName, Place},
};

/// Gives every TCP connection of guarded hosts a safe initial sequence number.
///
/// isnguard runs on the Linux gateway in front of hosts that choose unsafe ones. Its data plane lives
/// in the kernel and goes on when this program has ended.
#[derive(Debug, Parser)]
#[command(name = "isnguard", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

/// Options of every verb.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Name of the instance; several can run side by side
    #[arg(
        long,
        global = true,
        display_order = 100,
        value_name = "NAME",
        default_value = "default"
    )]
    instance: InstanceName,
    /// BPF file system; pins live in DIR/isnguard/NAME
    #[arg(
        long,
        global = true,
        display_order = 101,
        value_name = "DIR",
        default_value = "/sys/fs/bpf"
    )]
    bpffs: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long, global = true, display_order = 102)]
    json: bool,
    /// Tell more about what is done, on standard error
    #[arg(short, long, global = true, display_order = 103)]
    verbose: bool,
    /// Whether instance and BPF file system were named; if not, a configuration file may name them.
    #[arg(skip)]
    said: [bool; 2],
    /// What is logged on standard error: error, warn, info, debug, trace, off, or directives [default: `RUST_LOG`, else info for run and warn for others]
    #[arg(
        long,
        global = true,
        display_order = 104,
        value_name = "LEVEL",
        hide_short_help = true
    )]
    log_level: Option<Wanted>,
    /// Form of a line of the log
    #[arg(
        long,
        global = true,
        display_order = 105,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        hide_short_help = true
    )]
    log_format: LogFormat,
}

const EXAMPLES: &str = "\
Examples:
  isnguard audit plant.pcap                 which hosts in a capture need it
  isnguard run --inside eth1 --protect 192.0.2.0/24 --mode observe
  isnguard status                           what is attached, and is it well
  isnguard help run                         all about a verb

Exit codes: 0 all is well; 1 it failed; 2 the command line is wrong; 3 it is attached, but not as it should be; 4 there is no such \
instance.";

impl Common {
    fn place(&self) -> Place {
        Place {
            instance: self.instance.clone(),
            bpffs: self.bpffs.clone(),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Attach and stay: remove what has expired, tell what happens
    #[command(after_help = run::EXAMPLES)]
    Run(run::RunArgs),
    /// Attach or adopt, and return
    #[command(after_help = attach::EXAMPLES)]
    Attach(args::AttachArgs),
    /// Take the data plane off its interfaces
    Detach(detach::DetachArgs),
    /// What is attached where, in which mode and why
    #[command(after_help = status::EXAMPLES)]
    Status,
    /// Check kernel, interfaces, packet filter, NAT and the instance: what was read, and what to do
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(args::AttachArgs),
    /// Counters by verdict and reason
    Stats(stats::StatsArgs),
    /// Flows that are remembered, the most recently active first
    Flows(flows::FlowsArgs),
    /// What was decided for a flow and why, or what would be
    Explain(explain::ExplainArgs),
    /// Grade the hosts that pass by, by their initial sequence numbers and those that leave
    Hosts(hosts::HostsArgs),
    /// One line for each decision, as it happens
    Monitor(monitor::MonitorArgs),
    /// Live full-screen view; lines where there is no terminal
    Top(top::TopArgs),
    /// The guarded prefixes with their ports and modes, while it is attached
    Policy(policy::PolicyArgs),
    /// The configuration file: check it, show what applies, take it over again
    Config(config::ConfigArgs),
    /// The key of keyed mode: which is in use, and another one in its place
    Key(key::KeyArgs),
    /// Grade the hosts in a capture by their initial sequence numbers
    Audit(audit::AuditArgs),
    /// Save flows to a file and load them again, over a reboot of this machine
    Snapshot(snapshot::SnapshotArgs),
    /// Print the completions of a shell
    Completions(completions::CompletionsArgs),
    /// Print a manual page, or write all of them into a directory
    Man(manual::ManArgs),
}

/// How a verb ended, as the exit code tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Done,
    /// It failed, and the reason is printed.
    Failed,
    /// The arguments contradict each other, and the reason is printed.
    Usage,
    /// It is attached, but not as it should be.
    Degraded,
    /// There is no such instance.
    NotRunning,
}

impl Outcome {
    const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Degraded => 3,
            Self::NotRunning => 4,
        }
    }
}

/// Parses the command line, does what it says, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { verb, common } = parsed();
    begin_log(&verb, &common);
    let ended = match verb {
        Verb::Run(args) => run::run(&args, &common),
        Verb::Attach(args) => attach::attach(&args, &common),
        Verb::Detach(args) => detach::detach(args, &common),
        Verb::Status => status::status(&common),
        Verb::Doctor(args) => doctor::doctor(&args, &common),
        Verb::Stats(args) => stats::stats(&args, &common),
        Verb::Flows(args) => flows::flows(&args, &common),
        Verb::Explain(args) => explain::explain(&args, &common),
        Verb::Hosts(args) => hosts::hosts(&args, &common),
        Verb::Policy(args) => policy::policy(&args, &common),
        Verb::Config(args) => config::config(&args, &common),
        Verb::Monitor(args) => monitor::monitor(&args, &common),
        Verb::Key(args) => key::key(&args, &common),
        Verb::Audit(args) => audit::audit(&args, &common),
        Verb::Snapshot(args) => snapshot::snapshot(&args, &common),
        Verb::Completions(args) => completions::completions(&args),
        Verb::Man(args) => manual::man(&args),
        Verb::Top(args) => top::top(&args, &common),
    };
    match ended {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// The command line, with what was named on it told from defaults.
fn parsed() -> Cli {
    let matches = Cli::command().get_matches();
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    cli.common.said = ["instance", "bpffs"].map(|option| is_named(&matches, option));
    cli
}

fn is_named(matches: &ArgMatches, option: &str) -> bool {
    matches.value_source(option) == Some(ValueSource::CommandLine)
        || matches
            .subcommand()
            .is_some_and(|(_, verb)| is_named(verb, option))
}

/// The configuration of the arguments and their file, with the instance that they are about; or the complaint about them printed.
fn load(
    args: &args::AttachArgs,
    metrics: &[MetricsAddress],
    common: &Common,
) -> Result<(Source, Loaded, Common), Outcome> {
    let source = args
        .source(metrics, common)
        .map_err(|it| unread(&Unread::CommandLine(it)))?;
    let loaded = source.load().map_err(|it| unread(&it))?;
    let common = Common {
        instance: loaded.request.place.instance.clone(),
        bpffs: loaded.request.place.bpffs.clone(),
        ..common.clone()
    };
    Ok((source, loaded, common))
}

/// Says why there is no configuration.
fn unread(unread: &Unread) -> Outcome {
    match unread {
        Unread::Text(faults) => {
            eprintln!("{faults}");
            let count = report::counted(faults.errors.len(), "error");
            eprintln!(
                "isnguard: nothing was changed: {count} in {}",
                faults.file.display()
            );
            Outcome::Failed
        }
        Unread::File(failure) => {
            complain_of(failure);
            Outcome::Failed
        }
        Unread::CommandLine(failure) => {
            complain_of(failure);
            Outcome::Usage
        }
    }
}

fn complain_of(failure: &Failure) {
    let told = format!("isnguard: {failure}\n  what to do: {}", failure.remedy());
    eprintln!("{}", visible_lines(&told));
}

/// Whoever reads the output has read enough, as `head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|it| it.kind() == ErrorKind::BrokenPipe)
    };
    error.chain().any(broken)
}

fn complain(error: &anyhow::Error) {
    if logging::is_json() {
        let remedy = error.downcast_ref::<Failure>().map(Failure::remedy);
        tracing::error!(remedy, "{}", chained(error.as_ref()));
        return;
    }
    eprintln!("isnguard: {}", visible_lines(&chained(error.as_ref())));
    if let Some(failure) = error.downcast_ref::<Failure>() {
        eprintln!("  what to do: {}", visible_lines(failure.remedy()));
    }
}

/// Something that whoever looks should know, on standard error.
fn note(text: &str) {
    logging::say(&format!("note: {text}"));
}

fn begin_log(verb: &Verb, common: &Common) {
    let usual = match verb {
        Verb::Run(_) => LevelFilter::INFO,
        _ => LevelFilter::WARN,
    };
    let verbose = common
        .verbose
        .then(|| Wanted::from_level(LevelFilter::DEBUG));
    let asked = common.log_level.as_ref().or(verbose.as_ref());
    logging::begin(asked, usual, common.log_format);
}

/// Says that there is no such instance.
fn not_running(common: &Common) -> Outcome {
    eprintln!(
        "isnguard: instance `{}` is not attached: nothing is pinned in {}\n  what to do: attach it \
         (isnguard attach --inside IF), or name another with --instance or --bpffs",
        common.instance,
        common
            .bpffs
            .join("isnguard")
            .join(common.instance.as_str())
            .display()
    );
    Outcome::NotRunning
}
