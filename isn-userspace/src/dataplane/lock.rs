//! Locks on directories of pins, so that two processes do not change one instance at a time.

use std::{
    fs,
    fs::File,
    os::unix::fs::MetadataExt as _,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::pins::Pins;
use crate::{
    failure::{Explain as _, Failure},
    settings::Place,
};

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not used")] Flock<File>);

impl Lock {
    /// Locks a directory for a change, or says who is changing what is in it.
    pub fn for_change(dir: &Path) -> Result<Self, Failure> {
        for_change(dir)
    }
}

/// Locks a directory, or `None` if another process holds it.
pub fn try_lock(dir: &Path) -> Result<Option<Lock>, Failure> {
    let file = File::open(dir).explain(
        format!("cannot open {}", dir.display()),
        "see who removed it meanwhile",
    )?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(Lock(lock))),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(Failure::new(
            format!("cannot lock {}", dir.display()),
            error,
            "see whether the BPF file system takes locks",
        )),
    }
}

/// The process that stays with an instance, as far as this process can see it.
#[must_use]
pub fn running(place: &Place) -> Option<u32> {
    holder(&Pins::new(place).links())
}

/// The process that holds the lock on a directory, as far as this process can see it.
#[must_use]
pub fn holder(dir: &Path) -> Option<u32> {
    let metadata = fs::metadata(dir).ok()?;
    parse_holder(
        &fs::read_to_string("/proc/locks").ok()?,
        metadata.dev(),
        metadata.ino(),
    )
}

/// Finds a line like `1: FLOCK  ADVISORY  WRITE 4711 00:2f:13 0 EOF`; device numbers are
/// hexadecimal.
fn parse_holder(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let wanted = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields[..] {
            [_, "FLOCK", _, _, process, file, ..] if file == wanted => process.parse().ok(),
            _ => None,
        }
    })
}

/// A process that stays holds the lock for a moment whenever it looks after its instance.
const A_MOMENT: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Locks a directory for a change, or says who is changing it if that takes longer than a moment.
pub fn for_change(dir: &Path) -> Result<Lock, Failure> {
    let deadline = Instant::now() + A_MOMENT;
    let lock = loop {
        match try_lock(dir)? {
            None if Instant::now() < deadline => sleep(LOOK_AGAIN),
            ended => break ended,
        }
    };
    lock.ok_or_else(|| {
        let who = holder(dir).map_or("another process".into(), |pid| format!("process {pid}"));
        Failure::new(
            format!("cannot change {}", dir.display()),
            format!("{who} is changing it"),
            "wait until it has ended (a detach that drains may take minutes), or end it",
        )
    })
}

/// Locks the directory of links for the one process that stays with the instance.
pub fn to_stay(links: &Path) -> Result<Lock, Failure> {
    try_lock(links)?.ok_or_else(|| {
        let who = holder(links).map_or("another process".into(), |pid| format!("process {pid}"));
        Failure::new(
            "cannot run",
            format!("{who} runs this instance already"),
            "end it first (its data plane stays attached), or use `isnguard attach` to change what \
             is attached, or another --instance",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_refuses_a_second_and_names_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holder(dir.path()), None);
        let lock = for_change(dir.path()).unwrap();
        assert_eq!(holder(dir.path()), Some(std::process::id()));
        let refusal = for_change(dir.path()).unwrap_err().to_string();
        assert!(
            refusal.contains(&format!("process {}", std::process::id())),
            "{refusal}"
        );
        drop(lock);
        assert!(try_lock(dir.path()).unwrap().is_some());
    }

    #[test]
    fn the_holder_is_found_by_device_and_inode() {
        let locks = "1: FLOCK  ADVISORY  WRITE 11 00:2f:13 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 12 00:2f:14 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 13 08:01:14 0 EOF\n";
        let device = nix::sys::stat::makedev(8, 1);
        assert_eq!(parse_holder(locks, device, 14), Some(13));
        assert_eq!(parse_holder(locks, device, 13), None);
    }
}
