//! The configuration file on the disk: read as a whole, replaced in one step.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;

use super::fault::{Fault, Faults};
use crate::failure::{Explain as _, Failure};

/// Far more than all prefixes that there is room for.
const LARGEST: u64 = 4 << 20;
/// What others than the owner must not be able to do with a file that says who is guarded.
const CHANGED_BY_ALL: u32 = 0o002;

/// Why a configuration could not be read.
#[derive(Debug)]
pub enum Unread {
    /// The file itself.
    File(Failure),
    /// What is in it.
    Text(Faults),
    /// What the command line says.
    CommandLine(Failure),
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::File(failure) | Unread::CommandLine(failure) => failure,
            Unread::Text(faults) => Self::new(
                format!("cannot use the configuration in {}", faults.file.display()),
                faults.in_one_line(),
                format!(
                    "correct it (isnguard config check {} shows all that is wrong)",
                    faults.file.display()
                ),
            ),
        }
    }
}

/// The text of a file.
pub fn text(path: &Path) -> Result<String, Unread> {
    let what = || format!("cannot read the configuration in {}", path.display());
    let refused = |why: String, remedy: &str| Unread::File(Failure::new(what(), why, remedy));
    let octets = match octets(path) {
        Ok(octets) => octets,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(refused(
                "there is no such file".into(),
                "name the file (--config FILE), or make it: /usr/share/doc/isnguard has an example",
            ));
        }
        Err(error) => return Err(refused(error.to_string(), "see its owner and mode (ls -l)")),
    };
    String::from_utf8(octets).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let fault = Fault::new(
            valid..valid + 1,
            "this is not UTF-8",
            "save the file as UTF-8",
        );
        Unread::Text(Faults::new(path.to_owned(), &text, vec![fault]))
    })
}

fn octets(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe would let it wait for ever.
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    let about = file.metadata()?;
    let why = if !about.is_file() {
        "it is no regular file".to_owned()
    } else if about.mode() & CHANGED_BY_ALL != 0 {
        let mode = about.mode() & 0o7777;
        format!(
            "its mode is {mode:04o}: everybody can change it (chmod o-w {})",
            path.display()
        )
    } else if about.len() > LARGEST {
        format!(
            "it has {} octets, and more than {LARGEST} are not read",
            about.len()
        )
    } else {
        let mut octets = Vec::new();
        file.take(LARGEST).read_to_end(&mut octets)?;
        return Ok(octets);
    };
    Err(io::Error::other(why))
}

/// A new text for a file, on the disk beside it. Dropped without [`Replacement::put`], it goes.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    beside: PathBuf,
}

impl Replacement {
    /// Writes the text beside the file, with the file's owner and mode.
    pub fn prepare(path: &Path, text: &str) -> Result<Self, Failure> {
        let prepare = || -> io::Result<Self> {
            // Where a link leads, so that the link stays.
            let path = fs::canonicalize(path)?;
            let about = fs::metadata(&path)?;
            let mut name = OsString::from(".");
            name.push(path.file_name().unwrap_or_default());
            name.push(format!(".{}.new", std::process::id()));
            let beside = path.with_file_name(name);
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&beside)?;
            let replacement = Self { path, beside };
            fchown(&file, Some(about.uid()), Some(about.gid()))?;
            file.set_permissions(fs::Permissions::from_mode(about.mode() & 0o7777))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            Ok(replacement)
        };
        prepare().explain(
            format!("cannot write {}", path.display()),
            "nothing was changed; see whether the directory can be written to",
        )
    }

    /// Puts it in the place of the file, in one step that lasts.
    pub fn put(self) -> Result<(), Failure> {
        let put = || -> io::Result<()> {
            fs::rename(&self.beside, &self.path)?;
            match self.path.parent() {
                Some(dir) => File::open(dir)?.sync_all(),
                None => Ok(()),
            }
        };
        put().explain(
            format!("cannot replace {}", self.path.display()),
            "see whether the directory can be written to",
        )
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // Not there any more once it was put in place.
        let _ = fs::remove_file(&self.beside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_keeps_its_mode_and_the_link_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("f.toml"), dir.path().join("link.toml"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        Replacement::prepare(&link, "new").unwrap().put().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        drop(Replacement::prepare(&path, "never").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_no_configuration_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.toml");
        let why = |path: &Path| Failure::from(text(path).unwrap_err()).to_string();
        assert!(why(&path).contains("there is no such file"));
        assert!(why(dir.path()).contains("no regular file"));
        fs::write(&path, b"a = 1\nb = \"\xff\"\n").unwrap();
        assert!(
            why(&path).contains(":2:6: this is not UTF-8"),
            "{}",
            why(&path)
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(why(&path).contains("everybody can change it"));
        nix::unistd::mkfifo(&dir.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(why(&dir.path().join("pipe")).contains("no regular file"));
    }
}
