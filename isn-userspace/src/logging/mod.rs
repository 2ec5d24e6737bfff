//! The log: a line for each thing that happens, on standard error, where the journal takes it. For people, or an object a line; what
//! comes from outside cannot pretend to be a line of its own, and what repeats does not fill the journal.

mod damper;
mod line;

use std::{
    io::{self, IsTerminal as _},
    sync::OnceLock,
};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _,
    filter::{FilterExt as _, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use self::{damper::Damper, line::Line};
use crate::report::visible;

/// The form of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people; the journal adds the time
    #[default]
    Text,
    /// One object a line, with its time
    Json,
}

/// What is to be logged: a level, or directives such as `isnguard=debug,warn`.
#[derive(Clone, Debug)]
pub struct Wanted(Targets);

impl Wanted {
    /// This program's own lines from a level on, and what libraries warn of: they tell every relocation otherwise.
    #[must_use]
    pub fn from_level(level: LevelFilter) -> Self {
        let own = ["isnguard", "isn_ebpf"].map(|target| (target, level));
        Self(
            Targets::new()
                .with_default(LevelFilter::WARN.min(level))
                .with_targets(own),
        )
    }
}

impl std::str::FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(level) = text.parse() {
            return Ok(Self::from_level(level));
        }
        let parsed: Result<Targets, _> = text.parse();
        parsed.map(Self).map_err(|_| {
            "neither a level (error, warn, info, debug, trace, off) nor directives such as `isnguard=debug,warn`".into()
        })
    }
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Whether whoever reads standard error expects nothing but objects.
#[must_use]
pub fn is_json() -> bool {
    FORMAT.get() == Some(&LogFormat::Json)
}

/// Says what people should know, on standard error: as it is, or as a line of the log where only such are expected.
pub fn say(line: &str) {
    if is_json() {
        tracing::info!("{line}");
    } else {
        eprintln!("{}", visible(line));
    }
}

/// Begins to log: what was asked for, else what the environment says (`RUST_LOG`), else from `usual` on.
pub fn begin(asked: Option<&Wanted>, usual: LevelFilter, format: LogFormat) {
    // There is one log.
    let _ = FORMAT.set(format);
    let environment = std::env::var("RUST_LOG").ok().filter(|it| !it.is_empty());
    let (wanted, complaint) = match (asked, environment.as_deref().map(str::parse)) {
        (Some(asked), _) => (asked.clone(), None),
        (None, Some(Ok(told))) => (told, None),
        (None, Some(Err(why))) => (Wanted::from_level(usual), Some(why)),
        (None, None) => (Wanted::from_level(usual), None),
    };
    let color = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let printed = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(color)
        .event_format(Line::new(format, is_journal()));
    tracing_subscriber::registry()
        .with(printed.with_filter(wanted.0.and(Damper::default())))
        .init();
    if let Some(why) = complaint {
        tracing::warn!("RUST_LOG is left out of account: {why}");
    }
}

/// Whether standard error is the journal (systemd.exec(5), `JOURNAL_STREAM`), which reads a line's priority from its beginning (sd-daemon(3)).
fn is_journal() -> bool {
    let Ok(about) = nix::sys::stat::fstat(io::stderr()) else {
        return false;
    };
    let own = format!("{}:{}", about.st_dev, about.st_ino);
    std::env::var("JOURNAL_STREAM").is_ok_and(|journal| journal == own)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn wants(text: &str, target: &str, level: Level) -> bool {
        text.parse::<Wanted>()
            .unwrap()
            .0
            .would_enable(target, &level)
    }

    #[test]
    fn a_level_is_for_this_program_and_not_for_libraries() {
        assert!(wants("debug", "isnguard::daemon", Level::DEBUG));
        assert!(wants("debug", "isn_ebpf", Level::DEBUG));
        assert!(!wants("debug", "aya::bpf", Level::INFO));
        assert!(wants("debug", "aya::bpf", Level::WARN));
        assert!(!wants("error", "aya::bpf", Level::WARN));
        assert!(!wants("off", "isnguard", Level::ERROR));
    }

    #[test]
    fn directives_are_taken_as_they_are() {
        assert!(wants(
            "isnguard::metrics=trace,hyper=debug",
            "hyper::proto",
            Level::DEBUG
        ));
        assert!(!wants(
            "isnguard::metrics=trace",
            "isnguard::daemon",
            Level::ERROR
        ));
        assert!("isnguard=loud".parse::<Wanted>().is_err());
    }
}
