//! Files of keys as the disk has them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;

use super::line::Stored;
use crate::failure::{Explain as _, Failure};

/// Opens a file to be read; a symbolic link is an error.
pub fn open(path: &Path) -> io::Result<File> {
    // A pipe would let it wait for ever.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}

/// Reads to the end of the file or of the room, without a buffer in between that would keep a copy.
pub fn read_all(mut file: File, into: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read(&mut into[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

/// Removes a key that never was in use, if it is there.
pub fn remove(path: &Path) -> Result<(), Failure> {
    absent_is_fine(fs::remove_file(path)).explain(
        format!("cannot remove {}", path.display()),
        "it is a key that never was in use: remove it by hand",
    )
}

fn absent_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Writes a file that nobody else can read, on the disk; one that is there goes.
pub fn write(path: &Path, stored: &Stored) -> io::Result<()> {
    absent_is_fine(fs::remove_file(path))?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(stored.line().as_bytes())?;
    file.sync_all()
}

/// The path with more behind its name.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
