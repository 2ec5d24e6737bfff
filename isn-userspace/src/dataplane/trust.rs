//! Whether what lies in an instance's directory may be believed. Everything there was made by this
//! program under this user, or it is refused and nothing is changed.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use nix::unistd::geteuid;

use super::{
    holding,
    pins::{Pins, entries},
};
use crate::failure::{Explain as _, Failure};

/// Permissions of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Refuses an instance unless everything in its directory is what it should be.
pub fn check(pins: &Pins) -> Result<(), Failure> {
    directories(pins)?;
    for name in entries(&pins.home)? {
        if name != "links" && name != "notes" {
            own_pin(&pins.home.join(name))?;
        }
    }
    for name in entries(&pins.links())? {
        own_pin(&pins.links().join(name))?;
    }
    for name in entries(&pins.notes())? {
        own_note(&pins.notes().join(name))?;
    }
    let ids = holding::pinned_maps(pins)?;
    if ids.is_empty() {
        return Ok(());
    }
    let links = pins.pinned_links()?;
    links
        .into_iter()
        .try_for_each(|name| holding::link(pins, name, &ids))
}

/// Refuses directories of somebody else, those that others may enter, and what is none.
pub fn directories(pins: &Pins) -> Result<(), Failure> {
    let all: [PathBuf; 4] = [
        pins.root.clone(),
        pins.home.clone(),
        pins.links(),
        pins.notes(),
    ];
    all.iter().try_for_each(|dir| own_directory(dir))
}

fn own_directory(dir: &Path) -> Result<(), Failure> {
    let Some(metadata) = look(dir)? else {
        return Ok(());
    };
    if metadata.is_symlink() {
        let to = fs::read_link(dir).unwrap_or_default();
        let why = format!("it is a symbolic link to {}", to.display());
        return Err(distrust(dir, why));
    }
    if !metadata.is_dir() {
        return Err(distrust(dir, "it is no directory"));
    }
    own(dir, &metadata)
}

fn own_pin(path: &Path) -> Result<(), Failure> {
    let Some(metadata) = look(path)? else {
        return Ok(());
    };
    if !metadata.is_file() {
        return Err(distrust(path, "it is no pin"));
    }
    own(path, &metadata)
}

fn own_note(path: &Path) -> Result<(), Failure> {
    let Some(metadata) = look(path)? else {
        return Ok(());
    };
    if !metadata.is_symlink() {
        return Err(distrust(path, "it is no note"));
    }
    owner(path, &metadata)
}

/// What is there; `None` if nothing is, or it went in between.
fn look(path: &Path) -> Result<Option<fs::Metadata>, Failure> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some).explain(
            format!("cannot look at {}", path.display()),
            "run it as root",
        ),
    }
}

fn own(path: &Path, metadata: &fs::Metadata) -> Result<(), Failure> {
    owner(path, metadata)?;
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    Err(distrust(
        path,
        format!("its mode is {mode:04o}: others than its owner can get at it"),
    ))
}

fn owner(path: &Path, metadata: &fs::Metadata) -> Result<(), Failure> {
    let (there, here) = (metadata.uid(), geteuid().as_raw());
    if there == here {
        return Ok(());
    }
    let why = format!("it belongs to user {there}, and this process runs as user {here}");
    Err(distrust(path, why))
}

/// The refusal of what cannot be trusted.
pub fn distrust(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new(
        format!("cannot trust {}", path.display()),
        why,
        "nothing was changed. Find out who did this (`ls -la`, `bpftool map`, `bpftool link`) and put it \
         right; or remove the instance with what is in its directory (isnguard detach --force), which \
         breaks its live translated connections, and attach anew",
    )
}
