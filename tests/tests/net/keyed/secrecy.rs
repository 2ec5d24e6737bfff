//! The key stays secret: not in what any verb says, however much it tells, not in what a process shows of itself, not in pins,
//! not in snapshots.

use std::{fs, net::Ipv4Addr, path::Path};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    http,
    keys::{Key, KeyFile},
    process,
    scenario::Connection,
    server::Server,
    topology::{Lab, LabOptions},
};
use tempfile::TempDir;

use super::{ISN, PEER_PORT, PORT, setup};

/// Octets that are part of a key, in every shape that a program may print them in.
fn shapes(key: Key) -> Vec<Vec<u8>> {
    let octets = key.octets();
    let mut shapes = Vec::new();
    for half in octets.chunks_exact(8) {
        let word: [u8; 8] = half.try_into().unwrap_or_default();
        for number in [u64::from_le_bytes(word), u64::from_be_bytes(word)] {
            let hex = format!("{number:016x}");
            for part in [&hex[..8], &hex[8..]] {
                shapes.extend([part.as_bytes().to_vec(), part.to_uppercase().into_bytes()]);
            }
            shapes.push(number.to_string().into_bytes());
        }
        let decimal: Vec<String> = half.iter().map(u8::to_string).collect();
        shapes.push(decimal.join(", ").into_bytes());
        for four in half.windows(4) {
            shapes.push(four.to_vec());
            shapes.push(four.iter().rev().copied().collect());
        }
    }
    shapes
}

struct Secrets {
    shapes: Vec<Vec<u8>>,
    looked_at: usize,
}

impl Secrets {
    fn learn(&mut self, key: &KeyFile) -> Result<()> {
        self.shapes.extend(shapes(key.now()?));
        Ok(())
    }

    fn ensure_not_in(&mut self, what: &str, octets: &[u8]) -> Result<()> {
        self.looked_at += octets.len();
        for shape in &self.shapes {
            ensure!(
                !octets.windows(shape.len()).any(|part| part == shape),
                "{what} has a part of the key in it"
            );
        }
        Ok(())
    }

    /// Runs a verb plainly, with all that it tells, as JSON, and both.
    fn ensure_not_told(
        &mut self,
        isnguard: &Isnguard,
        verb: &str,
        arguments: &[&str],
    ) -> Result<()> {
        for how in [&[][..], &["-v"], &["--json"], &["--json", "-v"]] {
            let mut command = isnguard.command(verb, &[arguments, how].concat())?;
            command
                .env("RUST_BACKTRACE", "full")
                .env("RUST_LOG", "trace");
            let ended = process::run_to_end(command)?;
            let what = format!("`{verb} {arguments:?} {how:?}`");
            self.ensure_not_in(&what, ended.stdout.as_bytes())?;
            self.ensure_not_in(&what, ended.stderr.as_bytes())?;
        }
        Ok(())
    }

    /// Every note below a directory, and what it leads to.
    fn ensure_not_below(&mut self, dir: &Path) -> Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            self.ensure_not_in("a name", path.as_os_str().as_encoded_bytes())?;
            if path.is_symlink() {
                let note = fs::read_link(&path)?;
                self.ensure_not_in("a note", note.as_os_str().as_encoded_bytes())?;
            } else if path.is_dir() {
                self.ensure_not_below(&path)?;
            }
        }
        Ok(())
    }
}

#[test]
fn the_probe_finds_a_key_in_every_shape() -> Result<()> {
    let key = KeyFile::random()?;
    let octets = key.now()?.octets();
    let number = u128::from_le_bytes(octets);
    for told in [
        fs::read(key.path())?,
        format!("Key({number:#034x})").into_bytes(),
        format!("{octets:?}").into_bytes(),
        octets.to_vec(),
        octets[3..9].to_vec(),
    ] {
        let mut secrets = Secrets {
            shapes: shapes(key.now()?),
            looked_at: 0,
        };
        ensure!(secrets.ensure_not_in("this", &told).is_err(), "{told:?}");
    }
    Ok(())
}

