//! What an instance leaves on the machine: pins, programs on interfaces, filters, its own report.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    namespace::Namespace,
    process,
    setup::{Hook, Placement, Setup},
    topology::{INSIDE_IF, Lab, LabOptions, OUTSIDE_IF},
};

/// Everything that a refusal must leave as it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Footprint {
    pins: Vec<PathBuf>,
    on_interfaces: String,
    status: String,
}

impl Footprint {
    pub fn of(gateway: &Namespace, isnguard: &Isnguard) -> Result<Self> {
        let mut on_interfaces = xdp_programs(gateway)?;
        on_interfaces += &gateway.run("tc", &["qdisc", "show"])?;
        for interface in [INSIDE_IF, OUTSIDE_IF] {
            for direction in ["ingress", "egress"] {
                on_interfaces +=
                    &gateway.run("tc", &["filter", "show", "dev", interface, direction])?;
            }
        }
        let status = process::run_to_end(isnguard.command("status", &["--json"])?)?;
        Ok(Self {
            pins: below(&isnguard.pins())?,
            on_interfaces,
            status: format!("{:?} {}", status.status.code(), status.stdout),
        })
    }

    /// Fails unless there is nothing at all.
    pub fn ensure_empty(&self) -> Result<()> {
        let absent = self.status.starts_with("Some(4)") && self.pins.is_empty();
        ensure!(
            absent && !self.on_interfaces.contains("xdp") && !self.on_interfaces.contains("bpf"),
            "something is left: {self:?}"
        );
        Ok(())
    }
}

/// Lines of `ip -d link` that tell of XDP, program identifiers included.
pub fn xdp_programs(gateway: &Namespace) -> Result<String> {
    let links = gateway.run("ip", &["-d", "link"])?;
    Ok(links
        .lines()
        .filter(|line| line.contains("xdp"))
        .collect::<Vec<_>>()
        .join("\n"))
}

/// All paths below a directory, sorted; none if there is no such directory.
pub fn below(dir: &Path) -> Result<Vec<PathBuf>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let mut paths = vec![dir.to_owned()];
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        // A note is a symbolic link that leads nowhere.
        if path.is_dir() {
            paths.extend(below(&path)?);
        } else {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[test]
fn the_footprint_sees_what_it_is_there_to_see() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Xdp).with(&["--tc-flavour", "clsact"]))?;
    let there = Footprint::of(&lab.gateway, &isnguard)?;
    for seen in ["xdp", "clsact", "bpf"] {
        ensure!(there.on_interfaces.contains(seen), "{there:?}");
    }
    ensure!(there.pins.len() > 13 && there.ensure_empty().is_err());
    let status = isnguard.status()?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Xdp))?;
    ensure!(
        isnguard.status()?["attached"][0]["program_id"] != status["attached"][0]["program_id"],
        "an adopted instance gets new programs"
    );
    ensure!(there != Footprint::of(&lab.gateway, &isnguard)?);
    Ok(())
}
