//! Maps of another layout are refused by all but a forced detach (S19).

use anyhow::{Result, ensure};
use aya::maps::{Array, Map, MapData};
use isn_common::abi::{maps, settings::Settings};
use isn_tests::{
    gateway::Isnguard,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};

use super::{
    FAILED, ensure_refused,
    footprint::{Footprint, below, xdp_programs},
};

/// The settings of an instance, whatever their version.
fn settings(isnguard: &Isnguard) -> Result<Array<MapData, Settings>> {
    let data = MapData::from_pin(isnguard.pins().join(maps::SETTINGS))?;
    Ok(Array::try_from(Map::from_map_data(data)?)?)
}

#[test]
fn another_layout_is_refused_by_all_but_a_forced_detach() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Xdp))?;
    let programs = xdp_programs(&lab.gateway)?;
    let pins = below(&isnguard.pins())?;
    let mut map = settings(&isnguard)?;
    let mut other = map.get(&0, 0)?;
    other.abi_version += 1;
    let told = format!("layout is version {}", other.abi_version);
    map.set(0, other, 0)?;
    for line in [
        "status",
        "status --json",
        "stats",
        "flows",
        "attach",
        "attach --inside inside0",
        "run",
        "detach",
        "detach --drain=1",
    ] {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let command = isnguard.command(arguments[0], &arguments[1..])?;
        ensure_refused(command, FAILED, &[&told])?;
        ensure!(settings(&isnguard)?.get(&0, 0)?.abi_version == other.abi_version);
        ensure!(xdp_programs(&lab.gateway)? == programs && below(&isnguard.pins())? == pins);
    }
    isnguard.detach_by_force()?;
    Footprint::of(&lab.gateway, &isnguard)?.ensure_empty()
}

#[test]
fn settings_of_another_size_are_of_another_layout() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    let pin = isnguard.pins().join(maps::SETTINGS);
    std::fs::remove_file(&pin)?;
    let mut create = std::process::Command::new("bpftool");
    create.args(["map", "create"]).arg(&pin);
    create.args("type array key 4 value 24 entries 1 name SETTINGS".split(' '));
    isn_tests::process::run(create)?;
    let pins = below(&isnguard.pins())?;
    for verb in ["status", "stats", "flows", "attach", "run", "detach"] {
        let command = isnguard.command(verb, &[])?;
        ensure_refused(command, FAILED, &["cannot use the pinned maps", "--drain"])?;
        ensure!(below(&isnguard.pins())? == pins);
    }
    isnguard.detach_by_force()?;
    Footprint::of(&lab.gateway, &isnguard)?.ensure_empty()
}
