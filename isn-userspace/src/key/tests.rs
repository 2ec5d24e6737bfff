//! Keys and their files: what is accepted, what is refused and why, and that nothing of a key is in what is said.

use std::{
    fmt::{Debug, Display},
    fs,
    marker::PhantomData,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use isn_common::siphash::Key;
use tempfile::TempDir;

use super::*;
use crate::failure::Failure;

const DIGITS: &str = "000102030405060708090a0b0c0d0e0f";
const BOOT: &str = "0123abcd-0123-4567-89ab-0123456789ab";

fn stored(generation: u32) -> Stored {
    Stored::parse(format!("{DIGITS} {generation}\n").as_bytes())
        .unwrap_or_else(|why| panic!("{why}"))
}

fn drawn() -> Stored {
    Stored {
        secret: Secret::draw().unwrap_or_else(|failure| panic!("{failure}")),
        generation: 5,
        used_in: None,
    }
}

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

/// Whether a type can be printed, by which of two methods the compiler finds.
struct Printed<T>(PhantomData<T>);

impl<T: Debug> Printed<T> {
    fn debug(&self) -> bool {
        let Self(_) = self;
        true
    }
}

trait NotPrinted {
    fn debug(&self) -> bool {
        false
    }
    fn display(&self) -> bool {
        false
    }
}

impl<T> NotPrinted for Printed<T> {}

#[test]
fn a_key_cannot_be_printed() {
    struct Displayed<T>(PhantomData<T>);
    impl<T: Display> Displayed<T> {
        fn display(&self) -> bool {
            let Self(_) = self;
            true
        }
    }
    impl<T> NotPrinted for Displayed<T> {}
    // The probe itself can tell.
    assert!(Printed::<u32>(PhantomData).debug() && Displayed::<u32>(PhantomData).display());
    assert!(!Printed::<Secret>(PhantomData).debug() && !Displayed::<Secret>(PhantomData).display());
    assert!(!Printed::<Stored>(PhantomData).debug() && !Displayed::<Stored>(PhantomData).display());
    assert!(!Printed::<Key>(PhantomData).debug());
}

#[test]
fn a_line_is_understood_with_and_without_what_follows_the_key() {
    for (line, generation, used) in [
        (DIGITS.to_owned(), 0, false),
        (format!("{DIGITS}\n"), 0, false),
        (format!("{} 7\n", DIGITS.to_uppercase()), 7, false),
        (format!("{DIGITS} 4294967295 {BOOT}\n"), u32::MAX, true),
    ] {
        let Ok(stored) = Stored::parse(line.as_bytes()) else {
            panic!("{line} was refused")
        };
        // The order of the octets is that of SipHash's reference.
        assert!(stored.secret.key() == Key([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]));
        assert_eq!(
            (stored.generation, stored.used_in.is_some()),
            (generation, used)
        );
        let again = Stored::parse(stored.line().as_bytes()).map(|it| it.line().to_string());
        assert_eq!(again.ok(), Some(stored.line().to_string()));
        assert!(stored.line().len() <= Stored::LONGEST);
    }
}

#[test]
fn a_line_that_is_no_key_is_refused_and_not_repeated() {
    let zero = "0".repeat(32);
    let cases = [
        (String::new(), "empty"),
        ("\n".into(), "empty"),
        (DIGITS[..31].into(), "31 characters"),
        (format!("{DIGITS}0"), "33 characters"),
        (
            format!("{}x", &DIGITS[..31]),
            "something else than hexadecimal",
        ),
        (
            format!("0x{}", &DIGITS[..30]),
            "something else than hexadecimal",
        ),
        (zero.clone(), "zero"),
        (format!("{zero} 3\n"), "zero"),
        (format!("{DIGITS} -1"), "no number of a generation"),
        (format!("{DIGITS} 4294967296"), "no number of a generation"),
        (format!("{DIGITS}  1"), "no number of a generation"),
        (
            format!("{DIGITS} 1 {}", &BOOT[1..]),
            "no identifier of a boot",
        ),
        (format!("{DIGITS} 1 {BOOT} "), "more behind the key"),
        (format!("{DIGITS}\n{DIGITS}\n"), "more than one line"),
        (format!("{DIGITS}\n\n"), "more than one line"),
    ];
    for (line, expected) in cases {
        let why = Stored::parse(line.as_bytes()).err().expect(&line);
        assert!(why.contains(expected), "{line:?}: {why}");
        assert!(!why.contains(&DIGITS[..8]), "{why}");
    }
    assert!(
        Stored::parse(&[0xff; 32])
            .err()
            .unwrap()
            .contains("no text")
    );
}

#[test]
fn keys_differ_and_so_do_their_fingerprints() {
    let (one, other) = (drawn().secret, drawn().secret);
    assert!(one.key() != other.key());
    assert_ne!(one.fingerprint(), other.fingerprint());
    assert_eq!(Fingerprint::of(one.key()), Some(one.fingerprint()));
    assert_eq!(Fingerprint::of(Key([0; 2])), None);
    // Fixed for all time: operators compare what two gateways say.
    assert_eq!(
        stored(0).secret.fingerprint().to_string(),
        "4405b9e440b832fd"
    );
}

#[test]
fn a_generator_that_does_not_serve_is_fatal() {
    let failure = Secret::drawn_by(|_| Err("Function not implemented".into()))
        .err()
        .unwrap();
    assert!(
        failure.to_string().contains("Function not implemented"),
        "{failure}"
    );
    assert!(failure.remedy().contains("getrandom(2)"));
    let failure = Secret::drawn_by(|_| Ok(())).err().unwrap();
    assert!(failure.to_string().contains("zeros"), "{failure}");
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
    fs::write(dir.0.path().join("plant.key.next"), &DIGITS[..7]).unwrap();
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
