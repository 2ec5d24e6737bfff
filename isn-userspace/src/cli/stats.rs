//! `isnguard stats`: counters by verdict and reason.

use std::{
    io::{self, Write as _},
    thread::sleep,
    time::{Duration, Instant},
};

use clap::Args;

use super::{Common, Outcome, not_running};
use crate::{
    dataplane::Instance,
    report::{Report as _, StatsReport, Style},
};

/// Arguments of `stats`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct StatsArgs {
    /// Repeat every so many seconds, with rates
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true,
          default_missing_value = "2", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    watch: Option<u32>,
    /// Print counters that are 0, too
    #[arg(long)]
    all: bool,
}

const EXAMPLES: &str = "\
Examples:
  isnguard stats
  isnguard stats --watch                    every two seconds, with rates
  isnguard stats --json | jq .counters.syn_rewritten
";

/// Reports the counters, once or again and again.
pub fn stats(args: &StatsArgs, common: &Common) -> anyhow::Result<Outcome> {
    let Some(instance) = Instance::open(&common.place())? else {
        return Ok(not_running(common));
    };
    let name = common.instance.as_str();
    let Some(interval) = args.watch else {
        StatsReport::new(name, &instance.stats()?, args.all).print(common.json)?;
        return Ok(Outcome::Done);
    };
    let interval = Duration::from_secs(interval.into());
    let mut before = instance.stats()?;
    let mut read_at = Instant::now();
    StatsReport::new(name, &before, args.all).print(common.json)?;
    loop {
        sleep(interval);
        // Opened again: it may have been detached meanwhile, or attached anew.
        let Some(instance) = Instance::open(&common.place())? else {
            return Ok(not_running(common));
        };
        let now = instance.stats()?;
        let seconds = read_at.elapsed().as_secs_f64();
        read_at = Instant::now();
        begin_again(common.json)?;
        StatsReport::new(name, &now, args.all)
            .since(&before, seconds)
            .print(common.json)?;
        before = now;
    }
}

/// On a terminal, over what was there; else below it.
pub(super) fn begin_again(json: bool) -> io::Result<()> {
    match Style::of_stdout() {
        _ if json => Ok(()),
        Style::Plain => writeln!(io::stdout()),
        Style::Terminal { .. } => write!(io::stdout(), "\x1b[H\x1b[2J"),
    }
}
