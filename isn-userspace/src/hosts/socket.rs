//! Where `isnguard run` answers for its instance: `/run/isnguard/INSTANCE/samples.sock`, in directories that only their owner
//! may change. For pins elsewhere than in `/sys/fs/bpf` the name tells them apart.

use std::{
    fs,
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::{
        fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use isn_common::siphash::{Key, SipHash};
use nix::unistd::geteuid;

use super::protocol::{self, Greeting, Request, Told};
use crate::{
    dataplane::Pins,
    failure::{Explain as _, Failure},
    settings::Place,
};

const ROOT: &str = "/run/isnguard";
const BPFFS: &str = "/sys/fs/bpf";
/// How long an answer may pause.
const PATIENCE: Duration = Duration::from_secs(10);
/// What others than the owner must not be able to do with the directory of all instances, and with that of one.
const CHANGED_BY_OTHERS: u32 = 0o022;
const OPEN_TO_OTHERS: u32 = 0o077;

/// A socket that is listened on; its file goes with it.
#[derive(Debug)]
pub struct Socket {
    /// The socket.
    pub listener: UnixListener,
    /// Its file.
    pub file: File,
}

/// The file of a socket, told from another one of its name by its inode.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    inode: Option<u64>,
}

/// What came of asking.
pub enum Answer {
    /// An answer.
    Told(Told),
    /// Nobody is there to answer.
    Nobody,
}

/// Listens for an instance. Whoever did before is gone: one process stays with an instance.
pub fn listen(place: &Place) -> Result<Socket, Failure> {
    let path = path(Path::new(ROOT), place);
    let what = || format!("cannot listen on {}", path.display());
    let home = path.parent().unwrap_or(Path::new(ROOT));
    for (dir, mask) in [(Path::new(ROOT), CHANGED_BY_OTHERS), (home, OPEN_TO_OTHERS)] {
        let made = match fs::DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other,
        };
        made.and_then(|()| own(dir, mask)).explain(
            what(),
            format!("see who made {} (ls -ld), and remove it", dir.display()),
        )?;
    }
    let open = || -> io::Result<UnixListener> {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    let listener = open().explain(what(), "run it as root")?;
    Ok(Socket {
        listener,
        file: File {
            inode: inode(&path),
            path,
        },
    })
}

/// Asks whoever stays with an instance for what it keeps.
pub fn ask(place: &Place) -> Result<Answer, Failure> {
    let Some(stream) = connect(place, Request::Hosts)? else {
        return Ok(Answer::Nobody);
    };
    let answer = protocol::read(io::BufReader::new(stream));
    let told = answer.explain(what(place), OF_THIS_VERSION)?;
    check(place, &told.greeting)?;
    Ok(Answer::Told(told))
}

/// Asks whoever stays with an instance for its decisions as they happen; `None` if nobody is there. What comes is
/// [`protocol::follow`]'s.
pub fn follow(place: &Place) -> Result<Option<UnixStream>, Failure> {
    let Some(mut stream) = connect(place, Request::Follow)? else {
        return Ok(None);
    };
    let mut octets = [0; Greeting::SIZE];
    let greeting = stream
        .read_exact(&mut octets)
        .and_then(|()| Greeting::from_octets(Request::Follow, &octets))
        .explain(what(place), OF_THIS_VERSION)?;
    check(place, &greeting)?;
    if greeting.is_full {
        return Err(Failure::new(
            "cannot follow the decisions",
            "as many do already as `isnguard run` serves",
            "end another `isnguard monitor`",
        ));
    }
    Ok(Some(stream))
}

const OF_THIS_VERSION: &str =
    "see whether `isnguard run` is of this version and still answers, and restart it";

fn what(place: &Place) -> String {
    format!("cannot ask {}", path(Path::new(ROOT), place).display())
}

/// Connects and says what is wanted; `None` if nobody is there.
fn connect(place: &Place, request: Request) -> Result<Option<UnixStream>, Failure> {
    let mut stream = match UnixStream::connect(path(Path::new(ROOT), place)) {
        Err(error) if nobody(&error) => return Ok(None),
        other => other.explain(what(place), "run it as root")?,
    };
    let asked = stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.write_all(&request.octets()));
    asked.explain(what(place), OF_THIS_VERSION)?;
    Ok(Some(stream))
}

