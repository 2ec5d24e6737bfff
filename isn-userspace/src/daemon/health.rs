//! When the process that stays looks at what is attached, and what it tells of it: each thing once.

use std::{
    collections::BTreeSet, fs, os::unix::fs::MetadataExt as _, path::PathBuf, time::Duration,
};

use aya::Ebpf;
use tokio::time::Instant;

use crate::{
    dataplane::{self, Pins, Seen},
    settings::Place,
};

/// The kernel tells of nobody who detaches a link: this is how long it may go unnoticed.
const WITHOUT_EVENTS: Duration = Duration::from_secs(5);
/// Between two looks, however much happens.
const PAUSE: Duration = Duration::from_millis(200);
/// Between two attempts that fail: an attempt is an event itself.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What a look found.
pub enum Looked {
    /// The instance is no more, or another one is in its place.
    Detached,
    /// It is there; the object of programs that were put back.
    Attached(Option<Box<Ebpf>>),
}

/// The health of the instance as far as it was told.
pub struct Health {
    place: Place,
    home: PathBuf,
    identity: Option<u64>,
    last: Instant,
    next: Instant,
    between: Duration,
    pause: Duration,
    failures: BTreeSet<String>,
    gone: BTreeSet<String>,
}

impl Health {
    /// Nothing is told yet, and a look is due; then one in five seconds at least, or as often as asked for.
    pub fn new(place: &Place, at_least: Option<Duration>) -> Self {
        let home = Pins::new(place).home;
        let now = Instant::now();
        Self {
            place: place.clone(),
            identity: inode(&home),
            home,
            last: now,
            next: now,
            between: at_least.map_or(WITHOUT_EVENTS, |it| it.clamp(PAUSE, WITHOUT_EVENTS)),
            pause: PAUSE,
            failures: BTreeSet::new(),
            gone: BTreeSet::new(),
        }
    }

    /// When to look next.
    pub const fn next_look(&self) -> Instant {
        self.next
    }

    /// Something has happened: looks at once, unless it has just looked.
    pub fn look_soon(&mut self) {
        self.next = self.next.min(self.last + self.pause);
    }

    /// Looks, puts right, tells.
    pub fn look(&mut self) -> Looked {
        let found = if inode(&self.home) == self.identity {
            dataplane::heal(&self.place)
        } else {
            Ok(dataplane::Looked::Detached)
        };
        self.last = Instant::now();
        self.next = self.last + self.between;
        let seen = match found {
            Ok(dataplane::Looked::Detached) => return Looked::Detached,
            Ok(dataplane::Looked::Busy) => {
                self.next = self.last + PAUSE_AFTER_FAILURE;
                return Looked::Attached(None);
            }
            Ok(dataplane::Looked::Seen(seen)) => seen,
            Err(failure) => Seen {
                failures: vec![failure],
                ..Seen::default()
            },
        };
        self.tell(&seen);
        Looked::Attached(seen.object.map(Box::new))
    }

    /// How it stands, on one line.
    pub fn in_words(&self) -> String {
        let gone = self
            .gone
            .iter()
            .map(|name| format!("interface `{name}` is gone"));
        let problems: Vec<String> = self.failures.iter().cloned().chain(gone).collect();
        if problems.is_empty() {
            return "attached, and as it should be".into();
        }
        format!("not as it should be: {}", problems.join("; "))
    }

    fn tell(&mut self, seen: &Seen) {
        for line in &seen.done {
            tracing::info!("{line}");
        }
        let gone: BTreeSet<String> = seen.gone.iter().cloned().collect();
        for name in gone.difference(&self.gone) {
            tracing::warn!(
                "interface `{name}` is gone, and with it what guarded the hosts behind it; once it is \
                 back, it is attached to again"
            );
        }
        let failures: BTreeSet<String> = seen
            .failures
            .iter()
            .map(|failure| format!("{failure}; {}", failure.remedy()))
            .collect();
        for line in failures.difference(&self.failures) {
            tracing::warn!("{line}");
        }
        if failures.is_empty() && !self.failures.is_empty() {
            tracing::info!("what could not be put right is right again");
        }
        self.pause = if failures.is_empty() {
            PAUSE
        } else {
            PAUSE_AFTER_FAILURE
        };
        (self.gone, self.failures) = (gone, failures);
    }
}

/// Tells a directory from another one of its name.
fn inode(dir: &std::path::Path) -> Option<u64> {
    fs::symlink_metadata(dir)
        .ok()
        .map(|metadata| metadata.ino())
}
