//! `detach --force --reset`: both ends of every live translated flow are reset before the programs go.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use isn_common::tcp::seq::Seq;
use tokio::time::sleep;

use super::drain::{Ending, Progress};
use crate::{
    dataplane::{Flow, Leaving, Resetter},
    failure::Failure,
    report::counted,
};

/// Longest time until the last flow is closed and silent.
const LIMIT: Duration = Duration::from_secs(10);
/// Time between two rounds of resets.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// After so many rounds in which no number of any flow moved, the last resets had the right ones.
const SILENT_ROUNDS: u32 = 3;

/// What became of the flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resets {
    /// Those that were closed by it.
    pub reset: usize,
    /// Those that live on, without translation from now on.
    pub left: usize,
}

/// Resets every live translated flow; no new offset is made meanwhile. When this process is told to
/// end, the data plane goes on as before.
pub fn reset(leaving: &mut Leaving) -> anyhow::Result<Resets> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut ending = Ending::catch()?;
        let resetter = leaving.resetter()?;
        leaving.set_draining(true)?;
        let ended = until_silent(leaving, &resetter, &mut ending).await;
        if ended.is_err() {
            leaving.set_draining(false)?;
        }
        ended
    })
}

async fn until_silent(
    leaving: &Leaving,
    resetter: &Resetter,
    ending: &mut Ending,
) -> anyhow::Result<Resets> {
    let began = Instant::now();
    let mut progress = Progress::default();
    let mut rounds = Rounds::default();
    loop {
        let resets = rounds.next(&leaving.flows()?, resetter);
        let waited = began.elapsed();
        if rounds.are_over(resets) || waited >= LIMIT {
            progress.end();
            return Ok(resets);
        }
        progress.tell(&told(resets, waited), waited);
        tokio::select! {
            () = sleep(AGAIN_AFTER) => {}
            when = ending.told() => {
                progress.end();
                return Err(broken_off(resets, when).into());
            }
        }
    }
}

/// Rounds of resets. An end whose segments were under way expects another number by the time its reset
/// comes and ignores it, so every flow that lived gets resets until its numbers rest. An end that is
/// closed already does not answer them.
#[derive(Default)]
struct Rounds {
    /// Identity of each flow that lived: a later connection of the same ends is left alone.
    lived: BTreeMap<End, u64>,
    numbers: BTreeMap<End, (Seq, Seq)>,
    silent: u32,
}

impl Rounds {
    fn next(&mut self, flows: &[(Flow, bool)], resetter: &Resetter) -> Resets {
        for (flow, _) in flows.iter().filter(|(_, lives)| *lives) {
            self.lived.entry(end(flow)).or_insert(flow.record.identity);
        }
        let same = |flow: &Flow| self.lived.get(&end(flow)) == Some(&flow.record.identity);
        let (mut left, mut numbers) = (0, BTreeMap::new());
        for (flow, lives) in flows.iter().filter(|(flow, _)| same(flow)) {
            left += usize::from(*lives);
            numbers.insert(
                end(flow),
                (flow.record.high_water(), flow.record.peer_next()),
            );
            if let Err(error) = resetter.reset(flow) {
                tracing::debug!(
                    "no way to an end of {}:{}: {error}",
                    flow.host,
                    flow.host_port
                );
            }
        }
        self.silent = if numbers == self.numbers {
            self.silent + 1
        } else {
            0
        };
        self.numbers = numbers;
        Resets {
            reset: self.lived.len().saturating_sub(left),
            left,
        }
    }

    fn are_over(&self, resets: Resets) -> bool {
        resets.left == 0 && (self.lived.is_empty() || self.silent >= SILENT_ROUNDS)
    }
}

/// What tells flows apart.
type End = (SocketAddr, SocketAddr, u32);

fn end(flow: &Flow) -> End {
    (
        SocketAddr::new(flow.host, flow.host_port),
        SocketAddr::new(flow.peer, flow.peer_port),
        flow.vlan.0,
    )
}

fn told(resets: Resets, waited: Duration) -> String {
    format!(
        "resetting: {} closed, {} left; {} of {} s",
        counted(resets.reset, "translated connection"),
        resets.left,
        waited.as_secs(),
        LIMIT.as_secs()
    )
}

fn broken_off(resets: Resets, when: &str) -> Failure {
    Failure::new(
        "cannot detach",
        format!(
            "{} left {when}, and {} reset already",
            counted(resets.left, "live translated connection"),
            resets.reset
        ),
        "it stays attached and translates new connections again; run it again to go on",
    )
}
