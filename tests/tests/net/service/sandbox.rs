//! The units' own commands with no more than the units allow: their capabilities, and a file system that is read-only but for
//! what they name. Attaching, putting back, saving and loading work with that.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    namespace::leftovers,
    process::{self, Process},
    scenario::{Connection, host_end, one_life},
    server::Server,
    service::{Instantiated, Manager, Unit},
    setup::{Hook, Placement, Setup},
    topology::{INSIDE_IF, Lab, LabOptions},
    wait,
};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::PATIENCE;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const KIB: u64 = 1 << 10;

/// `$1` begins with what stays writable, separated by colons; the command follows. Binds come first: each is a mount of its own.
const READ_ONLY: &str = "
set -e
IFS=:; for dir in $1; do [ ! -d \"$dir\" ] || mount --bind \"$dir\" \"$dir\"; done; unset IFS
findmnt -rn -o TARGET | while read -r mount; do
    case \":$1:/proc:/dev:\" in *\":$mount:\"*) continue;; esac
    case $mount in /proc/*|/dev/*) continue;; esac
    mount -o remount,bind,ro \"$mount\" 2>/dev/null || true
done
shift
exec \"$@\"";

/// A command of a unit in the gateway, as the unit confines it.
struct Confined<'a> {
    lab: &'a Lab,
    isnguard: &'a Isnguard<'a>,
    writable: Vec<PathBuf>,
}

impl<'a> Confined<'a> {
    /// What systemd makes before it: the directory of all pins, and the one of the instance's socket.
    fn new(lab: &'a Lab, isnguard: &'a Isnguard<'a>, more: &Path) -> Result<Self> {
        let socket = Path::new("/run/isnguard").join(isnguard.instance());
        // A second one keeps the first from being removed by another instance that leaves meanwhile.
        let kept = leftovers::pins().join(format!("{}-kept", isnguard.instance()));
        for dir in [&kept, &socket] {
            fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
            process::run(with(
                Command::new("chmod"),
                &["0700", &dir.to_string_lossy()],
            ))?;
        }
        Ok(Self {
            lab,
            isnguard,
            writable: vec![leftovers::pins(), socket, more.to_owned()],
        })
    }

    fn command(&self, unit: &Unit, key: &str, options: &[&str]) -> Result<Command> {
        let of = Instantiated {
            instance: self.isnguard.instance(),
            program: self.isnguard.binary(),
            options,
        };
        let writable: Vec<_> = self
            .writable
            .iter()
            .map(|it| it.to_string_lossy())
            .collect();
        let allowed = unit.capabilities()?.join(",+");
        let mut command = self.lab.gateway.command("unshare")?;
        command.args([
            "--mount",
            "--propagation=private",
            "sh",
            "-c",
            READ_ONLY,
            "sh",
        ]);
        command.arg(writable.join(":"));
        command.args(["setpriv", "--no-new-privs", "--inh-caps=-all"]);
        command.arg(format!("--bounding-set=-all,+{allowed}"));
        command.args(unit.command(key, &of)?);
        Ok(command)
    }

    /// The flows' commands name a file in /var/lib/isnguard; here it is `file`.
    fn flows(&self, unit: &Unit, key: &str, file: &Path) -> Result<()> {
        let before = self.command(unit, key, &[])?;
        let named = format!("/var/lib/isnguard/{}.flows", self.isnguard.instance());
        let mut command = self.lab.gateway.command(before.get_program())?;
        for word in before.get_args() {
            if word == named.as_str() {
                command.arg(file);
            } else {
                command.arg(word);
            }
        }
        process::run(command).map(drop)
    }
}

impl Drop for Confined<'_> {
    fn drop(&mut self) {
        // What is not there any more needs no removal.
        let _ =
            fs::remove_dir(leftovers::pins().join(format!("{}-kept", self.isnguard.instance())));
        let _ = fs::remove_dir(&self.writable[1]);
    }
}

fn with(mut command: Command, words: &[&str]) -> Command {
    command.args(words);
    command
}

/// A line of /proc/PID/status.
fn line(process: &Process, name: &str) -> Result<String> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    Ok(line
        .with_context(|| format!("no {name}"))?
        .trim()
        .to_owned())
}

/// `CAP_BPF`, `CAP_PERFMON` and `CAP_NET_ADMIN` as the kernel shows them.
const THREE: u64 = (1 << 39) | (1 << 38) | (1 << 12);
/// By it, programs are looked at by their numbers.
const SYS_ADMIN: u64 = 1 << 21;

fn works(hook: Hook, more: &[&str]) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let (dir, manager) = (TempDir::new()?, Manager::listen()?);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.touch();
    let isnguard = isnguard;
    let confined = Confined::new(&lab, &isnguard, dir.path())?;
    let unit = Unit::read("isnguard@.service")?;
    let setup = Setup::new(Placement::Inside, hook).with(more);
    let mut command = confined.command(&unit, "ExecStart", &setup.arguments())?;
    command.stdin(Stdio::null()).stdout(Stdio::null());
    manager.supervise(&mut command, None);
    let mut run = Process::spawn(command)?;
    manager.told("READY=1", PATIENCE)?;
    ensure!(
        isnguard.status()?["healthy"] == true,
        "{}",
        isnguard.status()?
    );
    for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
        ensure!(
            u64::from_str_radix(&line(&run, set)?, 16)? == THREE,
            "{set} {}",
            line(&run, set)?
        );
    }
    ensure!(line(&run, "NoNewPrivs:")? == "1");

    one_life(&lab, &server, PORT, FIRST_ISN)?;
    let connection = Connection::open(&lab, &server, PORT, LOWER_ISN)?;
    take_off(&lab, &isnguard)?;
    wait::until(PATIENCE, "the program to be put back", || {
        Ok((isnguard.status()?["healthy"] == true).then_some(()))
    })?;
    connection.exchange(64 * KIB, 1)?;
    let flow = isnguard.flow(host_end(&server, PORT))?;
    ensure!(flow.offset != 0, "{flow:?}");
    isnguard.verb("hosts", &[])?;

    run.signal(Signal::SIGTERM)?;
    ensure!(run.wait(PATIENCE)?.success());
    let flows = Unit::read("isnguard-flows@.service")?;
    let file = dir.path().join("flows");
    confined.flows(&flows, "ExecStop", &file)?;
    isnguard.verb("detach", &["--force"])?;
    confined.flows(&flows, "ExecStart", &file)?;
    ensure!(!file.exists(), "loaded, and still there");
    // The same once more: nothing was saved since, and that is no failure.
    confined.flows(&flows, "ExecStart", &file)?;
    isnguard.verb("attach", &setup.arguments())?;
    connection.exchange(64 * KIB, 2)?;
    connection.close()
}

/// Somebody takes the program for leaving packets off.
fn take_off(lab: &Lab, isnguard: &Isnguard) -> Result<()> {
    let pins = fs::read_dir(isnguard.pins().join("links"))?;
    let pin = pins
        .filter_map(|pin| Some(pin.ok()?.path()))
        .find(|pin| pin.to_string_lossy().ends_with("egress"))
        .context("no link for leaving packets")?;
    if pin.to_string_lossy().ends_with("clsact_egress") {
        return lab
            .gateway
            .run("tc", &["filter", "del", "dev", INSIDE_IF, "egress"])
            .map(drop);
    }
    let detach = with(Command::new("bpftool"), &["link", "detach", "pinned"]);
    process::run(with(detach, &[&pin.to_string_lossy()])).map(drop)
}

#[test]
fn the_units_allow_what_the_work_takes_at_xdp() -> Result<()> {
    works(Hook::Xdp, &[])
}

#[test]
fn the_units_allow_what_the_work_takes_at_clsact() -> Result<()> {
    works(Hook::Tc, &["--tc-flavour", "clsact"])
}

#[test]
fn started_by_hand_it_gives_up_what_it_does_not_need() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let manager = Manager::listen()?;
    isnguard.touch();
    let setup = Setup::new(Placement::Inside, Hook::Tc);
    let mut command = isnguard.command("run", &setup.arguments())?;
    command.stdin(Stdio::null()).stdout(Stdio::null());
    manager.supervise(&mut command, None);
    let run = Process::spawn(command)?;
    manager.told("READY=1", PATIENCE)?;
    for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
        let held = u64::from_str_radix(&line(&run, set)?, 16)?;
        ensure!(held == THREE | SYS_ADMIN, "{set} {held:x}");
    }
    ensure!(line(&run, "CapInh:")? == format!("{:016x}", 0) && line(&run, "NoNewPrivs:")? == "1");
    Ok(())
}
