//! The file of a key: whole or not there, and nobody else's.
//!
//! While a rotation is under way the new key lies beside it, in `FILE.next`, until the instance has switched; then it takes
//! FILE's place. So whoever comes after a rotation that was broken off finds the instance's key in one of the two, and
//! [`KeyFile::settle`] finishes or undoes it. Changes are made under a lock on the directory.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nix::{errno::Errno, fcntl::OFlag, unistd::geteuid};
use zeroize::Zeroizing;

use super::{line::Stored, memory::keep_out_of_dumps, secret::Fingerprint};
use crate::{
    dataplane::Lock,
    failure::{Explain as _, Failure},
    settings::InstanceName,
};

const OTHERS: u32 = 0o077;
/// A service that runs as another user sees its own right to read as the group's.
const OTHERS_OF_CREDENTIAL: u32 = 0o007;
const DIRECTORY: &str = "/etc/isnguard";
const CREDENTIAL: &str = "isnguard.key";

/// Where a key is kept.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
    origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
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

    /// The key in it; `None` if there is no such file. From here on the process leaves no core dump.
    pub fn read(&self) -> Result<Option<Stored>, Failure> {
        keep_out_of_dumps();
        let file = match open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(Errno::ELOOP as i32) => {
                return Err(self.refused("it is a symbolic link", "name the file itself"));
            }
            other => other.explain(self.cannot(), "run it as root")?,
        };
        self.check(&file.metadata().explain(self.cannot(), "run it as root")?)?;
        let mut octets = Zeroizing::new([0; Stored::LONGEST + 1]);
        let read = read_all(file, &mut *octets).explain(self.cannot(), "see `dmesg`")?;
        let stored = Stored::parse(&octets[..read]).map_err(|why| {
            let remedy = "put back the file from its backup; or, if no gateway uses the key any more, remove the file and \
                          make another key (isnguard key rotate)";
            self.refused(&why, remedy)
        })?;
        Ok(Some(stored))
    }

    /// The key in it, refused if there is no such file.
    pub fn require(&self) -> Result<Stored, Failure> {
        self.read()?.ok_or_else(|| {
            self.refused(
                "there is no such file",
                "make a key (isnguard key rotate), copy the key file of the gateway that shares its connections, or name \
                 another with --key-file",
            )
        })
    }

    fn check(&self, metadata: &fs::Metadata) -> Result<(), Failure> {
        if !metadata.is_file() {
            return Err(self.refused("it is no ordinary file", "name a file with --key-file"));
        }
        let path = self.path.display();
        let (owner, own) = (metadata.uid(), geteuid().as_raw());
        if owner != 0 && owner != own {
            let why = format!("it belongs to user {owner}, who may know the key or change it");
            let remedy = format!(
                "if the key is right all the same: chown root {path}; else make another (isnguard key rotate)"
            );
            return Err(self.refused(&why, &remedy));
        }
        let others = match self.origin {
            Origin::Credential => OTHERS_OF_CREDENTIAL,
            Origin::Named | Origin::Default => OTHERS,
        };
        let mode = metadata.mode() & 0o7777;
        if mode & others == 0 {
            return Ok(());
        }
        let why = format!("its mode is {mode:04o}: others than its owner can get at it");
        let remedy = format!(
            "chmod 600 {path}; and if others may have read it, replace the key (isnguard key rotate)"
        );
        Err(self.refused(&why, &remedy))
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
        if self.origin == Origin::Credential || !self.has_next() {
            return Ok(Settled::Nothing);
        }
        let _lock = self.lock()?;
        self.settle_locked(current)
    }

    fn has_next(&self) -> bool {
        fs::symlink_metadata(self.next().path).is_ok()
    }

    /// The same where the directory is locked.
    pub fn settle_locked(&self, current: Fingerprint) -> Result<Settled, Failure> {
        let next = self.next();
        if !self.has_next() {
            return Ok(Settled::Nothing);
        }
        let is_current = |stored: Option<Stored>| {
            stored.is_some_and(|stored| stored.secret.fingerprint() == current)
        };
        if is_current(self.read()?) {
            fs::remove_file(&next.path).explain(
                format!("cannot remove {}", next.path.display()),
                "it is a key that never was in use: remove it by hand",
            )?;
            return Ok(Settled::Undone);
        }
        // One that was not written whole was never in use.
        if is_current(next.read().unwrap_or_default()) {
            self.finish()?;
            return Ok(Settled::Finished);
        }
        Ok(Settled::Nothing)
    }

    /// The file beside it.
    fn next(&self) -> Self {
        Self {
            path: beside(&self.path, ".next"),
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
        let temporary = beside(&self.path, ".tmp");
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

    fn cannot(&self) -> String {
        format!("cannot use the key in {}", self.path.display())
    }

    fn refused(&self, why: &str, remedy: &str) -> Failure {
        Failure::new(self.cannot(), why, format!("nothing was changed. {remedy}"))
    }
}

fn open(path: &Path) -> io::Result<File> {
    // A pipe would let it wait for ever.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}

/// Reads to the end of the file or of the room, without a buffer in between that would keep a copy.
fn read_all(mut file: File, into: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read(&mut into[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

fn write(path: &Path, stored: &Stored) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(stored.line().as_bytes())?;
    file.sync_all()
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
