//! The BPF file system that pins live in: found, or mounted where there is none.

use std::{fs, path::Path};

use nix::{
    mount::{MsFlags, mount, umount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

use super::undo::Undo;
use crate::failure::{Explain as _, Failure};

/// Whether `dir` lies in a BPF file system.
#[must_use]
pub fn is_bpffs(dir: &Path) -> bool {
    statfs(dir).is_ok_and(|stat| stat.filesystem_type() == BPF_FS_MAGIC)
}

/// Makes sure that `dir` lies in a BPF file system; mounts one, and says so by returning true, if it
/// does not.
pub fn ensure(dir: &Path, undo: &mut Undo) -> Result<bool, Failure> {
    if is_bpffs(dir) {
        return Ok(false);
    }
    create(dir, undo)?;
    let (what, remedy) = (|| cannot(dir), || remedy(dir));
    refuse_to_hide(dir)?;
    mount(
        Some("bpf"),
        dir,
        Some("bpf"),
        MsFlags::empty(),
        Some("mode=0700"),
    )
    .explain(what(), remedy())?;
    let mounted = dir.to_owned();
    undo.push(format_args!("mount on {}", dir.display()), move || {
        Ok(umount(&mounted)?)
    });
    Ok(true)
}

/// Refuses a directory with files in it that a mount would hide.
pub fn refuse_to_hide(dir: &Path) -> Result<(), Failure> {
    let mut entries = fs::read_dir(dir).explain(cannot(dir), remedy(dir))?;
    if entries.next().is_none() {
        return Ok(());
    }
    Err(Failure::new(
        cannot(dir),
        "the directory has files of another file system in it, which would be hidden",
        "name an empty directory, or one on a BPF file system, with --bpffs",
    ))
}

fn cannot(dir: &Path) -> String {
    format!("cannot mount a BPF file system on {}", dir.display())
}

fn remedy(dir: &Path) -> String {
    format!(
        "mount it as root (mount -t bpf bpf {}), or name another directory with --bpffs",
        dir.display()
    )
}

fn create(dir: &Path, undo: &mut Undo) -> Result<(), Failure> {
    let missing: Vec<&Path> = dir
        .ancestors()
        .take_while(|parent| !parent.exists())
        .collect();
    for parent in missing
        .into_iter()
        .rev()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs::create_dir(parent).explain(
            format!("cannot create {}", parent.display()),
            "name a directory that can be created, with --bpffs",
        )?;
        let created = parent.to_owned();
        undo.push(format_args!("directory {}", parent.display()), move || {
            Ok(fs::remove_dir(&created)?)
        });
    }
    Ok(())
}
