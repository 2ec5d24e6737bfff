//! `dist`: the Debian package and the static tarball, with checksums. The same sources, compiler and `SOURCE_DATE_EPOCH` give the
//! same octets.

mod deb;
mod program;
mod tarball;
mod tree;

use std::{env, fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};

use self::{program::Program, tree::Tree};
use super::setup;
use crate::{cli::Dist, command::CommandLine, plan::Purpose, shell::Shell};

/// What everything that is made has in common.
struct Release<'a> {
    shell: &'a Shell,
    version: String,
    /// Seconds since 1970 that every file is said to be of.
    epoch: String,
    out: PathBuf,
}

/// Builds the programs, unless one was given, and packs them.
pub fn perform(shell: &Shell, dist: &Dist) -> Result<()> {
    setup::make_ready(shell, Purpose::Package)?;
    let out = dist
        .out
        .clone()
        .unwrap_or_else(|| shell.target().join("dist"));
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let release = Release {
        shell,
        version: dist
            .version
            .clone()
            .unwrap_or_else(|| env!("CARGO_PKG_VERSION").into()),
        epoch: epoch(shell)?,
        out: out.canonicalize()?,
    };
    let mut made = Vec::new();
    if let Some(path) = &dist.program {
        let program = Program::given(shell, path)?;
        made.push(deb::build(&release, &program)?);
    } else {
        made.push(deb::build(&release, &Program::dynamic(shell)?)?);
        made.push(tarball::build(&release, &Program::portable(shell)?)?);
    }
    sums(&release, &made)?;
    for name in &made {
        println!("{}", release.out.join(name).display());
    }
    Ok(())
}

/// The time of the last commit, unless somebody says another.
fn epoch(shell: &Shell) -> Result<String> {
    if let Ok(given) = env::var("SOURCE_DATE_EPOCH") {
        given
            .parse::<u64>()
            .with_context(|| format!("SOURCE_DATE_EPOCH is no number of seconds: {given}"))?;
        return Ok(given);
    }
    let asked = shell.ask(&CommandLine::words("git log -1 --format=%ct"));
    match asked.filter(|it| !it.is_empty()) {
        Some(seconds) => Ok(seconds),
        None => bail!(
            "this is no git repository with a commit, so there is no time to give the files: set SOURCE_DATE_EPOCH to \
             seconds since 1970"
        ),
    }
}

/// SHA256SUMS, as sha256sum reads it.
fn sums(release: &Release<'_>, names: &[String]) -> Result<()> {
    let line = CommandLine::words("sha256sum")
        .args(names)
        .within(&release.out);
    let Some(printed) = release.shell.ask(&line) else {
        bail!("`{line}` failed");
    };
    let file = release.out.join("SHA256SUMS");
    fs::write(&file, printed + "\n").with_context(|| format!("cannot write {}", file.display()))
}

/// What both have: pages, completions, units, examples, documents; each where `place` says.
fn furnish(release: &Release<'_>, program: &Program, tree: &Tree, place: &Places) -> Result<()> {
    let shell = release.shell;
    let source = shell.workspace();
    tree.copy(program.path(), place.program, 0o755)?;
    release
        .shell
        .run_quietly(&Program::strip(&tree.path(place.program)))?;
    program.print(
        shell,
        &["man", "--out", &tree.path(place.man).to_string_lossy()],
    )?;
    for (which, name) in place.completions {
        let script = program.print(shell, &["completions", which])?;
        tree.write(name, &script, 0o644)?;
    }
    tree.copy_all(&source.join("packaging/systemd"), "service", place.units)?;
    for (dashboards, kind) in [("grafana", "json"), ("prometheus", "yml")] {
        let from = source.join("packaging").join(dashboards);
        tree.copy_all(&from, kind, &format!("{}/{dashboards}", place.share))?;
    }
    tree.copy_all(
        &source.join("packaging/systemd"),
        "conf",
        &format!("{}/examples", place.doc),
    )?;
    tree.copy_all(&source.join("docs"), "md", place.doc)?;
    tree.copy_all(source, "md", place.doc)?;
    tree.make(place.configuration)?;
    tree.copy_all(&source.join("packaging"), "toml", place.configuration)?;
    tree.copy(
        &source.join("packaging/isnguard.default"),
        place.options,
        0o644,
    )
}

/// Where what goes, below the root of a tree.
struct Places {
    program: &'static str,
    man: &'static str,
    completions: [(&'static str, &'static str); 3],
    units: &'static str,
    share: &'static str,
    doc: &'static str,
    configuration: &'static str,
    options: &'static str,
}
