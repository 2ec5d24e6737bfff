//! The command line: one file a verb, one definition for parsing and help.

mod args;
mod attach;
mod audit;
mod detach;
mod explain;
mod flows;
mod grace;
mod hosts;
mod key;
mod monitor;
mod pictures;
mod progress;
mod run;
mod snapshot;
mod stats;
mod status;
#[cfg(test)]
mod tests;
mod top;

use std::{
    io::{self, ErrorKind, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{
    failure::{Failure, chained},
    settings::{InstanceName, Place, Request},
};

/// Gives every TCP connection of guarded hosts a safe initial sequence number.
///
/// isnguard runs on the Linux gateway in front of hosts that choose unsafe ones. Its data plane lives
/// in the kernel and goes on when this program has ended.
#[derive(Debug, Parser)]
#[command(name = "isnguard", version)]
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
}

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
    Run(args::AttachArgs),
    /// Attach or adopt, and return
    Attach(args::AttachArgs),
    /// Take the data plane off its interfaces
    Detach(detach::DetachArgs),
    /// What is attached where, in which mode and why
    Status,
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
    /// The key of keyed mode: which is in use, and another one in its place
    Key(key::KeyArgs),
    /// Grade the hosts in a capture by their initial sequence numbers
    Audit(audit::AuditArgs),
    /// Save flows to a file and load them again, over a reboot of this machine
    Snapshot(snapshot::SnapshotArgs),
    /// Live full-screen view; lines where there is no terminal
    Top(top::TopArgs),
}

/// How a verb ended, as the exit code tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Done,
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
            Self::Usage => 2,
            Self::Degraded => 3,
            Self::NotRunning => 4,
        }
    }
}

/// Parses the command line, does what it says, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { verb, common } = Cli::parse();
    begin_log(&verb, &common);
    let ended = match verb {
        Verb::Run(args) => run::run(&args, &common),
        Verb::Attach(args) => attach::attach(&args, &common),
        Verb::Detach(args) => detach::detach(args, &common),
        Verb::Status => status::status(&common),
        Verb::Stats(args) => stats::stats(&args, &common),
        Verb::Flows(args) => flows::flows(&args, &common),
        Verb::Explain(args) => explain::explain(&args, &common),
        Verb::Hosts(args) => hosts::hosts(&args, &common),
        Verb::Monitor(args) => monitor::monitor(&args, &common),
        Verb::Key(args) => key::key(&args, &common),
        Verb::Audit(args) => audit::audit(&args, &common),
        Verb::Snapshot(args) => snapshot::snapshot(&args, &common),
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

/// The request of the arguments, or the complaint about them printed.
fn request(args: &args::AttachArgs, common: &Common) -> Result<Request, Outcome> {
    args.request(common).map_err(|failure| {
        complain(&failure.into());
        Outcome::Usage
    })
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
    eprintln!("isnguard: {}", chained(error.as_ref()));
    if let Some(failure) = error.downcast_ref::<Failure>() {
        eprintln!("  what to do: {}", failure.remedy());
    }
}

fn begin_log(verb: &Verb, common: &Common) {
    let level = match (verb, common.verbose) {
        (_, true) => LevelFilter::DEBUG,
        (Verb::Run(_), false) => LevelFilter::INFO,
        _ => LevelFilter::WARN,
    };
    let color = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let printed = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(color)
        .with_target(false)
        .without_time();
    // Libraries tell every relocation: only what they warn of is for the operator.
    let shown = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("isnguard", level)
        .with_target("isn_ebpf", level);
    tracing_subscriber::registry()
        .with(printed.with_filter(shown))
        .init();
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
