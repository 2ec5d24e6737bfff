//! `isnguard monitor`: one line for each decision, as it happens.

use std::{
    io::{self, Write as _},
    time::{Duration, SystemTime},
};

use clap::{Args, builder::PossibleValuesParser};
use ipnet::IpNet;
use isn_common::{abi::flow::Reason, counter::Counter};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use super::{Common, Outcome, audit::nets, grace::Grace, not_running};
use crate::{
    dataplane::{Instance, monotonic},
    failure::Explain as _,
    hosts::{Event, From, Watching},
    report::{DecisionLine, Missed, Style, UNREMEMBERED, WatchingLine},
};

/// Arguments of `monitor`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct MonitorArgs {
    /// Only decisions on this host, or on the hosts of this prefix; repeatable
    #[arg(long, value_name = "IP|CIDR", value_parser = nets)]
    host: Vec<IpNet>,
    /// Only decisions for this reason; repeatable
    #[arg(long, value_name = "REASON", value_parser = reasons())]
    reason: Vec<String>,
    /// End after so many lines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

const EXAMPLES: &str = "\
Examples:
  isnguard monitor
  isnguard monitor --host 192.0.2.0/24 --reason regressed --reason resent
  isnguard monitor --json | jq 'select(.action == \"rewritten\")'

A decision is taken where a connection opens, once, not for each packet: `host > peer` where the host opened it, `host < peer` where \
the peer did, `host - peer` where it was learnt in mid-flow (keyed mode); then the reason, the number that the host chose, and the one \
that the peer sees. SYNs that were dropped for want of room are told too. Times are UTC. `isnguard explain` says more of one flow.

Any number up to 16 can watch where `isnguard run` stays with the instance; without it, one can. A host gives at most 32 lines a \
second (--samples of attach and run); what is left out is counted and told, on standard error, or as an object with --json.

Exit codes: 0 after Ctrl-C or --limit; 4 the instance is not attached, or not any more.";

fn reasons() -> PossibleValuesParser {
    let names = Reason::ALL.iter().map(|reason| reason.name());
    PossibleValuesParser::new(names.chain([UNREMEMBERED]))
}

/// Between two looks at what was missed, and at whether the instance is still there.
const BETWEEN: Duration = Duration::from_secs(1);

/// Watches until it is asked to end.
pub fn monitor(args: &MonitorArgs, common: &Common) -> anyhow::Result<Outcome> {
    let Some(instance) = Instance::open(&common.place())? else {
        return Ok(not_running(common));
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(watch(args, common, instance))
}

async fn watch(args: &MonitorArgs, common: &Common, instance: Instance) -> anyhow::Result<Outcome> {
    let what = "cannot watch for signals";
    let mut interrupt = signal(SignalKind::interrupt()).explain(what, "see `ulimit -a`")?;
    let mut terminate = signal(SignalKind::terminate()).explain(what, "see `ulimit -a`")?;
    let mut teller = Teller::new(args, common, &instance)?;
    let mut watching = Watching::begin(&common.place())?;
    teller.introduce(watching.from(), &instance)?;
    let mut grace = Grace::default();
    let mut beat = interval(BETWEEN);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            events = watching.next() => {
                let enough = teller.tell(&events?)?;
                teller.introduce(watching.from(), &instance)?;
                if enough {
                    return Ok(Outcome::Done);
                }
            }
            _ = beat.tick() => {
                // Opened again: it may have been detached meanwhile, or attached anew.
                let Some(opened) = grace.grant(Instance::open(&common.place()))? else {
                    continue;
                };
                let Some(instance) = opened else {
                    return Ok(not_running(common));
                };
                teller.tell_missed(&instance)?;
                watching.give_way()?;
                teller.introduce(watching.from(), &instance)?;
            }
        }
    }
    teller.tell_missed(&instance)?;
    Ok(Outcome::Done)
}

/// What goes to the operator.
struct Teller<'a> {
    args: &'a MonitorArgs,
    json: bool,
    style: Style,
    left: u64,
    introduced: Option<From>,
    counted: [u64; 2],
    slow: u64,
}

