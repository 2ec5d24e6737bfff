//! The package from its installation to its end, on the gateway of a laboratory.

use std::fs;

use anyhow::{Result, ensure};
use isn_tests::{
    capture::Capture,
    family::Family,
    process,
    scenario::{Connection, one_life},
    server::Server,
    topology::{INSIDE_IF, Lab, LabOptions},
};
use serde_json::Value;
use tempfile::TempDir;

use super::{VERSION, chroot::Chroot, package};

const LATER: &str = "0.1.0+1";
const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const KIB: u64 = 1 << 10;

/// The package installed on a laboratory's gateway.
struct Bench {
    lab: Lab,
    chroot: Chroot,
    dir: TempDir,
}

impl Bench {
    fn run(&self, words: &[&str]) -> Result<String> {
        self.chroot.run(&self.lab.gateway, words)
    }

    fn ends(&self, words: &[&str]) -> Result<process::Ended> {
        process::run_to_end(self.chroot.command(&self.lab.gateway, words)?)
    }

    fn has(&self, path: &str) -> bool {
        self.chroot.root().join(path).exists()
    }

    fn install(&self, version: &str) -> Result<String> {
        let package = self.chroot.bring(&package(version, self.dir.path())?)?;
        self.run(&["dpkg", "--install", &package])
    }

    fn status(&self) -> Result<Value> {
        Ok(serde_json::from_str(
            &self.ends(&["isnguard", "status", "--json"])?.stdout,
        )?)
    }

    fn ensure_nothing_runs(&self) -> Result<()> {
        ensure!(!self.has("sys/fs/bpf/isnguard"), "something was attached");
        ensure!(self.ends(&["isnguard", "status"])?.status.code() == Some(4));
        ensure!(!self.has("etc/systemd/system/multi-user.target.wants/isnguard.service"));
        let link = self
            .lab
            .gateway
            .run("ip", &["-d", "link", "show", "dev", INSIDE_IF])?;
        ensure!(!link.contains("xdp"), "{link}");
        Ok(())
    }
}

#[test]
fn installed_used_upgraded_and_removed_in_a_clean_debian() -> Result<()> {
    let bench = Bench {
        lab: Lab::new(LabOptions::default())?,
        chroot: Chroot::new()?,
        dir: TempDir::new()?,
    };
    bench.install(VERSION)?;
    bench.ensure_nothing_runs()?;
    let version = bench.run(&["isnguard", "--version"])?;
    ensure!(version.contains("isnguard"), "{version}");

    let server = Server::listen(&bench.lab.peer, Family::V4.peer(PEER_PORT))?;
    let file = bench.dir.path().join("plant.pcap");
    let capture = Capture::start(&bench.lab.gateway, INSIDE_IF, &file)?;
    for port in 0..4 {
        one_life(&bench.lab, &server, PORT + 10 + port, FIRST_ISN)?;
    }
    capture.stop()?;
    let graded: Value = serde_json::from_str(&bench.run(&[
        "isnguard",
        "audit",
        "--json",
        &bench.chroot.bring(&file)?,
    ])?)?;
    ensure!(
        graded["hosts"].as_array().is_some_and(|it| !it.is_empty()),
        "{graded}"
    );

    bench.run(&[
        "isnguard",
        "attach",
        "--inside",
        INSIDE_IF,
        "--protect",
        Family::V4.protected(),
        "--hook",
        "xdp",
    ])?;
    ensure!(bench.status()?["healthy"] == true, "{}", bench.status()?);
    one_life(&bench.lab, &server, PORT, FIRST_ISN)?;
    let connection = Connection::open(&bench.lab, &server, PORT, LOWER_ISN)?;
    connection.exchange(64 * KIB, 1)?;

    let before = bench.status()?["attached"][0].clone();
    let said = bench.install(LATER)?;
    ensure!(said.contains("what is attached goes on"), "{said}");
    ensure!(
        bench.status()?["attached"][0] == before,
        "the upgrade touched it"
    );
    connection.exchange(64 * KIB, 2)?;
    bench.run(&["isnguard", "attach"])?;
    connection.exchange(64 * KIB, 3)?;

    let refused = bench.ends(&["dpkg", "--remove", "isnguard"])?;
    ensure!(
        !refused.status.success() && refused.stderr.contains("--drain"),
        "{refused:?}"
    );
    ensure!(bench.status()?["healthy"] == true);
    connection.exchange(64 * KIB, 4)?;
    connection.close()?;
    bench.run(&["isnguard", "key", "rotate"])?;
    fs::create_dir_all(bench.chroot.root().join("var/lib/isnguard"))?;
    ends_without_a_trace(&bench)
}

fn ends_without_a_trace(bench: &Bench) -> Result<()> {
    bench.run(&["dpkg", "--remove", "isnguard"])?;
    let link = bench
        .lab
        .gateway
        .run("ip", &["-d", "link", "show", "dev", INSIDE_IF])?;
    ensure!(!link.contains("xdp"), "{link}");
    ensure!(!bench.has("sys/fs/bpf/isnguard") && !bench.has("usr/sbin/isnguard"));
    ensure!(
        bench.has("etc/default/isnguard"),
        "the configuration stays until it is purged"
    );
    let purged = bench.ends(&["dpkg", "--purge", "isnguard"])?;
    ensure!(
        purged.status.success() && purged.stderr.contains("/etc/isnguard/default.key is left"),
        "{purged:?}"
    );
    ensure!(bench.has("etc/isnguard/default.key"));
    for gone in [
        "etc/default/isnguard",
        "etc/isnguard/isnguard.toml",
        "var/lib/isnguard",
    ] {
        ensure!(!bench.has(gone), "/{gone} is left");
    }
    Ok(())
}
