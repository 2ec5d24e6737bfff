//! Where a capture comes from: a file or standard input, with a bar for those who wait at a terminal.

use std::{
    fs::File,
    io::{self, ErrorKind, IsTerminal as _, Read},
    path::Path,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::Failure;

/// Octets that take a moment to read.
const LARGE: u64 = 64 << 20;

/// A capture that is open.
pub struct Input {
    /// Its name for messages.
    pub name: String,
    /// Its octets.
    pub reader: Box<dyn Read>,
    /// Follows the reader; hidden where nobody waits.
    pub progress: ProgressBar,
}

impl Input {
    /// Opens a file, or standard input for `-`.
    pub fn open(file: &Path) -> Result<Self, Failure> {
        if file == Path::new("-") {
            return Self::standard();
        }
        let name = file.display().to_string();
        let opened = File::open(file).and_then(|open| Ok((open.metadata()?, open)));
        let (about, open) = opened.map_err(|error| unreadable(&name, &error))?;
        if about.is_dir() {
            return Err(Failure::new(
                cannot(&name),
                "it is a directory",
                "name a capture file, such as `tcpdump -w FILE` writes",
            ));
        }
        let large = about.is_file() && about.len() >= LARGE;
        let progress = if large {
            bar(about.len())
        } else {
            ProgressBar::hidden()
        };
        Ok(Self {
            name,
            reader: Box::new(progress.wrap_read(open)),
            progress,
        })
    }

    fn standard() -> Result<Self, Failure> {
        let name = "standard input";
        if io::stdin().is_terminal() {
            return Err(Failure::new(
                cannot(name),
                "it is a terminal",
                "pipe a capture into it: zcat FILE | isnguard audit -",
            ));
        }
        Ok(Self {
            name: name.into(),
            reader: Box::new(io::stdin().lock()),
            progress: ProgressBar::hidden(),
        })
    }
}

/// On standard error, and not if that is no terminal.
fn bar(octets: u64) -> ProgressBar {
    let shape = "{bar:30} {percent:>3}%  {bytes} of {total_bytes}, {eta} left";
    let style =
        ProgressStyle::with_template(shape).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(octets).with_style(style)
}

/// What was tried, for messages.
pub fn cannot(name: &str) -> String {
    format!("cannot audit {name}")
}

/// Why a file cannot be opened or read, and what to do.
pub fn unreadable(name: &str, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        ErrorKind::NotFound => "look for it with ls; `tcpdump -w FILE` writes one",
        ErrorKind::PermissionDenied => {
            "let its owner make it readable (chmod o+r), or run this as its owner"
        }
        _ => "copy it to a local disk and try again",
    };
    Failure::new(cannot(name), error, remedy)
}
