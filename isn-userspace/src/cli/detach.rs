//! `isnguard detach`: refused while translated flows live, unless drained or forced (S20).

mod drain;
mod reset;

use std::time::Duration;

use clap::Args;

use self::{drain::drain, reset::Resets};
use super::{Common, Outcome, not_running};
use crate::{
    dataplane::{self, KeyState, Leaving, Translated},
    failure::Failure,
    hosts,
    report::{DetachReport, Report as _, counted},
};

/// Arguments of `detach`.
#[derive(Args, Clone, Copy, Debug)]
#[command(after_help = EXAMPLES)]
pub struct DetachArgs {
    /// Make no new offset, wait until the last translated flow ends, then detach
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true,
          default_missing_value = "300", conflicts_with = "force")]
    drain: Option<u32>,
    /// Detach at once; translated connections that live break
    #[arg(long)]
    force: bool,
    /// Before that, end the translated connections that live at both ends (RST), so that neither goes on
    #[arg(long, requires = "force")]
    reset: bool,
}

const EXAMPLES: &str = "\
Examples:
  isnguard detach                           refused while connections need it
  isnguard detach --drain                   wait for their end, five minutes
  isnguard detach --drain=86400             the same, a day
  isnguard detach --force --reset           end them at both ends, now

A connection that has an offset breaks when its translation goes; all others pass untouched. While it drains, no connection \
gets an offset any more.";

/// Detaches the instance.
pub fn detach(args: DetachArgs, common: &Common) -> anyhow::Result<Outcome> {
    if args.reset {
        return force_with_resets(common);
    }
    if args.force {
        return force(common);
    }
    let Some(mut leaving) = Leaving::open(&common.place())? else {
        return Ok(not_running(common));
    };
    let mut flows = leaving.translated()?;
    let keyed = leaving.key_state()?;
    if let Some(seconds) = args.drain {
        flows = drain(&mut leaving, Duration::from_secs(seconds.into()))?;
    } else if flows.live > 0 {
        return Err(refusal(common, flows, &keyed).into());
    }
    let unknown = unknown(&keyed);
    leaving.remove()?;
    note(unknown);
    report(common, flows, None)
}

fn force(common: &Common) -> anyhow::Result<Outcome> {
    let place = common.place();
    // Only to say what breaks: maps that cannot be read do not stop it.
    let instance = dataplane::Instance::open(&place).ok().flatten();
    let flows = instance
        .as_ref()
        .and_then(|it| it.translated().ok())
        .unwrap_or_default();
    let keyed = instance.and_then(|it| it.key_state().ok());
    if !dataplane::force(&place)? {
        return Ok(not_running(common));
    }
    if flows.live > 0 {
        eprintln!(
            "note: the ends of {} do not know it yet, and may answer each other for long; with --reset \
             they would have been told",
            live(flows)
        );
    }
    note(keyed.and_then(|it| unknown(&it)));
    report(common, flows, None)
}

fn force_with_resets(common: &Common) -> anyhow::Result<Outcome> {
    let Some(mut leaving) = Leaving::open(&common.place())? else {
        return Ok(not_running(common));
    };
    let flows = leaving.translated()?;
    let unknown = unknown(&leaving.key_state()?);
    let resets = reset::reset(&mut leaving)?;
    leaving.remove()?;
    note(unknown);
    report(common, flows, Some(resets))
}

fn report(common: &Common, flows: Translated, resets: Option<Resets>) -> anyhow::Result<Outcome> {
    let Translated { live, closed, .. } = flows;
    // What a killed `run` has left behind; one that lives takes it away itself.
    hosts::forget(&common.place());
    let instance = common.instance.to_string();
    DetachReport {
        instance,
        detached: true,
        live,
        closed,
        reset: resets.map(|it| it.reset),
        not_reset: resets.map(|it| it.left),
    }
    .print(common.json)?;
    Ok(Outcome::Done)
}

fn refusal(common: &Common, flows: Translated, keyed: &KeyState) -> Failure {
    let more = unknown(keyed).map_or_else(String::new, |it| format!("; {it}"));
    Failure::new(
        format!("cannot detach instance `{}`", common.instance),
        format!("{} would break{}{more}", live(flows), and_closed(flows)),
        "let them end first (isnguard detach --drain), or break them (isnguard detach --force, with --reset to \
         tell both ends)",
    )
}

/// What cannot be counted in keyed mode, in words.
fn unknown(keyed: &KeyState) -> Option<String> {
    keyed.in_use.then(|| {
        format!(
            "keyed connections that have been silent for long have no entry, cannot be counted, and break too (until now, {} \
             had their offset computed again)",
            counted(usize::try_from(keyed.recomputed).unwrap_or(usize::MAX), "packet")
        )
    })
}

fn note(unknown: Option<String>) {
    if let Some(unknown) = unknown {
        super::note(&unknown);
    }
}

fn live(flows: Translated) -> String {
    counted(flows.live, "live translated connection")
}

fn and_closed(flows: Translated) -> String {
    match flows.closed {
        0 => String::new(),
        closed => format!(" ({closed} more just ended)"),
    }
}
