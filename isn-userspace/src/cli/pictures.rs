//! `--plot` of `audit` and `hosts`: into which files hosts are drawn, or onto the terminal.

use std::{
    borrow::Cow,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    failure::{Explain as _, Failure},
    grading::Sample,
    plot::{in_terminal, picture},
    report::Style,
};

/// Where pictures go.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// Into this file, or into files named after it.
    File(PathBuf),
    /// Onto standard output.
    Here,
}

/// The name of a picture says what it is.
pub fn name(text: &str) -> Result<Place, String> {
    if text == "-" {
        return Ok(Place::Here);
    }
    let file = PathBuf::from(text);
    let extension = file.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    if extension.is_some_and(|name| name == "svg" || name == "png") {
        Ok(Place::File(file))
    } else {
        Err("pictures are .svg or .png, or `-` for one of characters".into())
    }
}

/// Whether there is a place for the picture, before the work is done.
pub fn ensure_place(file: &Path) -> Result<(), Failure> {
    let directory = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let about = fs::metadata(directory).and_then(|about| {
        let found = about.is_dir().then_some(());
        found.ok_or_else(|| io::ErrorKind::NotADirectory.into())
    });
    about.explain(
        format!("cannot draw {}", file.display()),
        format!(
            "name a file in a directory that is there, or make {}",
            directory.display()
        ),
    )
}

/// A host to be drawn.
pub struct Subject<'a> {
    /// What it is called: its address, and its VLAN where it has one.
    pub name: String,
    /// What it chose, in order of time.
    pub before: Cow<'a, [Sample]>,
    /// What left instead, or would.
    pub after: Option<Vec<Sample>>,
    /// What that is, in words.
    pub after_is: String,
}

/// Draws each host, into files of their own if there are `several`; the names of those that were drawn, and what went wrong.
pub fn draw<'a>(
    file: &Path,
    subjects: impl Iterator<Item = Subject<'a>>,
    several: bool,
) -> (Vec<String>, Result<(), Failure>) {
    let mut drawn = Vec::new();
    for subject in subjects {
        let file = if several {
            of_host(file, &subject.name)
        } else {
            file.to_owned()
        };
        let done = picture(
            &subject.name,
            &subject.before,
            subject.after.as_deref(),
            &file,
        );
        if let Err(failure) = done {
            return (drawn, Err(failure));
        }
        drawn.push(file.display().to_string());
    }
    (drawn, Ok(()))
}

/// Draws them in characters, as wide as standard output.
pub fn show<'a>(subjects: impl Iterator<Item = Subject<'a>>) -> io::Result<()> {
    let (width, color) = match Style::of_stdout() {
        Style::Terminal { width, color } => (width, color),
        Style::Plain => (80, false),
    };
    let height = width.div_ceil(2).min(TALLEST);
    let mut out = io::stdout().lock();
    for subject in subjects {
        writeln!(out, "\n{}, as it chooses its numbers:", subject.name)?;
        let before = in_terminal(&subject.before, width, height, color);
        writeln!(out, "{before}")?;
        if let Some(after) = subject.after {
            writeln!(out, "\n{}, {}:", subject.name, subject.after_is)?;
            writeln!(out, "{}", in_terminal(&after, width, height, color))?;
        }
    }
    Ok(())
}

/// Rows of a picture in characters, at most.
const TALLEST: u16 = 40;

/// How many hosts are drawn: the worst, or all that were `named`.
#[must_use]
pub const fn most(named: bool) -> usize {
    if named { usize::MAX } else { 1 }
}

/// `worst.svg` becomes `worst-192.0.2.1.svg`. Colons of IPv6 become dashes, since they mean something to other programs, and so
/// does everything else but letters, digits and dots.
fn of_host(file: &Path, name: &str) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().unwrap_or_default().to_string_lossy();
    let plain = |letter: char| letter == '.' || letter.is_ascii_alphanumeric();
    let name = name.replace(|letter| !plain(letter), "-");
    file.with_file_name(format!("{stem}-{name}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_have_names() {
        assert!(name("a.svg").is_ok() && name("dir/a.PNG").is_ok());
        assert!(name("a.jpg").is_err() && name("svg").is_err());
        assert_eq!(name("-"), Ok(Place::Here));
    }

    #[test]
    fn each_of_several_hosts_has_a_file_of_its_own() {
        let of = |host: &str| of_host(Path::new("d/w.x.svg"), host);
        assert_eq!(of("192.0.2.1"), Path::new("d/w.x-192.0.2.1.svg"));
        assert_eq!(of("2001:db8::1"), Path::new("d/w.x-2001-db8--1.svg"));
        assert_eq!(
            of("192.0.2.1 in VLAN 7"),
            Path::new("d/w.x-192.0.2.1-in-VLAN-7.svg")
        );
    }
}
