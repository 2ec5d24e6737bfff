//! The process that stays: it removes entries of ended flows, looks after adopting, and puts
//! back what the interfaces lose. The data plane does not need it to translate, and stays attached when it ends.

mod health;
mod interval;
mod log;
mod readable;
mod watch;

use std::{sync::Arc, time::Duration};

use aya::Ebpf;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep_until},
};

use self::health::Looked as Health;
pub(crate) use self::readable::{Descriptor, Readable, register};
use crate::{
    dataplane::{Instance, Lock, Patience, Pins, Upkeep},
    failure::{Explain as _, Failure},
    hosts::Keeper,
    metrics::{Board, Listening, Server},
    settings::Place,
};

/// Why the process no longer stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to go; the data plane stays attached.
    Asked,
    /// The instance was detached by another process.
    Detached,
}

/// Stays with an instance until it is asked to go or the instance is detached. `ready` is called
/// with the interval between sweeps once everything is watched. Metrics are served where `listening` says.
pub fn stay(
    place: &Place,
    _only_one: &Lock,
    object: Ebpf,
    listening: Option<Listening>,
    ready: impl FnOnce(Duration) -> anyhow::Result<()>,
) -> anyhow::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut daemon = Daemon::new(place, object)?;
        let board = Arc::clone(&daemon.board);
        let _server = listening
            .map(|it| Server::start(it, place, board))
            .transpose()?;
        ready(daemon.interval)?;
        Ok(daemon.run().await?)
    })
}

struct Daemon {
    instance: Instance,
    upkeep: Upkeep,
    patience: Patience,
    interval: Duration,
    health: health::Health,
    links: watch::Links,
    pins: watch::Pinned,
    log: log::Log,
    board: Arc<Board>,
    _keeper: Option<Keeper>,
    interrupt: Signal,
    terminate: Signal,
}

impl Daemon {
    fn new(place: &Place, object: Ebpf) -> Result<Self, Failure> {
        let instance = Instance::open(place)?.ok_or_else(|| {
            Failure::new(
                "cannot stay",
                "the instance was detached meanwhile",
                "attach again",
            )
        })?;
        let board = Arc::<Board>::default();
        board.rewrites.follow(&instance.maps.policy()?);
        let what = "cannot watch for signals";
        let catch = |kind| signal(kind).explain(what, "see `ulimit -a`");
        Ok(Self {
            upkeep: Upkeep::load(&Pins::new(place))?,
            patience: Patience::default(),
            interval: interval::between_sweeps(instance.settings.history),
            health: health::Health::new(place),
            links: watch::Links::open()?,
            pins: watch::Pinned::open(place)?,
            log: log::Log::open(object)?,
            _keeper: keeper(place, &board),
            board,
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            instance,
        })
    }

    async fn run(&mut self) -> Result<Ended, Failure> {
        let mut next = Instant::now();
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return Ok(Ended::Asked),
                _ = self.terminate.recv() => return Ok(Ended::Asked),
                () = sleep_until(next) => {
                    self.sweep();
                    next = Instant::now() + self.interval;
                }
                changed = self.links.changed() => {
                    changed?;
                    self.health.look_soon();
                }
                changed = self.pins.changed() => {
                    changed?;
                    self.health.look_soon();
                }
                () = sleep_until(self.health.next_look()) => match self.health.look() {
                    Health::Detached => return Ok(Ended::Detached),
                    Health::Attached(Some(object)) => self.log = log::Log::open(*object)?,
                    Health::Attached(None) => {}
                },
                () = self.log.forward() => {}
            }
        }
    }

    /// A sweep that fails is tried again after the interval: nothing depends on its being on time.
    fn sweep(&mut self) {
        let maps = &self.instance.maps;
        let begun = Instant::now();
        let swept = maps.settings().and_then(|settings| {
            self.interval = interval::between_sweeps(settings.history);
            self.upkeep.sweep(maps)
        });
        match swept {
            Ok((swept, census)) => {
                self.board.swept(census, begun.elapsed(), self.interval);
                tracing::debug!(
                    "swept {} translated flows, {} half-open ones, {} of the history",
                    swept.translated,
                    swept.half_open,
                    swept.history
                );
            }
            Err(failure) => {
                self.board.sweep_failed();
                tracing::warn!("{failure}; {}", failure.remedy());
            }
        }
        self.look_after_adopting();
    }

    fn look_after_adopting(&mut self) {
        match self.patience.look(&mut self.instance, &mut self.upkeep) {
            Ok(waited) if waited.without_room > 0 => tracing::warn!(
                "{} segments of connections that could not be adopted, since the table of translated flows has no room{}",
                waited.without_room,
                if waited.extended {
                    "; adopting goes on for three hours more at least"
                } else {
                    ""
                }
            ),
            Ok(waited) => tracing::debug!("kept {} flows of the key before", waited.pinned.done),
            Err(failure) => tracing::warn!("{failure}; {}", failure.remedy()),
        }
    }
}

/// Begins to keep samples of hosts. Translating needs none, so the process stays without.
fn keeper(place: &Place, board: &Board) -> Option<Keeper> {
    let begun = Keeper::start(place, Arc::clone(&board.rewrites));
    begun
        .inspect_err(|failure| {
            tracing::warn!(
                "`isnguard hosts` is not answered: {failure}; {}",
                failure.remedy()
            );
        })
        .ok()
}
