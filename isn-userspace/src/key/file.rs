//! The file of a key: whole or not there, and nobody else's.
//!
//! While a rotation is under way the new key lies beside it, in `FILE.next`, until the instance has switched; then it takes
//! FILE's place. So whoever comes after a rotation that was broken off finds the instance's key in one of the two, and
//! [`KeyFile::settle`] finishes or undoes it. Changes are made under a lock on the directory.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use super::{
    disk::{beside, remove, write},
    line::Stored,
    secret::Fingerprint,
};
use crate::{
    dataplane::Lock,
    failure::{Explain as _, Failure},
    settings::InstanceName,
};

const DIRECTORY: &str = "/etc/isnguard";
const CREDENTIAL: &str = "isnguard.key";
/// What follows a file's name in that of the key that is to take its place.
const NEXT: &str = ".next";
/// The same of one that is being written.
const HALF_WRITTEN: &str = ".tmp";

/// Where a key is kept.
#[derive(Clone, Debug)]
pub struct KeyFile {
    pub(super) path: PathBuf,
    pub(super) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Named,
    Credential,
    Default,
}

/// What [`KeyFile::settle`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// No rotation was broken off.
    Nothing,
    /// The instance had switched: the new key has taken its place.
    Finished,
    /// It had not: the new key is gone.
    Undone,
}

impl KeyFile {
    /// The file that is named; else the credential `isnguard.key` that the service manager passes, if it passes one; else
    /// `/etc/isnguard/INSTANCE.key`.
    #[must_use]
    pub fn choose(named: Option<&Path>, instance: &InstanceName) -> Self {
        let passed = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Self::chosen(named, passed.as_deref(), instance)
    }

    pub(super) fn chosen(
        named: Option<&Path>,
        passed: Option<&Path>,
        instance: &InstanceName,
    ) -> Self {
        if let Some(path) = named {
            return Self {
                path: path.to_owned(),
                origin: Origin::Named,
            };
        }
        let credential = passed.map(|dir| dir.join(CREDENTIAL));
        match credential.filter(|path| path.exists()) {
            Some(path) => Self {
                path,
                origin: Origin::Credential,
            },
            None => Self {
                path: Path::new(DIRECTORY).join(format!("{instance}.key")),
                origin: Origin::Default,
            },
        }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the operator named it.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.origin == Origin::Named
    }

    /// Locks its directory, which is made if it is not there, for changes to the file.
    pub fn lock(&self) -> Result<Lock, Failure> {
        if self.origin == Origin::Credential {
            return Err(Failure::new(
                format!("cannot change {}", self.path.display()),
                "it is a credential, which the service manager only passes on",
                "name the file that it is made from with --key-file, where that lies, and make the credential anew",
            ));
        }
        let dir = self.directory();
        match DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(error).explain(format!("cannot make {}", dir.display()), "make it by hand")?;
            }
            _ => {}
        }
        Lock::for_change(&dir)
    }

    /// Puts a key in place of the one before, whole and on the disk, or leaves everything as it was. The directory must be
    /// locked.
    pub fn replace(&self, stored: &Stored) -> Result<(), Failure> {
        self.write(&self.path, stored)
    }

    /// Puts a key beside it that the instance is to switch to. The directory must be locked.
    pub fn write_next(&self, stored: &Stored) -> Result<(), Failure> {
        self.write(&self.next().path, stored)
    }

    /// The instance has switched: the key beside it takes its place. The directory must be locked.
    pub fn finish(&self) -> Result<(), Failure> {
        let moved = fs::rename(self.next().path, &self.path).and_then(|()| self.sync_directory());
        moved.explain(
            format!("cannot put the new key into {}", self.path.display()),
            format!(
                "the instance uses the key in {} already: see whether the directory can be written, and run it again",
                self.next().path.display()
            ),
        )
    }

    /// Finishes or undoes what a rotation that was broken off has left, by the key that the instance has.
    pub fn settle(&self, current: Fingerprint) -> Result<Settled, Failure> {
        if self.origin == Origin::Credential || !self.has_leftovers() {
            return Ok(Settled::Nothing);
        }
        let _lock = self.lock()?;
        self.settle_locked(current)
    }

    fn has_leftovers(&self) -> bool {
        [NEXT, HALF_WRITTEN]
            .iter()
            .any(|ending| fs::symlink_metadata(beside(&self.path, ending)).is_ok())
    }

    /// The same where the directory is locked.
    pub fn settle_locked(&self, current: Fingerprint) -> Result<Settled, Failure> {
        remove(&beside(&self.path, HALF_WRITTEN))?;
        let next = self.next();
        if !self.has_leftovers() {
            return Ok(Settled::Nothing);
        }
        let is_current = |stored: Option<Stored>| {
            stored.is_some_and(|stored| stored.secret.fingerprint() == current)
        };
        // One that cannot be used is not the instance's, and one that was not written whole was never in use.
        if is_current(self.read().unwrap_or_default()) {
            remove(&next.path)?;
            return Ok(Settled::Undone);
        }
        if is_current(next.read().unwrap_or_default()) {
            self.finish()?;
            return Ok(Settled::Finished);
        }
        Ok(Settled::Nothing)
    }

    /// The file beside it.
    fn next(&self) -> Self {
        Self {
            path: beside(&self.path, NEXT),
            origin: self.origin,
        }
    }

    fn directory(&self) -> PathBuf {
        match self.path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.into(),
            _ => ".".into(),
        }
    }

    fn write(&self, path: &Path, stored: &Stored) -> Result<(), Failure> {
        let temporary = beside(&self.path, HALF_WRITTEN);
        let written = write(&temporary, stored)
            .and_then(|()| fs::rename(&temporary, path))
            .and_then(|()| self.sync_directory());
        if written.is_err() {
            // What could not be made, or has its name already, is not there.
            let _ = fs::remove_file(&temporary);
        }
        written.explain(
            format!("cannot write {}", path.display()),
            "name a file with --key-file in a directory that can be written, on a file system with room for it",
        )
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(self.directory())?.sync_all()
    }
}
