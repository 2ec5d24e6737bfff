//! Following a configuration file: on SIGHUP it is read again and taken over as a whole, or not at all. Whatever is wrong with it,
//! what applied before goes on, and `status` and metrics tell.

use std::{io::IsTerminal as _, net::SocketAddr};

use nix::sys::signal::{SigSet, Signal};

use crate::{
    config::{Given, LastReload, Loaded, Source},
    dataplane::{self, Doing, Reconfigured},
    failure::{Explain as _, Failure},
    settings::Place,
};

/// SIGHUP waits until it can be obeyed.
#[derive(Debug)]
pub struct Hangups(SigSet);

impl Hangups {
    /// From here until they are released.
    pub fn hold() -> Result<Self, Failure> {
        let hangup: SigSet = [Signal::SIGHUP].into_iter().collect();
        let held = hangup.thread_block().map(|()| Self(hangup));
        held.explain(
            "cannot hold signals back",
            "this should not happen; try again",
        )
    }

    /// One that came meanwhile is delivered now.
    pub fn release(&self) -> Result<(), Failure> {
        let released = self.0.thread_unblock();
        released.explain("cannot take signals", "this should not happen; try again")
    }
}

/// What SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The file is to be read again.
    Reload,
    /// The terminal that this was begun at is gone.
    Leave,
}

/// What this process follows.
#[derive(Debug)]
pub struct Following {
    source: Source,
    place: Place,
    /// Where metrics are served.
    metrics: Vec<SocketAddr>,
    at_terminal: bool,
}

impl Following {
    /// Begins to follow what was attached just now, and notes that.
    pub fn begin(source: Source, place: &Place, given: &Given) -> Result<Self, Failure> {
        let following = Self {
            source,
            place: place.clone(),
            metrics: addresses(given),
            at_terminal: std::io::stdin().is_terminal(),
        };
        match following.source.file {
            Some(_) => following.note(Ok("attached".into()))?,
            None => LastReload::note_attached(place, None)?,
        }
        Ok(following)
    }

    /// A terminal that hangs up is no longer one.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        if self.at_terminal && !std::io::stdin().is_terminal() {
            Meaning::Leave
        } else {
            Meaning::Reload
        }
    }

    /// Reads the file again and takes it over, and tells what came of it.
    pub fn reload(&self) {
        let Some(file) = &self.source.file else {
            tracing::warn!(
                "nothing to reload: this process was begun without a configuration file (--config FILE)"
            );
            return;
        };
        let ended = self.take_over();
        match &ended {
            Ok(done) => {
                tracing::info!("reloaded {}: {}", file.display(), done.in_one_line());
                for warning in &done.warnings {
                    tracing::warn!("{warning}");
                }
            }
            Err(failure) => tracing::error!(
                "{} was not taken over, and what was configured before goes on: {failure}; {}",
                file.display(),
                failure.remedy()
            ),
        }
        let told = ended
            .map(|done| done.in_one_line())
            .map_err(|failure| format!("{failure}; {}", failure.remedy()));
        if let Err(failure) = self.note(told) {
            tracing::warn!("{failure}; {}", failure.remedy());
        }
    }

    fn take_over(&self) -> Result<Reconfigured, Failure> {
        let loaded = self.source.load()?;
        self.check(&loaded)?;
        let done = dataplane::reconfigure(&loaded.request, Doing::Change)?;
        done.ok_or_else(|| {
            Failure::new(
                "cannot take it over",
                "the instance was detached meanwhile",
                "attach again",
            )
        })
    }

    /// Refuses what only another process could do.
    fn check(&self, loaded: &Loaded) -> Result<(), Failure> {
        let place = &loaded.request.place;
        if place.instance != self.place.instance || place.bpffs != self.place.bpffs {
            return Err(Failure::new(
                "cannot change the instance of a process that runs",
                format!(
                    "the file names instance `{}` in {}, and this process stays with `{}` in {}",
                    place.instance,
                    place.bpffs.display(),
                    self.place.instance,
                    self.place.bpffs.display()
                ),
                "put it back; for another instance write another file, and run it beside this one",
            ));
        }
        let metrics = addresses(&loaded.given);
        if metrics != self.metrics {
            return Err(Failure::new(
                "cannot change where a process that runs serves metrics",
                format!(
                    "it is {}, and this process has {}",
                    shown(&metrics),
                    shown(&self.metrics)
                ),
                "put it back, or restart `isnguard run`: the data plane stays attached meanwhile",
            ));
        }
        Ok(())
    }

    fn note(&self, ended: Result<String, String>) -> Result<(), Failure> {
        let Some(file) = &self.source.file else {
            return Ok(());
        };
        LastReload::now(file, Some(std::process::id()), ended).note(&self.place)
    }
}

fn addresses(given: &Given) -> Vec<SocketAddr> {
    given.metrics.iter().map(|it| it.value).collect()
}

fn shown(addresses: &[SocketAddr]) -> String {
    if addresses.is_empty() {
        return "off".into();
    }
    let each: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    each.join(", ")
}
