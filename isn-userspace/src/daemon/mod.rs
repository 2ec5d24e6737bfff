//! The process that stays: it removes entries of ended flows, looks after adopting, and puts
//! back what the interfaces lose. The data plane does not need it to translate, and stays attached when it ends.

mod following;
mod health;
mod interval;
mod log;
mod readable;
mod supervisor;
mod watch;

use std::{sync::Arc, time::Duration};

use aya::Ebpf;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep_until},
};

pub(crate) use self::readable::{Descriptor, Readable, register};
use self::{following::Meaning, health::Looked as Health};
pub use self::{
    following::{Following, Hangups},
    supervisor::Supervisor,
};
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
/// with the interval between sweeps once everything is watched. On SIGHUP, what is followed is taken over again. Metrics are
/// served where `listening` says.
pub fn stay(
    place: &Place,
    _only_one: &Lock,
    object: Ebpf,
    following: Following,
    listening: Option<Listening>,
    ready: impl FnOnce(Duration) -> anyhow::Result<()>,
) -> anyhow::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut daemon = Daemon::new(place, object, following)?;
        let board = Arc::clone(&daemon.board);
        let _server = listening
            .map(|it| Server::start(it, place, board))
            .transpose()?;
        ready(daemon.interval)?;
        daemon.supervisor.ready(&daemon.health.in_words());
        let ended = daemon.run().await;
        daemon.supervisor.stopping(match &ended {
            Ok(Ended::Asked) => "leaving; the data plane stays attached",
            Ok(Ended::Detached) => "leaving; the instance was detached",
            Err(_) => "leaving, since it failed; the data plane stays attached",
        });
        Ok(ended?)
    })
}

struct Daemon {
    instance: Instance,
    upkeep: Upkeep,
    patience: Patience,
    interval: Duration,
    health: health::Health,
    supervisor: Supervisor,
    links: watch::Links,
    pins: watch::Pinned,
    log: log::Log,
    following: Following,
    hangup: Signal,
    board: Arc<Board>,
    keeper: Option<Keeper>,
    interrupt: Signal,
    terminate: Signal,
}

impl Daemon {
    fn new(place: &Place, object: Ebpf, following: Following) -> Result<Self, Failure> {
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
        let supervisor = Supervisor::from_environment();
        let catch = |kind| signal(kind).explain(what, "see `ulimit -a`");
        Ok(Self {
            upkeep: Upkeep::load(&Pins::new(place))?,
            patience: Patience::default(),
            interval: interval::between_sweeps(instance.settings.history),
            health: health::Health::new(place, supervisor.between_signs()),
            supervisor,
            links: watch::Links::open()?,
            pins: watch::Pinned::open(place)?,
            log: log::Log::open(object)?,
            following,
            hangup: catch(SignalKind::hangup())?,
            keeper: keeper(place, &board),
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
                _ = self.hangup.recv() => match self.following.meaning() {
                    Meaning::Reload => self.reload(),
                    Meaning::Leave => return Ok(Ended::Asked),
                },
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
                () = sleep_until(self.health.next_look()) => {
                    match self.health.look() {
                        Health::Detached => return Ok(Ended::Detached),
                        Health::Attached(Some(object)) => self.log = log::Log::open(*object)?,
                        Health::Attached(None) => {}
                    }
                    self.tell_supervisor();
                },
                () = self.log.forward() => {}
            }
        }
    }

    /// Takes the configuration over again, and looks what became of it.
    fn reload(&mut self) {
        self.supervisor.reloading();
        self.following.reload();
        self.supervisor.ready(&self.health.in_words());
        self.health.look_soon();
    }

    /// After a look, so that a process that looks after nothing any more gives no sign of life.
    fn tell_supervisor(&mut self) {
        self.supervisor.status(&self.health.in_words());
        if self.supervisor.sign_is_due() && self.keeper.as_mut().is_none_or(Keeper::is_alive) {
            self.supervisor.alive();
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