impl<'a> Teller<'a> {
    fn new(args: &'a MonitorArgs, common: &Common, instance: &Instance) -> anyhow::Result<Self> {
        Ok(Self {
            args,
            json: common.json,
            style: Style::of_stdout(),
            left: args.limit.unwrap_or(u64::MAX),
            introduced: None,
            counted: counted(instance)?,
            slow: 0,
        })
    }

    /// Says who tells the decisions, where that has changed.
    fn introduce(&mut self, from: From, instance: &Instance) -> anyhow::Result<()> {
        let before = self.introduced.replace(from);
        if before == Some(from) {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        if self.json {
            WatchingLine::new(from.name()).json(&mut out)?;
        } else if before.is_none() && self.style == Style::Plain {
            writeln!(out, "{}", DecisionLine::COLUMNS.join("\t"))?;
        }
        out.flush()?;
        if before.is_none() && instance.settings.limits.sample_share == 0 {
            eprintln!("note: {SILENT}");
        }
        if let Some(note) = note(from, before.is_none()) {
            eprintln!("note: {note}");
        }
        Ok(())
    }

    /// Tells what is wanted of these; true once that is enough.
    fn tell(&mut self, events: &[Event]) -> io::Result<bool> {
        let (now, wall) = (monotonic(), SystemTime::now());
        let mut out = io::BufWriter::new(io::stdout().lock());
        for event in events {
            let sample = match event {
                Event::Decision(sample) => sample,
                Event::Lost(number) => {
                    self.slow += number;
                    continue;
                }
            };
            let line = DecisionLine::new(sample, now, wall);
            if !self.wants(&line) {
                continue;
            }
            if self.json {
                line.json(&mut out)?;
            } else {
                line.text(&mut out, self.style)?;
            }
            self.left -= 1;
            if self.left == 0 {
                break;
            }
        }
        out.flush()?;
        Ok(self.left == 0)
    }

    fn wants(&self, line: &DecisionLine) -> bool {
        let MonitorArgs { host, reason, .. } = self.args;
        (host.is_empty() || host.iter().any(|net| net.contains(&line.host)))
            && (reason.is_empty() || reason.iter().any(|name| name == line.reason))
    }

    fn tell_missed(&mut self, instance: &Instance) -> anyhow::Result<()> {
        let now = counted(instance)?;
        let [limited, lost] = [0, 1].map(|nth| now[nth].saturating_sub(self.counted[nth]));
        self.counted = now;
        let slow = std::mem::take(&mut self.slow);
        let missed = Missed {
            limited,
            lost,
            slow,
        };
        if missed.is_none() {
            return Ok(());
        }
        if self.json {
            let mut out = io::stdout().lock();
            missed.json(&mut out)?;
            out.flush()?;
        } else {
            eprintln!("note: {}", missed.text());
        }
        Ok(())
    }
}

const SILENT: &str = "no decisions are told: the instance was attached with --samples 0. `isnguard attach --samples 32` tells some";

/// What the operator should know of who tells the decisions.
fn note(from: From, is_first: bool) -> Option<String> {
    match from {
        From::Run if is_first => None,
        From::Run => Some("`isnguard run` tells the decisions from now on".into()),
        From::Ring => Some(
            "no `isnguard run` stays with this instance: decisions are read from the kernel, and `isnguard hosts` will not know \
             of them"
                .into(),
        ),
        From::Nobody(process) => Some(format!(
            "{} reads the decisions, and only one can at a time; waiting. With `isnguard run` any number can watch",
            process.map_or("another process".into(), |id| format!("process {id}"))
        )),
    }
}

/// Decisions that were not told so far: beyond a host's share, and for want of room.
fn counted(instance: &Instance) -> anyhow::Result<[u64; 2]> {
    let counters = instance.maps.counters()?;
    let both = [Counter::SamplesLimited, Counter::SamplesLost];
    Ok(both.map(|counter| counters[counter.index()]))
}
