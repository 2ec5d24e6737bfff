//! Locks on directories of pins, so that two processes do not change one instance at a time.

use std::{
    fs, fs::File, os::unix::fs::MetadataExt as _, path::Path, sync::mpsc, thread, time::Duration,
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use crate::failure::{Explain as _, Failure};

/// How long somebody else's change is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

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
    match Flock::lock(open(dir)?, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(Lock(lock))),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(unlockable(dir, error)),
    }
}

fn is_at(file: &File, dir: &Path) -> bool {
    let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let [here, there] = [file.metadata(), fs::metadata(dir)].map(|it| it.map(place).ok());
    here.is_some() && here == there
}

fn open(dir: &Path) -> Result<File, Failure> {
    File::open(dir).explain(
        format!("cannot open {}", dir.display()),
        "see who removed it meanwhile",
    )
}

fn unlockable(dir: &Path, error: Errno) -> Failure {
    Failure::new(
        format!("cannot lock {}", dir.display()),
        error,
        "see whether the BPF file system takes locks",
    )
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

/// Locks a directory for a change, or says who is changing it. What `isnguard run` does now and then is over soon: that is
/// waited for.
pub fn for_change(dir: &Path) -> Result<Lock, Failure> {
    let lock = match try_lock(dir)? {
        Some(lock) => Some(lock),
        None => wait_for(dir)?,
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

/// The lock, if it comes free in time. The kernel wakes a thread that waits for a lock, and nothing else.
fn wait_for(dir: &Path) -> Result<Option<Lock>, Failure> {
    let file = open(dir)?;
    let (found, awaited) = mpsc::channel();
    thread::spawn(move || {
        // Whoever is late finds nobody who takes it, and lets go.
        let _ = found.send(Flock::lock(file, FlockArg::LockExclusive));
    });
    match awaited.recv_timeout(PATIENCE) {
        Ok(Ok(lock)) if is_at(&lock, dir) => Ok(Some(Lock(lock))),
        Ok(Ok(_)) => Err(Failure::new(
            format!("cannot lock {}", dir.display()),
            "it was removed meanwhile",
            "run it again",
        )),
        Ok(Err((_, error))) => Err(unlockable(dir, error)),
        Err(_) => Ok(None),
    }
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
        assert!(for_change(dir.path()).is_ok());
    }

    #[test]
    fn a_lock_that_comes_free_is_waited_for_unless_its_directory_has_gone() {
        for remains in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let lock = for_change(dir.path()).unwrap();
            thread::scope(|scope| {
                let waiting = scope.spawn(|| for_change(dir.path()));
                // Two of them: this thread's, and the other's that waits for it.
                while holders(dir.path()) < 2 {
                    thread::yield_now();
                }
                if !remains {
                    fs::remove_dir(dir.path()).unwrap();
                }
                drop(lock);
                match waiting.join().unwrap() {
                    Ok(_) => assert!(remains),
                    Err(refusal) => assert!(
                        !remains && refusal.to_string().contains("removed meanwhile"),
                        "{refusal}"
                    ),
                }
            });
        }
    }

    /// Who has the lock on a directory, and who waits for it.
    fn holders(dir: &Path) -> usize {
        let inode = fs::metadata(dir).unwrap().ino().to_string();
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let is_it = |line: &&str| line.contains(&format!(":{inode} "));
        locks.lines().filter(is_it).count()
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
