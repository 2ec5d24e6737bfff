//! An instance that has lost something, and its key.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    time::Duration,
};

use anyhow::{Context, Result};
use aya::maps::{Array, Map, MapData};
use isn_common::abi::{maps, settings::Settings};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    process,
    scenario::{ensure_hangs, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{
        Lab, LabOptions,
        spare::{self, By, End},
    },
    wait,
};
use tempfile::TempDir;

use super::{DEGRADED, INSIDE, examined::Examined};

const PATIENCE: Duration = Duration::from_mins(1);
const PEER_PORT: u16 = 7000;

#[test]
fn a_program_that_was_taken_off_is_put_back_as_told() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    let links = isnguard.pins().join("links");
    let first = fs::read_dir(links)?.next().context("no link")??;
    fs::remove_file(first.path())?;
    let sick = wait::until(PATIENCE, "the lost program to be noticed", || {
        let sick = Examined::by(&isnguard, &[])?;
        Ok((sick.code == Some(DEGRADED)).then_some(sick))
    })?;
    sick.ensure("instance", "fail", &["does not run", "`inside0`"])?;
    sick.do_as_told("instance", &lab.gateway, &isnguard)?;
    let healed = Examined::by(&isnguard, &[])?;
    healed.ensure("instance", "ok", &["read back"])?;
    healed.ensure_fine()
}

#[test]
fn an_interface_that_is_gone_is_told() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    lab.unplug()?;
    let gone = Examined::by(&isnguard, &[])?;
    gone.ensure("instance", "fail", &["`inside0` is gone"])?;
    gone.ensure("interface", "fail", &["there is no such interface"])?;
    gone.ensure("kernel", "ok", &[])?;
    lab.plug()?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    Examined::by(&isnguard, &[])?.ensure_fine()
}

#[test]
fn somebody_who_stays_is_seen() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let run = isnguard.run(&Setup::new(Placement::Inside, Hook::Tc))?;
    let process = format!("process {}", run.id());
    Examined::by(&isnguard, &[])?.ensure("sweeper", "ok", &[&process])
}

#[test]
fn a_key_that_is_missing_or_open_to_others_is_put_right_as_told() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let dir = TempDir::new()?;
    let file = dir.path().join("plant.key");
    let path = file.to_string_lossy();
    let mut arguments = INSIDE.to_vec();
    arguments.extend(["--mode", "keyed", "--key-file", &path]);

    let missing = Examined::by(&isnguard, &arguments)?;
    missing.ensure("key", "fail", &["there is no such file"])?;
    missing.ensure_degrades("key")?;
    let refused = process::run_to_end(isnguard.command("attach", &arguments)?)?;
    let words = missing.finding("key")?["evidence"]
        .as_str()
        .unwrap_or_default();
    anyhow::ensure!(
        !refused.status.success() && refused.stderr.contains(words),
        "attach does not say {words:?}: {refused:?}"
    );
    missing.do_as_told("key", &lab.gateway, &isnguard)?;
    Examined::by(&isnguard, &arguments)?.ensure("key", "ok", &[&path])?;

    fs::set_permissions(&file, Permissions::from_mode(0o644))?;
    let open = Examined::by(&isnguard, &arguments)?;
    open.ensure("key", "fail", &["its mode is 0644"])?;
    open.do_as_told("key", &lab.gateway, &isnguard)?;
    Examined::by(&isnguard, &arguments)?.ensure_fine()
}

/// Answers take another way, past the gateway that is examined.
fn answers_go_past(mode: &str, attempt: fn(&Lab, &Server, u16) -> Result<()>) -> Result<Examined> {
    let lab = Lab::new(LabOptions::default())?;
    let _spare = spare::add(&lab)?;
    spare::send_by(&lab, End::Peer, By::Spare)?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let dir = TempDir::new()?;
    let key = dir.path().join("key");
    let key = key.to_string_lossy();
    isnguard.verb("key", &["rotate", "--key-file", &key])?;
    let setup = Setup::new(Placement::Inside, Hook::Tc).in_mode(mode);
    isnguard.attach(&setup.with(&["--key-file", &key]))?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    for port in 40_000..40_024 {
        attempt(&lab, &server, port)?;
    }
    Examined::by(&isnguard, &["--key-file", &key])
}

#[test]
fn answers_that_go_past_the_gateway_are_noticed() -> Result<()> {
    let seen = answers_go_past("monotonic", |lab, server, port| {
        one_life(lab, server, port, 1_000_000_000)
    })?;
    seen.ensure(
        "one-way",
        "warn",
        &["24 of 24 answered connections seen in one direction"],
    )?;
    seen.ensure_degrades("one-way")?;
    let keyed = answers_go_past("keyed", |lab, server, port| {
        ensure_hangs(lab, server, port, 1_000_000_000, Duration::from_millis(50))
    })?;
    keyed.ensure(
        "one-way",
        "fail",
        &["24 of hosts never answered", "go past this gateway"],
    )
}

#[test]
fn pins_of_another_layout_and_such_that_others_can_change_are_refused_in_the_words_of_status()
-> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    let refused = |word: &str| -> Result<()> {
        let seen = Examined::by(&isnguard, &[])?;
        seen.ensure("instance", "fail", &[word])?;
        seen.ensure("kernel", "ok", &[])?;
        let evidence = seen.finding("instance")?["evidence"]
            .as_str()
            .unwrap_or_default();
        let status = process::run_to_end(isnguard.command("status", &[])?)?;
        anyhow::ensure!(status.stderr.contains(evidence), "{status:?}");
        Ok(())
    };
    let pin = isnguard.pins().join(maps::SETTINGS);
    fs::set_permissions(&pin, Permissions::from_mode(0o666))?;
    refused("its mode is 0666")?;
    fs::set_permissions(&pin, Permissions::from_mode(0o600))?;
    let mut map: Array<MapData, Settings> =
        Array::try_from(Map::from_map_data(MapData::from_pin(&pin)?)?)?;
    let mut other = map.get(&0, 0)?;
    other.abi_version += 1;
    map.set(0, other, 0)?;
    refused(&format!("layout is version {}", other.abi_version))
}