/// Refuses one who answers for another instance of this name.
fn check(place: &Place, greeting: &Greeting) -> Result<(), Failure> {
    let home = Pins::new(place).home;
    if Some(greeting.instance) == inode(&home) {
        return Ok(());
    }
    Err(Failure::new(
        what(place),
        format!(
            "who answers stays with an instance that {} is not",
            home.display()
        ),
        "restart `isnguard run` for this instance",
    ))
}

/// Removes what a killed process has left of its socket.
pub fn forget(place: &Place) {
    let path = path(Path::new(ROOT), place);
    if UnixStream::connect(&path).is_err_and(|error| nobody(&error)) {
        let inode = inode(&path);
        drop(File { path, inode });
    }
}

/// Tells an instance, or a socket, from another one of its name.
pub fn inode(home: &Path) -> Option<u64> {
    fs::symlink_metadata(home).ok().map(|about| about.ino())
}

/// Whether nobody listens: there is no socket, or it was left behind.
fn nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::ConnectionRefused
    )
}

fn own(dir: &Path, mask: u32) -> io::Result<()> {
    let about = fs::symlink_metadata(dir)?;
    let mode = about.mode() & 0o7777;
    let why = if !about.is_dir() {
        "it is no directory".into()
    } else if about.uid() != geteuid().as_raw() {
        format!("it belongs to user {}", about.uid())
    } else if mode & mask != 0 {
        format!("its mode is {mode:04o}: others can get at it")
    } else {
        return Ok(());
    };
    Err(io::Error::other(format!("{}: {why}", dir.display())))
}

/// The path of the socket of a place.
fn path(root: &Path, place: &Place) -> PathBuf {
    let home = root.join(place.instance.as_str());
    if place.bpffs == Path::new(BPFFS) {
        return home.join("samples.sock");
    }
    let bpffs = fs::canonicalize(&place.bpffs).unwrap_or_else(|_| place.bpffs.clone());
    // A path may be longer than the name of a socket.
    let words = bpffs
        .as_os_str()
        .as_encoded_bytes()
        .chunks(8)
        .map(|octets| {
            let mut word = [0; 8];
            word[..octets.len()].copy_from_slice(octets);
            u64::from_le_bytes(word)
        });
    let digest = words
        .fold(SipHash::new(Key([0; 2])), SipHash::word)
        .finish();
    home.join(format!("samples-{digest:016x}.sock"))
}

impl Drop for File {
    fn drop(&mut self) {
        if self.inode != inode(&self.path) {
            return;
        }
        // What is not there any more needs no removal, and a directory with more in it stays.
        let _ = fs::remove_file(&self.path);
        if let Some(home) = self.path.parent() {
            let _ = fs::remove_dir(home);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(bpffs: &str) -> Place {
        Place {
            instance: "plant".parse().unwrap(),
            bpffs: bpffs.into(),
        }
    }

    #[test]
    fn instances_and_their_bpf_file_systems_have_sockets_of_their_own() {
        let root = Path::new(ROOT);
        let usual = path(root, &place(BPFFS));
        assert_eq!(usual, Path::new("/run/isnguard/plant/samples.sock"));
        let other = path(root, &place("/mnt/a/very/long/way/to/another/file/system"));
        assert_ne!(other, path(root, &place("/mnt/b")));
        // `sun_path` of Linux, with the longest name of an instance.
        assert!(other.as_os_str().len() + 32 < 108, "{}", other.display());
    }

    #[test]
    fn directories_of_others_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let chmod = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode));
        chmod(0o700).unwrap();
        assert!(own(dir.path(), OPEN_TO_OTHERS).is_ok());
        chmod(0o755).unwrap();
        assert!(own(dir.path(), CHANGED_BY_OTHERS).is_ok());
        assert!(own(dir.path(), OPEN_TO_OTHERS).is_err());
        chmod(0o770).unwrap();
        assert!(own(dir.path(), CHANGED_BY_OTHERS).is_err());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/", &link).unwrap();
        assert!(own(&link, CHANGED_BY_OTHERS).is_err());
    }

    #[test]
    fn a_socket_that_nobody_listens_on_is_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("samples.sock");
        assert!(nobody(&UnixStream::connect(&path).unwrap_err()));
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists() && nobody(&UnixStream::connect(&path).unwrap_err()));
    }
}
