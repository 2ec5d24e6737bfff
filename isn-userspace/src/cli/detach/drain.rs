//! `detach --drain`: no new offset, and the last translated flow is waited for.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

use super::{and_closed, live};
use crate::{
    dataplane::{Leaving, Translated},
    failure::Failure,
};

/// Time between two looks at the flows while draining.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time between two lines of progress where no terminal shows them.
const TELL_EVERY: Duration = Duration::from_secs(10);

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
pub fn drain(leaving: &mut Leaving, limit: Duration) -> anyhow::Result<Translated> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut ending = Ending::catch()?;
        leaving.set_draining(true)?;
        let drained = wait(leaving, limit, &mut ending).await;
        if drained.is_err() {
            leaving.set_draining(false)?;
        }
        drained
    })
}

/// Signals that end the process.
pub struct Ending {
    interrupt: Signal,
    terminate: Signal,
}

impl Ending {
    /// From here on they are waited for, and end nothing by themselves.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for one of them.
    pub async fn told(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "when interrupted",
            _ = self.terminate.recv() => "when told to end",
        }
    }
}

async fn wait(
    leaving: &mut Leaving,
    limit: Duration,
    ending: &mut Ending,
) -> anyhow::Result<Translated> {
    let began = Instant::now();
    let mut progress = Progress::default();
    loop {
        leaving.keep_known()?;
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
            Next::Wait => progress.tell(&draining(flows, waited, limit), waited),
        }
        tokio::select! {
            () = sleep(LOOK_EVERY.min(limit.saturating_sub(waited))) => {}
            when = ending.told() => return Err(gave_up(flows, when).into()),
        }
    }
}

fn draining(flows: Translated, waited: Duration, limit: Duration) -> String {
    format!(
        "draining: {} left, {} just ended; {} of {} s",
        live(flows),
        flows.just_closed,
        waited.as_secs(),
        limit.as_secs()
    )
}

fn gave_up(flows: Translated, when: &str) -> Failure {
    Failure::new(
        "cannot detach",
        format!("{} left {when}{}", live(flows), and_closed(flows)),
        "it stays attached and translates new connections again; drain longer \
         (isnguard detach --drain=SECONDS), or break them (isnguard detach --force, with --reset to tell \
         both ends)",
    )
}

/// Lines of progress on standard error.
#[derive(Default)]
pub struct Progress {
    told: Option<Duration>,
}

impl Progress {
    /// Over the line before on a terminal, else a line now and then.
    pub fn tell(&mut self, line: &str, waited: Duration) {
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

    /// Leaves the line on a terminal.
    pub fn end(&self) {
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
