//! What a killed process left behind: its namespaces and the pins of its instances, told by the pid in their names.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Once,
};

use anyhow::{Context, Result};

use super::netns;
use crate::process;

/// How names of namespaces begin; a pid follows.
pub const NAMESPACE: &str = "isnlab-";
/// How names of instances begin; a pid follows.
pub const INSTANCE: &str = "lab-";
/// Where processes that stay answer, each instance's in a directory of its name.
const SOCKETS: &str = "/run/isnguard";
const NAMESPACES: &str = "/run/netns";
/// Names of what was kept on purpose.
const KEPT: &str = "/run/isnlab-kept";

static REMOVED: Once = Once::new();

/// Where the pins of all instances are, each in a directory of its name.
#[must_use]
pub fn pins() -> PathBuf {
    PathBuf::from("/sys/fs/bpf/isnguard")
}

/// Marks what is to outlive its process.
pub(crate) fn keep(name: &str) {
    let marked = fs::create_dir_all(KEPT).and_then(|()| fs::write(Path::new(KEPT).join(name), ""));
    if let Err(error) = marked {
        eprintln!("{name} will be removed by the next laboratory: {error}");
    }
}

pub(super) fn remove_once() {
    REMOVED.call_once(|| {
        if let Err(error) = remove() {
            eprintln!("something that an earlier process left behind stays: {error:#}");
        }
    });
}

/// Removes namespaces and pins whose process has ended, except those that it kept.
///
/// Without their pins the programs leave the interfaces; clsact filters go with the interfaces of the namespace.
pub fn remove() -> Result<()> {
    for name in left_behind(&pins(), INSTANCE)? {
        let dir = pins().join(name);
        unless_gone(fs::remove_dir_all(&dir), &dir)?;
    }
    for name in left_behind(Path::new(SOCKETS), INSTANCE)? {
        let dir = Path::new(SOCKETS).join(name);
        unless_gone(fs::remove_dir_all(&dir), &dir)?;
    }
    for name in left_behind(Path::new(NAMESPACES), NAMESPACE)? {
        let removed = process::run(netns("del", &name));
        // Another process may have been quicker.
        if Path::new(NAMESPACES).join(&name).exists() {
            removed?;
        }
    }
    for name in names(Path::new(KEPT))? {
        if !pins().join(&name).exists() && !Path::new(NAMESPACES).join(&name).exists() {
            let mark = Path::new(KEPT).join(name);
            unless_gone(fs::remove_file(&mark), &mark)?;
        }
    }
    Ok(())
}

fn left_behind(dir: &Path, prefix: &str) -> Result<Vec<String>> {
    let mut names = names(dir)?;
    names.retain(|name| {
        pid(name, prefix).is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
            && !Path::new(KEPT).join(name).exists()
    });
    Ok(names)
}

fn pid(name: &str, prefix: &str) -> Option<u32> {
    let (pid, _) = name.strip_prefix(prefix)?.split_once('-')?;
    pid.parse().ok()
}

fn names(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.with_context(|| format!("cannot read {}", dir.display()))?,
    };
    let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().into_string().ok());
    entries
        .filter_map(|entry| name(entry).transpose())
        .collect()
}

fn unless_gone(removed: io::Result<()>, path: &Path) -> Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("cannot remove {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_pid_tell_their_process() {
        assert_eq!(pid("isnlab-4711-0-host", NAMESPACE), Some(4711));
        assert_eq!(pid("lab-4711-3", INSTANCE), Some(4711));
        for other in ["isnlab-x-0", "isnlab-4711", "plant-4711-0", "lab-"] {
            assert_eq!(
                pid(other, NAMESPACE).or(pid(other, INSTANCE)),
                None,
                "{other}"
            );
        }
    }
}
