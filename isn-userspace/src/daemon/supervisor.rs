//! What the service manager is told (`sd_notify(3)`): that everything is attached and read back, how it stands, that the process
//! is at work, that it reloads, that it leaves. Nothing where there is none.

use std::{env, time::Duration};

use sd_notify::NotifyState;
use tokio::time::Instant;

/// Between two signs of life, as a part of the time after which the watchdog bites.
const SIGNS_IN_A_PERIOD: u32 = 3;

/// The service manager, if this process is a service.
#[derive(Debug)]
pub struct Supervisor {
    listens: bool,
    between: Option<Duration>,
    last: Option<Instant>,
    status: String,
}

impl Supervisor {
    /// As `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` say.
    #[must_use]
    pub fn from_environment() -> Self {
        Self {
            listens: env::var_os("NOTIFY_SOCKET").is_some(),
            between: sd_notify::watchdog_enabled().map(|period| period / SIGNS_IN_A_PERIOD),
            last: None,
            status: String::new(),
        }
    }

    /// How often a sign of life is due; `None` if nobody waits for any.
    #[must_use]
    pub const fn between_signs(&self) -> Option<Duration> {
        self.between
    }

    /// It is attached, read back, and looked after.
    pub fn ready(&mut self, status: &str) {
        status.clone_into(&mut self.status);
        self.tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// How it stands; told when that has changed.
    pub fn status(&mut self, status: &str) {
        if self.status != status {
            status.clone_into(&mut self.status);
            self.tell(&[NotifyState::Status(status)]);
        }
    }

    /// Whether a sign of life is due.
    #[must_use]
    pub fn sign_is_due(&self) -> bool {
        let since = |last: Instant| Some(last.elapsed()) >= self.between;
        self.between.is_some() && self.last.is_none_or(since)
    }

    /// A sign of life. Only for work that was done: a process that hangs must not give any.
    pub fn alive(&mut self) {
        self.last = Some(Instant::now());
        self.tell(&[NotifyState::Watchdog]);
    }

    /// The configuration is being read again; [`Supervisor::ready`] says when that is over.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(_) => self.tell(&[NotifyState::Reloading]),
        }
    }

    /// It leaves, and what stays is attached or not.
    pub fn stopping(&self, status: &str) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    fn tell(&self, what: &[NotifyState<'_>]) {
        if !self.listens {
            return;
        }
        if let Err(error) = sd_notify::notify(what) {
            tracing::warn!("the service manager cannot be told: {error}");
        }
    }
}
