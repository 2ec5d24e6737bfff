//! Pins that somebody else has made or changed are trusted by no verb; a forced detach removes them, and nothing beyond them (S19).

use std::{
    fs::{self, DirBuilder, Permissions},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown, symlink},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    namespace::Namespace,
    process,
    setup::{Hook, Placement, Setup},
    topology::{INSIDE_IF, Lab, LabOptions, OUTSIDE_IF},
    wait,
};

use super::{
    FAILED, PATIENCE, ensure_refused,
    footprint::{Footprint, below, xdp_programs},
};

/// A user who is neither root nor anybody.
const STRANGER: u32 = 65_534;

const VERBS: [&str; 9] = [
    "status",
    "status --json",
    "stats",
    "flows",
    "attach",
    "attach --inside inside0",
    "run",
    "detach",
    "detach --drain=1",
];

/// What is done to the directory of an instance; the second is that of another instance. Both are of the same gateway.
type Deed = fn(&Path, &Path, &Namespace) -> Result<()>;

/// A deed, and words that every refusal after it says.
type Case = (Deed, &'static [&'static str]);

fn link(home: &Path, end: &str) -> Result<PathBuf> {
    let mut pins = below(&home.join("links"))?.into_iter();
    let is_it = |pin: &PathBuf| pin.to_string_lossy().ends_with(end);
    pins.find(is_it)
        .with_context(|| format!("no link {end} in {}", home.display()))
}

fn exchange(one: &Path, other: &Path) -> Result<()> {
    let aside = one.with_file_name("aside");
    fs::rename(one, &aside)?;
    fs::rename(other, one)?;
    Ok(fs::rename(&aside, other)?)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs::set_permissions(path, Permissions::from_mode(mode))?)
}

const CASES: [Case; 13] = [
    (
        |home, _, _| Ok(chown(home, Some(STRANGER), None)?),
        &["belongs to user 65534", "runs as user 0"],
    ),
    (|home, _, _| set_mode(home, 0o755), &["its mode is 0755"]),
    (
        |home, _, _| set_mode(&home.join("links"), 0o707),
        &["links", "its mode is 0707"],
    ),
    (
        |home, _, _| Ok(chown(home.join("notes"), Some(STRANGER), None)?),
        &["notes", "belongs to user 65534"],
    ),
    (
        |home, _, _| Ok(chown(home.join("SETTINGS"), Some(STRANGER), None)?),
        &["SETTINGS", "belongs to user 65534"],
    ),
    (
        |home, _, _| set_mode(&home.join("COUNTERS"), 0o660),
        &["COUNTERS", "its mode is 0660"],
    ),
    (
        |home, _, _| Ok(chown(link(home, "tcx_egress")?, Some(STRANGER), None)?),
        &["tcx_egress", "belongs to user 65534"],
    ),
    // Of the same type, and with another name.
    (
        |home, _, _| exchange(&home.join("TRANSLATED_V4"), &home.join("TRANSLATED_V6")),
        &["TRANSLATED_V4", "a map called `TRANSLATED_V6`"],
    ),
    (
        |home, _, _| exchange(&home.join("SETTINGS"), &link(home, "_xdp")?),
        &["SETTINGS", "a link of type xdp, no map"],
    ),
    // All of the right shape, and not what the programs work on.
    (
        |home, other, _| {
            for map in below(other)?.iter().filter(|path| path.is_file()) {
                let name = map.file_name().context("no name")?;
                if map.parent() == Some(other) {
                    exchange(map, &home.join(name))?;
                }
            }
            Ok(())
        },
        &["works on the maps of another instance"],
    ),
    (
        |home, other, _| exchange(&link(home, "tcx_egress")?, &link(other, "tcx_egress")?),
        &["a link on interface"],
    ),
    (
        |home, _, _| exchange(&link(home, "tcx_egress")?, &link(home, "_xdp")?),
        &["a link of type `"],
    ),
    (
        |home, _, gateway| {
            let pin = link(home, "_xdp")?;
            fs::remove_file(&pin)?;
            // The kernel takes the program off a little later.
            wait::until(PATIENCE, "the program to go", || {
                Ok(xdp_programs(gateway)?.is_empty().then_some(()))
            })?;
            Ok(fs::rename(home.join("SWEPT"), pin)?)
        },
        &["holds a map, which its name does not say"],
    ),
];

fn is_gone(lab: &Lab, isnguard: &Isnguard) -> Result<()> {
    let mut left = None;
    let gone = wait::until(PATIENCE, "the programs to leave the interfaces", || {
        left = Footprint::of(&lab.gateway, isnguard)?.ensure_empty().err();
        Ok(left.is_none().then_some(()))
    });
    gone.map_err(|error| left.unwrap_or(error))
}

