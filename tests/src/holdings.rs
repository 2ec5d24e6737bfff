//! What an instance and its process hold, told by the kernel: pins, programs, maps, memory, descriptors; and what sits at an
//! interface's hooks.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use aya::{
    maps::MapInfo,
    programs::{ProgramInfo, loaded_programs},
};

use crate::gateway::Isnguard;

/// What an instance holds in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Files in the instance's directory, whatever they stand for.
    pub pins: usize,
    /// Loaded programs that use its maps, attached or not.
    pub programs: usize,
    /// Maps that are pinned or that these programs use.
    pub maps: usize,
    /// Octets of kernel memory that these maps take.
    pub map_octets: u64,
}

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessHoldings {
    /// Memory of its own in KiB (`RssAnon`): the tables that it maps now and then belong to the kernel.
    pub own_kib: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Holdings {
    /// Of an instance; all 0 where there is none.
    pub fn of(isnguard: &Isnguard) -> Result<Self> {
        let pinned = pinned_maps(isnguard)?;
        let programs = programs_with(&pinned);
        let maps = with_used(pinned, &programs);
        Ok(Self {
            pins: files(&isnguard.pins())?.len(),
            programs: programs.len(),
            maps: maps.len(),
            map_octets: maps.iter().filter_map(|id| octets(*id)).sum(),
        })
    }
}

/// Identifiers of the maps of an instance: pinned, or used by its programs.
pub fn map_ids(isnguard: &Isnguard) -> Result<Vec<u32>> {
    let pinned = pinned_maps(isnguard)?;
    let programs = programs_with(&pinned);
    Ok(with_used(pinned, &programs))
}

/// How many of these maps the kernel still has.
#[must_use]
pub fn still_loaded(maps: &[u32]) -> usize {
    let there = |id: &&u32| MapInfo::from_id(**id).is_ok();
    maps.iter().filter(there).count()
}

fn pinned_maps(isnguard: &Isnguard) -> Result<Vec<u32>> {
    let map = |pin: &PathBuf| Some(MapInfo::from_pin(pin).ok()?.id());
    Ok(files(&isnguard.pins())?.iter().filter_map(map).collect())
}

fn with_used(mut maps: Vec<u32>, programs: &[ProgramInfo]) -> Vec<u32> {
    maps.extend(programs.iter().flat_map(used_maps));
    maps.sort_unstable();
    maps.dedup();
    maps
}

impl ProcessHoldings {
    /// Of a living process.
    pub fn of(pid: u32) -> Result<Self> {
        let status = read(&format!("/proc/{pid}/status"))?;
        let own = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .and_then(|rest| rest.split_whitespace().next())
            .with_context(|| format!("no RssAnon in /proc/{pid}/status"))?;
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
            .with_context(|| format!("cannot list the descriptors of process {pid}"))?;
        Ok(Self {
            own_kib: own.parse()?,
            descriptors: descriptors.count(),
        })
    }
}

/// Programs that use one of these maps. One that goes meanwhile is none.
fn programs_with(maps: &[u32]) -> Vec<ProgramInfo> {
    loaded_programs()
        .filter_map(std::result::Result::ok)
        .filter(|program| used_maps(program).iter().any(|map| maps.contains(map)))
        .collect()
}

fn used_maps(program: &ProgramInfo) -> Vec<u32> {
    program.map_ids().ok().flatten().unwrap_or_default()
}

/// The kernel's own account of a map, in octets; `None` if it is gone.
fn octets(id: u32) -> Option<u64> {
    let map = MapInfo::from_id(id).ok()?.fd().ok()?;
    let about = format!("/proc/self/fdinfo/{}", map.as_fd().as_raw_fd());
    let about = fs::read_to_string(about).ok()?;
    let line = about
        .lines()
        .find_map(|line| line.strip_prefix("memlock:"))?;
    line.trim().parse().ok()
}

/// Everything below a directory but directories; nothing where there is no such directory.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !dir.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}
