//! Who keeps samples: `run`, for any number who ask; nobody, after it was killed; and the next one, which begins anew.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use isn_generators::Kind;
use isn_tests::{
    device::Device,
    family::Family,
    flood::{Flood, Scan, ground},
    gateway::Isnguard,
    process::{self, Process},
    resident::Resident,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
    wait,
};
use nix::unistd::Uid;
use serde_json::Value;
use tempfile::TempDir;

use super::{FIRST_PORT, SEED, line, number, report};

const PROBES: u16 = 24;
const PATIENCE: Duration = Duration::from_secs(20);

fn probes(lab: &Lab) -> Result<()> {
    (0..PROBES).try_for_each(|nth| Device::probe(lab, Device::ADDRESS, FIRST_PORT + nth))
}

fn samples(report: &Value) -> Result<u64> {
    number(line(report, Device::ADDRESS)?, "samples")
}

/// The directory where `run` answers.
fn home(isnguard: &Isnguard) -> PathBuf {
    PathBuf::from("/run/isnguard").join(isnguard.instance())
}

/// What a verb says on standard error.
fn notes(isnguard: &Isnguard, arguments: &[&str]) -> Result<String> {
    let ended = process::run_to_end(isnguard.command("hosts", arguments)?)?;
    ensure!(ended.status.success(), "{}", ended.stderr);
    Ok(ended.stderr)
}

#[test]
fn run_keeps_until_it_is_killed_and_the_next_begins_anew() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _device = Device::start(&lab, Kind::I800.make(SEED))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let setup = Setup::new(Placement::Inside, Hook::Xdp).with(&["--samples", "1000"]);
    let (run, _) = Resident::start(&mut isnguard, &setup)?;
    probes(&lab)?;
    for _ in 0..2 {
        let report = report(&isnguard, &[])?;
        ensure!(
            samples(&report)? == u64::from(PROBES),
            "asking takes nothing: {report}"
        );
        ensure!(report["source"] == "run" && report["listening_seconds"].is_number());
        ensure!(
            line(&report, Device::ADDRESS)?["class"] == "fixed-step",
            "{report}"
        );
    }
    let socket = home(&isnguard).join("samples.sock");
    for (path, mode) in [(home(&isnguard), 0o700), (socket.clone(), 0o600)] {
        ensure!(
            fs::metadata(&path)?.permissions().mode() & 0o7777 == mode,
            "{path:?}"
        );
    }

    run.kill()?;
    ensure!(socket.exists(), "a killed process tidies nothing");
    let bare = report(&isnguard, &[])?;
    ensure!(bare["source"] == "queue" && bare["matching"] == 0, "{bare}");
    probes(&lab)?;
    let queued = report(&isnguard, &[])?;
    ensure!(samples(&queued)? == u64::from(PROBES) && queued["listening_seconds"].is_null());
    ensure!(notes(&isnguard, &[])?.contains("nobody keeps samples"));
    ensure!(
        report(&isnguard, &[])?["matching"] == 0,
        "what was read is taken out"
    );

    Device::probe(&lab, Device::ADDRESS, FIRST_PORT)?;
    let (run, _) = Resident::start(&mut isnguard, &setup)?;
    let anew = wait::until(PATIENCE, "`run` to take what had queued", || {
        let report = report(&isnguard, &[])?;
        Ok((report["matching"] == 1).then_some(report))
    })?;
    ensure!(anew["source"] == "run" && samples(&anew)? == 1, "{anew}");
    let told = number(&anew, "samples_taken")?;
    ensure!(told == 2 * u64::from(PROBES) + 1, "{anew}");
    run.ask_to_go()?;
    ensure!(
        !home(&isnguard).exists(),
        "one that is asked to go tidies up"
    );
    Ok(())
}

#[test]
fn many_ask_at_once_and_each_is_answered() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _device = Device::start(&lab, Kind::I800.make(SEED))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (_run, _) = Resident::start(&mut isnguard, &Setup::new(Placement::Inside, Hook::Xdp))?;
    probes(&lab)?;
    let kept = samples(&report(&isnguard, &[])?)?;
    std::thread::scope(|scope| -> Result<()> {
        let ask = || -> Result<()> {
            for _ in 0..5 {
                ensure!(samples(&report(&isnguard, &[])?)? == kept);
            }
            Ok(())
        };
        let asking: Vec<_> = (0..12).map(|_| scope.spawn(ask)).collect();
        asking
            .into_iter()
            .try_for_each(|it| it.join().ok().context("one who asks panicked")?)
    })
}

/// Who may ask at a time, and does not listen.
const SILENT: usize = 8;

#[test]
fn those_who_do_not_listen_stop_nobody() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _listeners = ground::prepare(&lab, Family::V4)?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let setup = Setup::new(Placement::Inside, Hook::Xdp).with(&["--samples", "1000000"]);
    let (_run, _) = Resident::start(&mut isnguard, &setup)?;
    let flood = Flood::scan(&lab, Family::V4, Scan::Silence)?;
    // More than the buffer of a socket takes.
    flood.send(5_000, Duration::from_millis(500))?;
    let socket = home(&isnguard).join("samples.sock");
    let silent: Vec<UnixStream> = (0..SILENT)
        .map(|_| {
            let mut stream = UnixStream::connect(&socket)?;
            stream.write_all(b"isnhosts").map(|()| stream)
        })
        .collect::<Result<_, _>>()?;
    flood.send(20_000, Duration::from_secs(1))?;
    let report = report(&isnguard, &[])?;
    ensure!(report["hosts"][0]["samples"] == 4_096, "{report}");
    ensure!(
        report["samples_lost"] == 0,
        "they stopped the thread: {report}"
    );
    for mut silent in silent {
        let mut rest = Vec::new();
        silent.set_read_timeout(Some(PATIENCE))?;
        silent.read_to_end(&mut rest)?;
        ensure!(
            rest.starts_with(b"isnhosts") && rest.len() < 4_096 * 72,
            "{}",
            rest.len()
        );
    }
    Ok(())
}

