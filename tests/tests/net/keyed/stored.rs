//! Keyed mode over a reboot: with a snapshot under the same key and under another one, and with nothing but the key.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    keys::KeyFile,
    scenario::{Connection, host_end},
    server::Server,
    setup::Setup,
    topology::{Lab, LabOptions},
};
use serde_json::Value;

use super::{ISN, PEER_PORT, PORT, ensure_goes_on, rotate, setup, shown};

fn load(isnguard: &Isnguard, file: &Path, key: &KeyFile) -> Result<Value> {
    let (file, key) = (
        file.to_str().context("no text")?,
        key.path().to_str().context("no text")?,
    );
    let printed = isnguard.verb("snapshot", &["load", file, "--key-file", key, "--json"])?;
    Ok(serde_json::from_str(&printed)?)
}

/// Saves, takes everything away, does `meanwhile` to the key's file, loads and attaches; nothing is forwarded until then.
fn reboot(
    lab: &Lab,
    isnguard: &mut Isnguard,
    setup: &Setup,
    key: &KeyFile,
    meanwhile: impl FnOnce(&Isnguard) -> Result<()>,
) -> Result<Value> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("flows");
    lab.gateway.set_sysctl("net/ipv4/ip_forward", "0")?;
    isnguard.verb("snapshot", &["save", file.to_str().context("no text")?])?;
    isnguard.detach_by_force()?;
    meanwhile(isnguard)?;
    isnguard.touch();
    let loaded = load(isnguard, &file, key)?;
    isnguard.attach(setup)?;
    lab.gateway.set_sysctl("net/ipv4/ip_forward", "1")?;
    Ok(loaded)
}

#[test]
fn under_the_same_key_saved_flows_are_what_they_were() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let keyed = key.keyed(setup(), 600)?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&keyed)?;
    let connection = Connection::open(&lab, &server, PORT, ISN)?;
    let loaded = reboot(&lab, &mut isnguard, &keyed, &key, |_| Ok(()))?;
    ensure!(
        loaded["created"] == true && loaded["warnings"] == Value::Array(Vec::new()),
        "{loaded}"
    );
    let adopting = isnguard.status()?["adopting"].clone();
    ensure!(
        adopting["of"] == "no-offset" && adopting["seconds_left"].as_f64() > Some(500.0),
        "{adopting}"
    );
    let flow = shown(&isnguard, host_end(&server, PORT))?.context("it is not known")?;
    ensure!(
        flow["reason"] == "keyed" && flow["host_isn"] == ISN,
        "{flow}"
    );
    ensure_goes_on(&connection)?;
    connection.close()
}

#[test]
fn under_another_key_saved_flows_keep_the_offset_that_they_have() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let keyed = key.keyed(setup(), 0)?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&keyed)?;
    let connection = Connection::open(&lab, &server, PORT, ISN)?;
    let old = key.now()?;
    let loaded = reboot(&lab, &mut isnguard, &keyed, &key, |isnguard| {
        rotate(isnguard, &key, &[]).map(drop)
    })?;
    ensure!(key.now()? != old);
    let warning = loaded["warnings"][0].as_str().context("no warning")?;
    ensure!(
        warning.contains("saved under the key of fingerprint"),
        "{loaded}"
    );
    ensure!(loaded["restored"]["translated"] == 1, "{loaded}");
    let host = host_end(&server, PORT);
    let flow = shown(&isnguard, host)?.context("it is not known")?;
    ensure!(
        flow["offset"] == old.offset(host, server.address()),
        "{flow}"
    );
    ensure_goes_on(&connection)?;
    connection.close()
}

/// As a machine does that was switched off: the file says that its key was in use in another boot.
#[test]
fn with_nothing_but_the_key_connections_go_on_after_a_reboot() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let path = key.path().to_str().context("no text")?;
    let unsaid = setup().in_mode("keyed").with(&["--key-file", path]);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&unsaid)?;
    ensure!(!isnguard.status()?["adopting"].is_null());
    let connection = Connection::open(&lab, &server, PORT, ISN)?;
    lab.gateway.set_sysctl("net/ipv4/ip_forward", "0")?;
    isnguard.detach_by_force()?;
    let line = fs::read_to_string(key.path())?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    ensure!(
        line.contains(boot.trim_end()),
        "the file does not say in which boot its key is in use"
    );
    fs::write(
        key.path(),
        line.replace(boot.trim_end(), "0123abcd-0123-4567-89ab-0123456789ab"),
    )?;
    isnguard.attach(&unsaid)?;
    lab.gateway.set_sysctl("net/ipv4/ip_forward", "1")?;
    ensure!(
        isnguard.status()?["adopting"].is_null(),
        "{}",
        isnguard.status()?
    );
    ensure_goes_on(&connection)?;
    connection.close()
}
