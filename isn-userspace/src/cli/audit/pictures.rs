//! `audit --plot`: which hosts are drawn, and into which files or onto the terminal.

use std::{
    fs,
    io::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
};

use crate::{
    audit::{Findings, rewritten},
    failure::{Explain as _, Failure},
    plot::{in_terminal, picture},
    report::{AuditReport, Style},
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

/// Whether there is a place for the picture, before a large capture is read.
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

/// Draws the worst host, or each that is reported if they were `named`.
pub fn draw(
    file: &Path,
    findings: &Findings,
    report: &mut AuditReport,
    named: bool,
) -> Result<(), Failure> {
    let several = named && report.hosts.len() > 1;
    for line in report.hosts.iter().take(most(named)) {
        let Some(samples) = findings.hosts.get(&line.host) else {
            continue;
        };
        let file = if several {
            of_host(file, line.host)
        } else {
            file.to_owned()
        };
        let after = rewritten(line.advice, line.host, samples);
        picture(&line.host.to_string(), samples, after.as_deref(), &file)?;
        report.pictures.push(file.display().to_string());
    }
    Ok(())
}

/// The same hosts in characters, as wide as standard output.
pub fn show(findings: &Findings, report: &AuditReport, named: bool) -> io::Result<()> {
    let (width, color) = match Style::of_stdout() {
        Style::Terminal { width, color } => (width, color),
        Style::Plain => (80, false),
    };
    let height = width.div_ceil(2).min(TALLEST);
    let mut out = io::stdout().lock();
    for line in report.hosts.iter().take(most(named)) {
        let Some(samples) = findings.hosts.get(&line.host) else {
            continue;
        };
        writeln!(out, "\n{}, as it chooses its numbers:", line.host)?;
        writeln!(out, "{}", in_terminal(samples, width, height, color))?;
        if let Some(after) = rewritten(line.advice, line.host, samples) {
            writeln!(out, "\n{}, in {} mode:", line.host, line.advice.name())?;
            writeln!(out, "{}", in_terminal(&after, width, height, color))?;
        }
    }
    Ok(())
}

/// Rows of a picture in characters, at most.
const TALLEST: u16 = 40;

/// How many hosts are drawn.
const fn most(named: bool) -> usize {
    if named { usize::MAX } else { 1 }
}

/// `worst.svg` becomes `worst-192.0.2.1.svg`, and colons of IPv6 dashes, since they mean something to other programs.
fn of_host(file: &Path, host: IpAddr) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().unwrap_or_default().to_string_lossy();
    let address = host.to_string().replace(':', "-");
    file.with_file_name(format!("{stem}-{address}.{extension}"))
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
        let of = |host: &str| of_host(Path::new("d/w.x.svg"), host.parse().unwrap());
        assert_eq!(of("192.0.2.1"), Path::new("d/w.x-192.0.2.1.svg"));
        assert_eq!(of("2001:db8::1"), Path::new("d/w.x-2001-db8--1.svg"));
    }
}
