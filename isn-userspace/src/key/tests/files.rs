//! Files of keys: whose they may be, how they are replaced, and what a rotation that was broken off leaves.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::*;
use crate::failure::Failure;

fn at(path: &Path) -> KeyFile {
    KeyFile::choose(Some(path), &"plant".parse().unwrap())
}

struct Dir(TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("plant.key")
    }

    fn with(content: &str) -> Self {
        let dir = Self::new();
        fs::write(dir.path(), content).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o600)).unwrap();
        dir
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn refusal(file: &KeyFile) -> Failure {
    file.require().err().expect("it was read")
}

#[test]
fn it_is_written_for_its_owner_alone_and_read_again() {
    let dir = Dir::new();
    let file = at(&dir.path());
    assert!(file.read().unwrap().is_none());
    for generation in [1, 2] {
        let _lock = file.lock().unwrap();
        file.replace(&stored(generation)).unwrap();
        assert_eq!(
            file.require().map(|it| it.generation).ok(),
            Some(generation)
        );
        assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(dir.names(), ["plant.key"]);
    }
}

#[test]
fn what_others_can_get_at_is_refused() {
    let dir = Dir::with(DIGITS);
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o777] {
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
        let failure = refusal(&at(&dir.path()));
        assert!(
            failure.to_string().contains(&format!("mode is {mode:04o}")),
            "{failure}"
        );
        assert!(failure.remedy().contains("chmod 600"));
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert!(at(&dir.path()).require().is_ok());
    }
}

#[test]
fn what_belongs_to_somebody_else_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let dir = Dir::with(DIGITS);
    std::os::unix::fs::chown(dir.path(), Some(65_534), None).unwrap();
    let failure = refusal(&at(&dir.path()));
    assert!(
        failure.to_string().contains("belongs to user 65534"),
        "{failure}"
    );
    assert!(failure.remedy().contains("chown root"));
}

#[test]
fn only_an_ordinary_file_is_read() {
    let dir = Dir::with(DIGITS);
    let link = dir.0.path().join("link");
    symlink(dir.path(), &link).unwrap();
    assert!(refusal(&at(&link)).to_string().contains("symbolic link"));
    assert!(
        refusal(&at(dir.0.path()))
            .to_string()
            .contains("no ordinary file")
    );
    let pipe = dir.0.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(refusal(&at(&pipe)).to_string().contains("no ordinary file"));
    let missing = refusal(&at(&dir.0.path().join("no.key")));
    assert!(missing.to_string().contains("no such file"), "{missing}");
    assert!(missing.remedy().contains("isnguard key rotate"));
}

#[test]
fn a_file_that_is_no_key_is_refused_and_not_repeated() {
    let long = format!("{DIGITS} 1 {BOOT} {}", "f".repeat(4096));
    for content in [&DIGITS[1..], long.as_str()] {
        let dir = Dir::with(content);
        let failure = refusal(&at(&dir.path()));
        let said = format!("{failure} {}", failure.remedy());
        assert!(
            said.contains("plant.key") && !said.contains(&DIGITS[1..9]),
            "{said}"
        );
    }
}

#[test]
fn the_named_file_wins_then_the_credential_then_the_default() {
    let dir = Dir::with(DIGITS);
    let passed = tempfile::tempdir().unwrap();
    let instance = "plant".parse().unwrap();
    let default = KeyFile::chosen(None, Some(passed.path()), &instance);
    assert_eq!(default.path(), Path::new("/etc/isnguard/plant.key"));
    let credential = passed.path().join("isnguard.key");
    fs::write(&credential, DIGITS).unwrap();
    // As the service manager shows it to a service that runs as another user.
    fs::set_permissions(&credential, fs::Permissions::from_mode(0o440)).unwrap();
    let file = KeyFile::chosen(None, Some(passed.path()), &instance);
    assert!(file.path() == credential && !file.is_named() && file.require().is_ok());
    assert!(
        file.lock()
            .err()
            .unwrap()
            .to_string()
            .contains("credential")
    );
    let named = KeyFile::chosen(Some(&dir.path()), Some(passed.path()), &instance);
    assert!(named.path() == dir.path() && named.is_named());
}

#[test]
fn two_do_not_change_one_file_at_a_time() {
    let dir = Dir::new();
    let file = at(&dir.path());
    let held = file.lock().unwrap();
    assert!(
        file.lock()
            .err()
            .unwrap()
            .to_string()
            .contains("changing it")
    );
    drop(held);
    file.lock().unwrap();
}

#[test]
fn a_rotation_that_was_broken_off_is_finished_or_undone_by_the_key_in_use() {
    let (old, new, other) = (drawn(), drawn(), drawn());
    let prints = [&old, &new, &other].map(|it| it.secret.fingerprint());
    for (current, expected, left) in [
        (prints[0], Settled::Undone, prints[0]),
        (prints[1], Settled::Finished, prints[1]),
        (prints[2], Settled::Nothing, prints[0]),
    ] {
        let dir = Dir::new();
        let file = at(&dir.path());
        file.replace(&old).unwrap();
        assert_eq!(file.settle(current).unwrap(), Settled::Nothing);
        file.write_next(&new).unwrap();
        assert_eq!(file.settle(current).unwrap(), expected);
        let now = file.require().map(|it| it.secret.fingerprint()).ok();
        assert_eq!(now, Some(left));
        let files = if expected == Settled::Nothing { 2 } else { 1 };
        assert_eq!(dir.names().len(), files, "{:?}", dir.names());
    }
}

#[test]
fn a_key_that_was_not_written_whole_was_never_in_use() {
    let dir = Dir::new();
    let file = at(&dir.path());
    let old = drawn();
    file.replace(&old).unwrap();
    for ending in ["next", "tmp"] {
        fs::write(
            dir.0.path().join(format!("plant.key.{ending}")),
            &DIGITS[..7],
        )
        .unwrap();
    }
    assert_eq!(
        file.settle(old.secret.fingerprint()).unwrap(),
        Settled::Undone
    );
    assert_eq!(dir.names(), ["plant.key"]);
}

#[test]
fn a_process_that_has_read_a_key_leaves_no_dump() {
    let dir = Dir::with(DIGITS);
    at(&dir.path()).require().map(drop).unwrap();
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    assert!(
        core.is_some_and(|line| line.split_whitespace().nth(4) == Some("0")),
        "{core:?}"
    );
    assert!(!nix::sys::prctl::get_dumpable().unwrap());
}
