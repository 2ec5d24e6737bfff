//! The file of a snapshot: whole or not there, and nobody else's. It has the instance's secret in it, and whoever could write
//! it could break every connection.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nix::{fcntl::OFlag, unistd::geteuid};

use super::envelope::MAGIC;
use crate::failure::{Explain as _, Failure};

const OTHERS_WRITE: u32 = 0o022;
const OTHERS_READ: u32 = 0o044;

/// Reads a file that nobody else can have written, and what the operator should know about it.
pub fn read(path: &Path) -> Result<(Vec<u8>, Vec<String>), Failure> {
    let what = format!("cannot load {}", path.display());
    let remedy = "nothing was changed; name a file that `isnguard snapshot save` has made";
    let mut file = OpenOptions::new()
        .read(true)
        // A pipe would let it wait for ever.
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .explain(&what, remedy)?;
    let metadata = file.metadata().explain(&what, remedy)?;
    if !metadata.is_file() {
        return Err(Failure::new(what, "it is no ordinary file", remedy));
    }
    check_owner(&what, path, metadata.uid(), metadata.mode())?;
    let mut warnings = Vec::new();
    if metadata.mode() & OTHERS_READ != 0 {
        warnings.push(format!(
            "others may read {0}, which has the secret of the instance in it: chmod 600 {0}",
            path.display()
        ));
    }
    let mut octets = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.read_to_end(&mut octets).explain(&what, remedy)?;
    Ok((octets, warnings))
}

fn check_owner(what: &str, path: &Path, owner: u32, mode: u32) -> Result<(), Failure> {
    let own = geteuid().as_raw();
    if owner != own && owner != 0 {
        return Err(Failure::new(
            what,
            format!("it belongs to uid {owner}, and this process runs as uid {own}"),
            format!(
                "nothing was changed. See who made it; if it is right all the same: chown {own} {}",
                path.display()
            ),
        ));
    }
    if mode & OTHERS_WRITE != 0 {
        return Err(Failure::new(
            what,
            format!("others may write it (mode {:04o})", mode & 0o7777),
            format!(
                "nothing was changed. See whether it is as it was saved; then chmod 600 {}",
                path.display()
            ),
        ));
    }
    Ok(())
}

/// Refuses to write over what is no snapshot, before time is spent on it.
pub fn check_replaceable(path: &Path) -> Result<(), Failure> {
    let refused = |why: &str| {
        let remedy = "name another file, or remove what is there first";
        Err(Failure::new(cannot_save(path), why, remedy))
    };
    match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(there) if !there.is_file() => refused("what is there is no ordinary file"),
        Ok(there) if there.len() == 0 => Ok(()),
        Ok(_) => {
            let mut begin = [0; MAGIC.len()];
            let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
            match read {
                Ok(()) if begin == MAGIC => Ok(()),
                _ => refused("what is there is no snapshot of isnguard"),
            }
        }
    }
}

/// Puts a file in place of the one before, whole and on the disk, or leaves everything as it was.
pub fn write(path: &Path, octets: &[u8]) -> Result<(), Failure> {
    written(path, octets).explain(
        cannot_save(path),
        "name a file in a directory that can be written, on a file system with room for it",
    )
}

fn cannot_save(path: &Path) -> String {
    format!("cannot save to {}", path.display())
}

fn written(path: &Path, octets: &[u8]) -> io::Result<()> {
    let dir = directory(path);
    // Mode 0600 from the beginning, and gone if anything fails.
    let mut file = tempfile::Builder::new()
        .prefix(".isnguard-snapshot-")
        .tempfile_in(&dir)?;
    file.write_all(octets)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(dir)?.sync_all()
}

fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.into(),
        _ => ".".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn snapshot(dir: &tempfile::TempDir) -> PathBuf {
        let path = dir.path().join("flows");
        write(&path, b"ISNGSNAP and more").unwrap();
        path
    }

    #[test]
    fn it_is_written_for_its_owner_alone_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = snapshot(&dir);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let (octets, warnings) = read(&path).unwrap();
        assert_eq!(octets, b"ISNGSNAP and more");
        assert!(warnings.is_empty());
        // One that is replaced does not lend its mode.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        write(&path, b"ISNGSNAP again").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_others_may_write_is_refused_and_what_they_may_read_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = snapshot(&dir);
        for mode in [0o620, 0o602, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let failure = read(&path).unwrap_err();
            assert!(
                failure.to_string().contains("others may write it"),
                "{failure}"
            );
            assert!(failure.remedy().contains("chmod 600"));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read(&path).unwrap().1[0].contains("chmod 600"));
    }

    #[test]
    fn what_belongs_to_somebody_else_is_refused() {
        let path = Path::new("flows");
        let failure = check_owner("cannot", path, 65_534, 0o600).unwrap_err();
        assert!(
            failure.to_string().contains("belongs to uid 65534"),
            "{failure}"
        );
        for owner in [0, geteuid().as_raw()] {
            check_owner("cannot", path, owner, 0o600).unwrap();
        }
    }

    #[test]
    fn only_a_snapshot_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = snapshot(&dir);
        check_replaceable(&path).unwrap();
        check_replaceable(&dir.path().join("new")).unwrap();
        let other = dir.path().join("letter");
        fs::write(&other, "Dear reader").unwrap();
        assert!(check_replaceable(&other).is_err());
        assert!(check_replaceable(dir.path()).is_err());
        let failure = read(dir.path()).unwrap_err();
        assert!(
            failure.to_string().contains("no ordinary file"),
            "{failure}"
        );
    }

    #[test]
    fn where_nothing_can_be_written_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("no/flows");
        assert!(
            write(&missing, b"x")
                .unwrap_err()
                .to_string()
                .contains("flows")
        );
        assert_eq!(directory(Path::new("flows")), Path::new("."));
    }
}