#[test]
fn what_others_made_or_changed_is_refused_and_a_forced_detach_removes_it() -> Result<()> {
    for (nth, (deed, words)) in CASES.iter().enumerate() {
        let lab = Lab::new(LabOptions::default())?;
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        let mut other = Isnguard::new(&lab.gateway)?;
        isnguard.attach(&Setup::new(Placement::Inside, Hook::Xdp))?;
        other.attach(&Setup {
            interface: OUTSIDE_IF.into(),
            ..Setup::new(Placement::Inside, Hook::Tc)
        })?;
        deed(&isnguard.pins(), &other.pins(), &lab.gateway)
            .with_context(|| format!("case {nth}"))?;
        let before = Footprint::of(&lab.gateway, &isnguard)?;
        for line in VERBS {
            let arguments: Vec<&str> = line.split_whitespace().collect();
            let command = isnguard.command(arguments[0], &arguments[1..])?;
            let refused = ensure_refused(command, FAILED, words)
                .with_context(|| format!("case {nth}, {words:?}"))?;
            ensure!(
                refused.stderr.contains("cannot trust") && refused.stderr.contains("--force"),
                "{refused:?}"
            );
            ensure!(
                before == Footprint::of(&lab.gateway, &isnguard)?,
                "case {nth}: `{line}` changed something"
            );
        }
        isnguard
            .detach_by_force()
            .with_context(|| format!("case {nth}"))?;
        ensure!(!isnguard.pins().exists() && other.pins().exists());
        other.detach_by_force()?;
        is_gone(&lab, &isnguard).with_context(|| format!("case {nth}"))?;
    }
    Ok(())
}

#[test]
fn a_directory_that_belongs_to_somebody_else_is_not_attached_to() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(isnguard.pins())?;
    chown(isnguard.pins(), Some(STRANGER), None)?;
    let attach = isnguard.command("attach", &["--inside", INSIDE_IF])?;
    ensure_refused(attach, FAILED, &["belongs to user 65534"])?;
    ensure!(below(&isnguard.pins())? == [isnguard.pins()]);
    Ok(fs::remove_dir(isnguard.pins())?)
}

/// A directory of pins, moved to another place and back.
struct Moved {
    from: PathBuf,
    to: PathBuf,
}

impl Moved {
    /// Moves it and leaves a symbolic link to it behind.
    fn away(from: PathBuf, name: &str) -> Result<Self> {
        let to = isn_tests::namespace::leftovers::pins().with_file_name(name);
        fs::rename(&from, &to)?;
        symlink(&to, &from)?;
        Ok(Self { from, to })
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        // Both fail only where the test has failed before, which has been told.
        for pin in below(&self.to).unwrap_or_default() {
            let _ = fs::remove_file(pin);
        }
        for dir in ["links", "notes", ""] {
            let _ = fs::remove_dir(self.to.join(dir));
        }
    }
}

#[test]
fn no_symbolic_link_is_followed() -> Result<()> {
    for part in ["", "links"] {
        let lab = Lab::new(LabOptions::default())?;
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
        let part = isnguard.pins().join(part).components().collect();
        let moved = Moved::away(part, &format!("{}-moved", isnguard.instance()))?;
        let there = below(&moved.to)?;
        for line in VERBS {
            let arguments: Vec<&str> = line.split_whitespace().collect();
            let command = isnguard.command(arguments[0], &arguments[1..])?;
            ensure_refused(command, FAILED, &["cannot trust", "is a symbolic link to"])?;
        }
        isnguard.detach_by_force()?;
        ensure!(
            fs::symlink_metadata(&moved.from).is_err() && below(&moved.to)? == there,
            "{:?}",
            below(&moved.to)?
        );
        drop(moved);
        is_gone(&lab, &isnguard)?;
    }
    Ok(())
}

#[test]
fn a_forced_detach_takes_no_filter_of_somebody_else_away() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let clsact = Setup::new(Placement::Inside, Hook::Tc).with(&["--tc-flavour", "clsact"]);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let mut other = Isnguard::new(&lab.gateway)?;
    other.attach(&Setup {
        interface: OUTSIDE_IF.into(),
        ..clsact.clone()
    })?;
    isnguard.attach(&clsact)?;
    for end in ["clsact_ingress", "clsact_egress"] {
        exchange(&link(&isnguard.pins(), end)?, &link(&other.pins(), end)?)?;
    }
    let filters = |interface: &str| -> Result<String> {
        let mut filters = String::new();
        for direction in ["ingress", "egress"] {
            let shown = ["filter", "show", "dev", interface, direction];
            filters += &lab.gateway.run("tc", &shown)?;
        }
        Ok(filters)
    };
    let before = filters(OUTSIDE_IF)?;
    isnguard.detach_by_force()?;
    let after = filters(OUTSIDE_IF)?;
    ensure!(after == before, "{before} became {after}");
    let own = filters(INSIDE_IF)?;
    ensure!(own.trim().is_empty(), "its own filters are left: {own}");
    let status = process::run_to_end(isnguard.command("status", &[])?)?;
    ensure!(status.status.code() == Some(4), "{status:?}");
    other.detach_by_force()
}
