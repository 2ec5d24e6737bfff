//! Whose a program is: who has pinned it or its link, and which processes hold one.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::dataplane::pinned::Object;

/// Pins and processes that are looked at: a machine with more shows some owners less.
const MOST_PINS: usize = 4096;
const MOST_PROCESSES: usize = 65_536;

/// Owners in words, by the identifier of a program.
#[derive(Debug, Default)]
pub struct Owners(BTreeMap<u32, Vec<String>>);

impl Owners {
    /// Looks below these BPF file systems and at all processes that this one may look at.
    #[must_use]
    pub fn look(file_systems: &[PathBuf]) -> Self {
        let mut owners = Self::default();
        let mut left = MOST_PINS;
        for dir in file_systems {
            owners.pins_below(dir, &mut left);
        }
        owners.processes();
        owners
    }

    /// Those of a program.
    #[must_use]
    pub fn of(&self, program: u32) -> Vec<String> {
        self.0.get(&program).cloned().unwrap_or_default()
    }

    fn add(&mut self, program: u32, owner: String) {
        let owners = self.0.entry(program).or_default();
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }

    fn pins_below(&mut self, dir: &Path, left: &mut usize) {
        let Ok(entries) = fs::read_dir(dir) else {
            return;
        };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = entry.path();
            if kind.is_dir() {
                self.pins_below(&path, left);
            } else if kind.is_file() && *left > 0 {
                *left -= 1;
                let pinned = || format!("pinned at {}", path.display());
                match Object::open(&path) {
                    Ok(Object::Program(info)) => self.add(info.id(), pinned()),
                    Ok(Object::Link(link)) => self.add(link.program, pinned()),
                    _ => {}
                }
            }
        }
    }

    fn processes(&mut self) {
        let Ok(entries) = fs::read_dir("/proc") else {
            return;
        };
        let own = std::process::id();
        for entry in entries.flatten().take(MOST_PROCESSES) {
            let name = entry.file_name();
            let Some(process) = name.to_str().and_then(|it| it.parse::<u32>().ok()) else {
                continue;
            };
            if process != own {
                self.descriptors_of(process, &entry.path());
            }
        }
    }

    fn descriptors_of(&mut self, process: u32, dir: &Path) {
        // A process that others may not look at, or that has just ended.
        let Ok(entries) = fs::read_dir(dir.join("fdinfo")) else {
            return;
        };
        for entry in entries.flatten() {
            let told = fs::read_to_string(entry.path()).unwrap_or_default();
            if let Some(program) = program_in(&told) {
                let name = fs::read_to_string(dir.join("comm")).unwrap_or_default();
                self.add(program, format!("held by {} ({process})", shown(&name)));
            }
        }
    }
}

/// The program that a descriptor of a program or link is about.
fn program_in(told: &str) -> Option<u32> {
    let line = told.lines().find_map(|it| it.strip_prefix("prog_id:"))?;
    line.trim().parse().ok()
}

/// A process may call itself anything.
fn shown(name: &str) -> String {
    name.trim_end().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_of_programs_and_links_tell_the_program() {
        let link = "pos:\t0\nflags:\t02000002\nlink_type:\txdp\nlink_id:\t9\nprog_id:\t77\n";
        assert_eq!(program_in(link), Some(77));
        assert_eq!(program_in("pos:\t0\nflags:\t02\n"), None);
        assert_eq!(shown("bad\x1b[31m\n"), "bad\\u{1b}[31m");
    }
}