#[test]
fn without_run_one_watches_and_gives_way_to_run() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _device = Device::start(&lab, Kind::I800.make(SEED))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let setup = Setup::new(Placement::Inside, Hook::Xdp);
    isnguard.attach(&setup)?;
    probes(&lab)?;
    let dir = TempDir::new()?;
    let printed = dir.path().join("watched");
    let mut command = isnguard.command("hosts", &["--watch=1", "--json"])?;
    command.stdout(fs::File::create(&printed)?);
    let _watch = Process::spawn(command)?;
    let last = || -> Result<Option<Value>> {
        let printed = fs::read_to_string(&printed)?;
        let whole = printed.rsplit_once('\n').map_or("", |(whole, _)| whole);
        Ok(whole.lines().last().map(serde_json::from_str).transpose()?)
    };
    let until = |what: &str, holds: &dyn Fn(&Value) -> bool| {
        wait::until(
            PATIENCE,
            what,
            || Ok(last()?.filter(|report| holds(report))),
        )
    };
    let first = until("a first report", &|report| report["source"] == "queue")?;
    let before = samples(&first)?;
    let other = process::run_to_end(isnguard.command("hosts", &[])?)?;
    ensure!(other.status.code() == Some(1), "{}", other.stderr);
    ensure!(
        other.stderr.contains("only one can at a time"),
        "{}",
        other.stderr
    );
    Device::probe(&lab, Device::ADDRESS, FIRST_PORT)?;
    until("one more sample", &|report| {
        samples(report).is_ok_and(|now| now == before + 1)
            && report["listening_seconds"].is_number()
    })?;
    let (_run, _) = Resident::start(&mut isnguard, &setup)?;
    until("`run` to answer", &|report| report["source"] == "run")?;
    wait::until(PATIENCE, "`run` to have the ring", || {
        Device::probe(&lab, Device::ADDRESS, FIRST_PORT + PROBES)?;
        let report = report(&isnguard, &[])?;
        Ok((report["matching"] == 1).then_some(()))
    })
}

#[test]
fn json_columns_and_pictures() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _device = Device::start(&lab, Kind::Rule64K.make(SEED))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (_run, _) = Resident::start(&mut isnguard, &Setup::new(Placement::Inside, Hook::Xdp))?;
    ensure!(notes(&isnguard, &[])?.contains("no host was seen"));
    probes(&lab)?;
    let report = report(&isnguard, &[])?;
    let line = line(&report, Device::ADDRESS)?;
    ensure!(report["schema_version"] == 1 && report["instance"] == isnguard.instance());
    for key in [
        "samples_taken",
        "samples_limited",
        "samples_lost",
        "hosts_forgotten",
    ] {
        number(&report, key)?;
    }
    for key in [
        "samples",
        "regressions",
        "same_tuple_samples",
        "syns",
        "rewritten",
    ] {
        number(line, key)?;
    }
    for key in [
        "host", "grade", "class", "detail", "advice", "reason", "mode", "after",
    ] {
        ensure!(line[key].is_string(), "{key}: {line}");
    }
    for key in ["difficulty_before", "difficulty_after", "vlan"] {
        ensure!(line.get(key).is_some(), "{key}: {line}");
    }
    let text = isnguard.verb("hosts", &["--host", "192.0.2.0/24", "--limit", "1"])?;
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    ensure!(
        lines.len() == 2 && lines[0].len() == 17 && lines[1].len() == 17,
        "{text}"
    );
    ensure!(
        lines[0][..3] == ["host", "grade", "class"] && lines[1][2] == "fixed-step",
        "{text}"
    );
    ensure!(
        isnguard
            .verb("hosts", &["--host", "203.0.113.1"])?
            .lines()
            .count()
            == 1
    );
    let dir = TempDir::new()?;
    let file = dir.path().join("worst.svg");
    let name = file.to_str().context("no text")?;
    isnguard.verb("hosts", &["--plot", name])?;
    let picture = fs::read_to_string(&file)?;
    ensure!(
        picture.starts_with("<svg") && picture.contains("192.0.2.10"),
        "{}",
        &picture[..200]
    );
    Ok(())
}

#[test]
fn nobody_but_root_is_answered() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (_run, _) = Resident::start(&mut isnguard, &Setup::new(Placement::Inside, Hook::Xdp))?;
    let socket = home(&isnguard).join("samples.sock");
    let refused = std::thread::spawn(move || {
        // The system call of glibc is for the whole process, this one for the thread.
        let nobody = Uid::from_raw(65_534);
        // SAFETY: no arguments but numbers.
        let changed = unsafe { libc::syscall(libc::SYS_setuid, nobody.as_raw()) };
        (changed, UnixStream::connect(socket).map(drop))
    });
    let (changed, refused) = refused.join().ok().context("it panicked")?;
    ensure!(changed == 0, "cannot become nobody");
    let error = refused.err().context("nobody was let in")?;
    ensure!(
        error.kind() == std::io::ErrorKind::PermissionDenied,
        "{error}"
    );
    Ok(())
}
