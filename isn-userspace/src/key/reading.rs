//! A key read from its file, if nobody else can have read or written it.

use std::{fs, io::ErrorKind, os::unix::fs::MetadataExt as _};

use nix::{errno::Errno, unistd::geteuid};
use zeroize::Zeroizing;

use super::{
    disk::{open, read_all},
    file::{KeyFile, Origin},
    line::Stored,
    memory::keep_out_of_dumps,
};
use crate::failure::{Explain as _, Failure};

const OTHERS: u32 = 0o077;
/// A service that runs as another user sees its own right to read as the group's.
const OTHERS_OF_CREDENTIAL: u32 = 0o007;

impl KeyFile {
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

    fn cannot(&self) -> String {
        format!("cannot use the key in {}", self.path.display())
    }

    fn refused(&self, why: &str, remedy: &str) -> Failure {
        Failure::new(self.cannot(), why, format!("nothing was changed. {remedy}"))
    }
}
