//! The service manager's part: units read as systemd reads them, and the other end of the socket that a service tells it on.

use std::{
    fs,
    io::ErrorKind,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// Where the package puts the program.
const INSTALLED: &str = "/usr/sbin/isnguard";
const LONGEST: usize = 4096;

/// The directory of the units.
#[must_use]
pub fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd")
}

/// The assignments of a unit, in order.
#[derive(Debug)]
pub struct Unit {
    name: String,
    assignments: Vec<(String, String)>,
}

impl Unit {
    /// Reads a unit of the project by its file name.
    pub fn read(name: &str) -> Result<Self> {
        let path = units().join(name);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let lines = text.lines().filter(|line| !line.starts_with(['#', '[']));
        let assignments = lines.filter_map(|line| line.split_once('='));
        Ok(Self {
            name: name.to_owned(),
            assignments: assignments
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        })
    }

    /// Every value of a key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let of_key = move |it: &&(String, String)| it.0 == key;
        self.assignments
            .iter()
            .filter(of_key)
            .map(|it| it.1.as_str())
    }

    /// The words of the one command of a key, for an instance, with another program in place of the installed one.
    pub fn command(&self, key: &str, of: &Instantiated<'_>) -> Result<Vec<String>> {
        let line = self
            .all(key)
            .next()
            .with_context(|| format!("no {key} in {}", self.name))?;
        let line = line
            .trim_start_matches(['-', '+'])
            .replace("%i", of.instance);
        let mut words = Vec::new();
        for word in line.split_whitespace() {
            match word {
                INSTALLED => words.push(of.program.display().to_string()),
                "$ISNGUARD_OPTIONS" => words.extend(of.options.iter().map(|it| (*it).to_owned())),
                _ => words.push(word.to_owned()),
            }
        }
        Ok(words)
    }

    /// The capabilities that its processes can have, in the kernel's words without `CAP_`, small.
    pub fn capabilities(&self) -> Result<Vec<String>> {
        let bound = self.all("CapabilityBoundingSet").next();
        let bound = bound.with_context(|| format!("no bounding set in {}", self.name))?;
        let names = bound.split_whitespace();
        names
            .map(|name| {
                Ok(name
                    .strip_prefix("CAP_")
                    .context("no capability")?
                    .to_lowercase())
            })
            .collect()
    }
}

/// What stands for the variables of a unit.
#[derive(Clone, Copy, Debug)]
pub struct Instantiated<'a> {
    /// `%i`.
    pub instance: &'a str,
    /// In place of the installed program.
    pub program: &'a Path,
    /// `$ISNGUARD_OPTIONS`.
    pub options: &'a [&'a str],
}

/// Who a service tells what it does.
#[derive(Debug)]
pub struct Manager {
    socket: UnixDatagram,
    dir: TempDir,
}

impl Manager {
    /// Begins to listen.
    pub fn listen() -> Result<Self> {
        let dir = TempDir::new()?;
        let socket = UnixDatagram::bind(dir.path().join("notify"))?;
        Ok(Self { socket, dir })
    }

    /// Makes a command one of a service, with a watchdog that bites after this time.
    pub fn supervise(&self, command: &mut Command, watchdog: Option<Duration>) {
        command.env("NOTIFY_SOCKET", self.dir.path().join("notify"));
        if let Some(period) = watchdog {
            command.env("WATCHDOG_USEC", period.as_micros().to_string());
        }
    }

    /// The next message; `None` if none comes within `limit`.
    pub fn next(&self, limit: Duration) -> Result<Option<String>> {
        self.socket.set_read_timeout(Some(limit))?;
        let mut octets = [0; LONGEST];
        match self.socket.recv(&mut octets) {
            Ok(length) => Ok(Some(
                String::from_utf8_lossy(&octets[..length]).into_owned(),
            )),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for a message with this in it; what came before is returned, too.
    pub fn told(&self, what: &str, limit: Duration) -> Result<Vec<String>> {
        let started = Instant::now();
        let mut before = Vec::new();
        while started.elapsed() < limit {
            let Some(message) = self.next(Duration::from_millis(100))? else {
                continue;
            };
            before.push(message);
            if before.last().is_some_and(|it| it.contains(what)) {
                return Ok(before);
            }
        }
        bail!("waited {limit:?} for {what:?}, and was told {before:?}")
    }

    /// Forgets what was told until now.
    pub fn forget(&self) -> Result<()> {
        while self.next(Duration::from_millis(1))?.is_some() {}
        Ok(())
    }
}
