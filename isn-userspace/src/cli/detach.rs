//! `isnguard detach`: refused while translated flows live, unless drained or forced (S20).

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use clap::Args;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

use super::{Common, Outcome, not_running};
use crate::{
    dataplane::{self, Leaving, Translated},
    failure::Failure,
    report::{DetachReport, Report as _, counted},
};

/// Arguments of `detach`.
#[derive(Args, Clone, Copy, Debug)]
pub struct DetachArgs {
    /// Make no new offset, wait until the last translated flow ends, then detach
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true,
          default_missing_value = "300", conflicts_with = "force")]
    drain: Option<u32>,
    /// Detach at once; translated connections that live break
    #[arg(long)]
    force: bool,
}

/// Time between two looks at the flows while draining.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time between two lines of progress where no terminal shows them.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Detaches the instance.
pub fn detach(args: DetachArgs, common: &Common) -> anyhow::Result<Outcome> {
    if args.force {
        return force(common);
    }
    let Some(mut leaving) = Leaving::open(&common.place())? else {
        return Ok(not_running(common));
    };
    let mut flows = leaving.translated()?;
    if let Some(seconds) = args.drain {
        flows = drain(&mut leaving, Duration::from_secs(seconds.into()))?;
    } else if flows.live > 0 {
        return Err(refusal(common, flows).into());
    }
    leaving.remove()?;
    report(common, flows)
}

fn force(common: &Common) -> anyhow::Result<Outcome> {
    let place = common.place();
    // Only to say what breaks: maps that cannot be read do not stop it.
    let instance = dataplane::Instance::open(&place).ok().flatten();
    let flows = instance
        .and_then(|it| it.translated().ok())
        .unwrap_or_default();
    if !dataplane::force(&place)? {
        return Ok(not_running(common));
    }
    report(common, flows)
}

fn report(common: &Common, flows: Translated) -> anyhow::Result<Outcome> {
    let Translated { live, closed, .. } = flows;
    let instance = common.instance.to_string();
    DetachReport {
        instance,
        detached: true,
        live,
        closed,
    }
    .print(common.json)?;
    Ok(Outcome::Done)
}

fn refusal(common: &Common, flows: Translated) -> Failure {
    Failure::new(
        format!("cannot detach instance `{}`", common.instance),
        format!("{} would break{}", live(flows), and_closed(flows)),
        "let them end first (isnguard detach --drain), or break them (isnguard detach --force)",
    )
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

/// What draining does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Detach,
    Wait,
    GiveUp,
}

/// A connection that has just ended gets a moment for its last segments.
fn next(flows: Translated, waited: Duration, limit: Duration) -> Next {
    match (flows.live, flows.just_closed) {
        (0, 0) => Next::Detach,
        (0, _) if waited >= limit => Next::Detach,
        _ if waited >= limit => Next::GiveUp,
        _ => Next::Wait,
    }
}

/// Waits until no translated flow lives. If that does not happen, the data plane goes on as before.
fn drain(leaving: &mut Leaving, limit: Duration) -> anyhow::Result<Translated> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut ending = Ending {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        };
        leaving.set_draining(true)?;
        let drained = wait(leaving, limit, &mut ending).await;
        if drained.is_err() {
            leaving.set_draining(false)?;
        }
        drained
    })
}

struct Ending {
    interrupt: Signal,
    terminate: Signal,
}

async fn wait(
    leaving: &Leaving,
    limit: Duration,
    ending: &mut Ending,
) -> anyhow::Result<Translated> {
    let began = Instant::now();
    let mut progress = Progress::default();
    loop {
        let flows = leaving.translated()?;
        let waited = began.elapsed();
        match next(flows, waited, limit) {
            Next::Detach => {
                progress.end();
                return Ok(flows);
            }
            Next::GiveUp => {
                progress.end();
                return Err(gave_up(flows, &format!("after {} s", limit.as_secs())).into());
            }
            Next::Wait => progress.tell(flows, waited, limit),
        }
        tokio::select! {
            () = sleep(LOOK_EVERY.min(limit.saturating_sub(waited))) => {}
            _ = ending.interrupt.recv() => return Err(gave_up(flows, "when interrupted").into()),
            _ = ending.terminate.recv() => return Err(gave_up(flows, "when told to end").into()),
        }
    }
}

fn gave_up(flows: Translated, when: &str) -> Failure {
    Failure::new(
        "cannot detach",
        format!("{} left {when}{}", live(flows), and_closed(flows)),
        "it stays attached and translates new connections again; drain longer \
         (isnguard detach --drain=SECONDS), or break them (isnguard detach --force)",
    )
}

#[derive(Default)]
struct Progress {
    told: Option<Duration>,
}

impl Progress {
    fn tell(&mut self, flows: Translated, waited: Duration, limit: Duration) {
        let line = format!(
            "draining: {} left, {} just ended; {} of {} s",
            live(flows),
            flows.just_closed,
            waited.as_secs(),
            limit.as_secs()
        );
        if io::stderr().is_terminal() {
            eprint!("\r\x1b[K{line}");
            // Nothing is lost if the terminal is gone.
            let _ = io::stderr().flush();
        } else if self.told.is_none_or(|told| waited >= told + TELL_EVERY) {
            eprintln!("{line}");
        } else {
            return;
        }
        self.told = Some(waited);
    }

    fn end(&self) {
        if self.told.is_some() && io::stderr().is_terminal() {
            eprintln!();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draining_ends_with_the_last_flow_or_with_its_time() {
        let seconds = Duration::from_secs;
        let flows = |live, just_closed| Translated {
            live,
            closed: 7,
            just_closed,
        };
        assert_eq!(next(flows(0, 0), seconds(0), seconds(300)), Next::Detach);
        assert_eq!(next(flows(0, 0), seconds(900), seconds(300)), Next::Detach);
        assert_eq!(next(flows(0, 1), seconds(9), seconds(300)), Next::Wait);
        assert_eq!(next(flows(0, 1), seconds(300), seconds(300)), Next::Detach);
        assert_eq!(next(flows(1, 0), seconds(299), seconds(300)), Next::Wait);
        assert_eq!(next(flows(1, 0), seconds(300), seconds(300)), Next::GiveUp);
        assert_eq!(next(flows(1, 0), seconds(0), seconds(0)), Next::GiveUp);
    }

    #[test]
    fn what_has_ended_is_mentioned_beside_what_lives() {
        let text = gave_up(
            Translated {
                live: 2,
                closed: 1,
                just_closed: 0,
            },
            "after 5 s",
        )
        .to_string();
        assert!(
            text.contains("2 live translated connections left after 5 s (1 more"),
            "{text}"
        );
    }
}