#[test]
fn no_verb_and_no_process_tells_the_key() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let (key, other) = (KeyFile::random()?, KeyFile::random()?);
    let mut secrets = Secrets {
        shapes: Vec::new(),
        looked_at: 0,
    };
    secrets.learn(&key)?;
    secrets.learn(&other)?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let keyed = key.keyed(setup(), 600)?;
    isnguard.touch();
    secrets.ensure_not_told(&isnguard, "attach", &keyed.arguments())?;
    let _connection = Connection::open(&lab, &server, PORT, ISN)?;

    let daemon = isnguard.run(&keyed.clone().with(&["-v", "--metrics", "9464"]))?;
    let shown = Path::new("/proc").join(daemon.id().to_string());
    for file in ["cmdline", "environ", "status", "maps", "comm"] {
        secrets.ensure_not_in(file, &fs::read(shown.join(file))?)?;
    }
    let limits = fs::read_to_string(shown.join("limits"))?;
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core = core.context("no limit")?.split_whitespace().nth(4);
    ensure!(core == Some("0"), "it may leave a core dump: {limits}");

    for path in ["/metrics", "/healthz"] {
        let to = (Ipv4Addr::LOCALHOST, 9464).into();
        let told = http::ask(&lab.gateway, to, &format!("GET {path}"), &[])?;
        ensure!(told.status == 200, "{told:?}");
        secrets.ensure_not_in(path, told.body.as_bytes())?;
    }

    let dir = TempDir::new()?;
    let (snapshot, path) = (dir.path().join("flows"), |file: &KeyFile| {
        file.path().to_str().map(str::to_owned)
    });
    let (named, from) = (
        path(&key).context("no text")?,
        path(&other).context("no text")?,
    );
    let saved = snapshot.to_str().context("no text")?;
    for (verb, arguments) in [
        (
            "attach",
            &[&keyed.arguments()[..], &["--key-file-of-nobody"]].concat()[..],
        ),
        ("attach", &other.keyed(setup(), 0)?.arguments()),
        ("status", &[]),
        ("stats", &["--all"]),
        ("flows", &[]),
        ("detach", &[]),
        ("key", &["status", "--key-file", &named]),
        ("key", &["status", "--key-file", &from]),
        ("key", &["rotate", "--key-file", &named]),
        (
            "key",
            &["rotate", "--key-file", &named, "--from", &from, "--force"],
        ),
        ("snapshot", &["save", saved]),
        ("snapshot", &["load", saved, "--key-file", &named]),
    ] {
        secrets.ensure_not_told(&isnguard, verb, arguments)?;
    }
    secrets.ensure_not_in("the snapshot", &fs::read(&snapshot)?)?;
    secrets.ensure_not_below(&isnguard.pins())?;
    // A drawn one is as secret.
    for _ in 0..2 {
        let rotate = ["rotate", "--key-file", &named, "--force", "-v"];
        let ended = process::run_to_end(isnguard.command("key", &rotate)?)?;
        ensure!(ended.status.success(), "{}", ended.complaint());
        secrets.learn(&key)?;
        secrets.ensure_not_in("`key rotate`", ended.stdout.as_bytes())?;
        secrets.ensure_not_in("`key rotate`", ended.stderr.as_bytes())?;
    }
    // A file that has lost a digit is complained about, not repeated.
    let line = fs::read_to_string(key.path())?;
    fs::write(key.path(), &line[1..])?;
    secrets.ensure_not_told(&isnguard, "key", &["status", "--key-file", &named])?;
    secrets.ensure_not_told(&isnguard, "attach", &keyed.arguments())?;
    drop(daemon);
    secrets.ensure_not_told(&isnguard, "detach", &["--force"])?;
    println!("{} octets looked at", secrets.looked_at);
    ensure!(secrets.looked_at > 10_000);
    Ok(())
}
