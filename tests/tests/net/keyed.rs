//! Keyed mode as an operator meets it (S3): a key in a file, connections of before, rotations, and a secret that stays one.

mod adoption;
mod clock;
mod key_file;
mod killed;
mod leaving;
mod loss;
mod opening;
mod rotation;
mod secrecy;
mod stored;

use std::{fs, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    keys::KeyFile,
    process::{self, Ended},
    scenario::Connection,
    setup::{Hook, Placement, Setup},
    wait,
};
use serde_json::Value;

const ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const KIB: u64 = 1 << 10;
const PATIENCE: Duration = Duration::from_mins(1);
const DEGRADED: i32 = 3;

fn setup() -> Setup {
    Setup::new(Placement::Inside, Hook::Tc)
}

/// The same with a history so short that silent flows are forgotten at once where somebody sweeps.
fn forgetful() -> Setup {
    setup().with(&["--history", "1"])
}

/// A verb of `key`, with the key's file named.
fn key_verb(isnguard: &Isnguard, key: &KeyFile, arguments: &[&str]) -> Result<Ended> {
    let path = key.path().to_str().context("the path is no text")?;
    let named = ["--key-file", path, "--json"];
    process::run_to_end(isnguard.command("key", &[arguments, &named].concat())?)
}

/// `key status --json`, also where the exit code says that something is wrong.
fn key_status(isnguard: &Isnguard, key: &KeyFile) -> Result<Value> {
    let ended = key_verb(isnguard, key, &["status"])?;
    serde_json::from_str(&ended.stdout).with_context(|| format!("no JSON: {ended:?}"))
}

/// `key rotate --json`, which must succeed.
fn rotate(isnguard: &Isnguard, key: &KeyFile, more: &[&str]) -> Result<Value> {
    let ended = key_verb(isnguard, key, &[&["rotate"], more].concat())?;
    ensure!(ended.status.success(), "{}", ended.complaint());
    Ok(serde_json::from_str(&ended.stdout)?)
}

/// What a refused command says on standard error.
fn refusal(ended: &Ended) -> Result<&str> {
    ensure!(
        ended.status.code() == Some(1),
        "it was not refused: {ended:?}"
    );
    ensure!(ended.stderr.contains("what to do:"), "{}", ended.stderr);
    Ok(&ended.stderr)
}

/// The flow of a host's end as `flows --json` shows it, if it is there.
fn shown(isnguard: &Isnguard, host: SocketAddr) -> Result<Option<Value>> {
    let is_it =
        |flow: &Value| flow["host_port"] == host.port() && flow["host"] == host.ip().to_string();
    Ok(isnguard.flows()?.into_iter().find(is_it))
}

/// Waits until nothing is known of a flow that is silent.
fn await_forgotten(isnguard: &Isnguard, host: SocketAddr) -> Result<()> {
    wait::until(PATIENCE, "a silent flow to be forgotten", || {
        Ok(shown(isnguard, host)?.is_none().then_some(()))
    })
}

/// Both ends say something, and hear it.
fn ensure_goes_on(connection: &Connection) -> Result<()> {
    connection.exchange(4 * KIB, 7).map(drop)
}

/// Nothing is left beside the key's file.
fn ensure_alone(key: &KeyFile) -> Result<()> {
    let dir = key.path().parent().context("no directory")?;
    let names: Vec<_> = fs::read_dir(dir)?
        .map(|entry| entry.map(|it| it.file_name()))
        .collect::<Result<_, _>>()?;
    ensure!(names == ["isnguard.key"], "{names:?}");
    Ok(())
}
