//! Where the data plane of an instance is kept: `BPFFS/isnguard/NAME/`, mode 0700.
//!
//! | path | what |
//! |---|---|
//! | `MAP` | the map of that name (`isn_common::abi::maps`) |
//! | `links/PLACEMENT_IFINDEX_HOOK` | the link at that hook; for a clsact filter, which is no link, its program |
//! | `notes/IFINDEX` | a symbolic link that leads nowhere; its target is a [`Note`] as JSON |
//! | `notes/reload` | another one: what became of the last configuration that was to be taken over |
//!
//! A BPF file system holds pins, directories and symbolic links, nothing else, and goes when the
//! machine stops, as interfaces do. So a note lives exactly as long as what it is about.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{seat::LinkName, undo::Undo};
use crate::{
    failure::{Explain as _, Failure},
    settings::Place,
};

/// Paths of an instance's pins.
#[derive(Clone, Debug)]
pub struct Pins {
    /// `BPFFS/isnguard`, shared by all instances.
    pub root: PathBuf,
    /// The instance's own directory.
    pub home: PathBuf,
}

/// What cannot be read back from the kernel about an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its name when it was attached.
    pub interface: String,
    /// Why this hook was chosen.
    pub reason: String,
    /// Whether the clsact qdisc was added for this instance.
    pub clsact_added: bool,
    /// Names of the pins of both programs, so that what is lost can be put back.
    #[serde(default)]
    pub seats: Vec<String>,
}

/// What an instance sits on, whether or not it is still there.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Seats: all that are pinned, and those of which only a note tells.
    pub seats: Vec<LinkName>,
    /// Notes by the index of their interface.
    pub notes: BTreeMap<u32, Note>,
}

impl Pins {
    /// The paths for a place; nothing is opened or created.
    #[must_use]
    pub fn new(place: &Place) -> Self {
        let root = place.bpffs.join("isnguard");
        let home = root.join(place.instance.as_str());
        Self { root, home }
    }

    /// Directory of links.
    #[must_use]
    pub fn links(&self) -> PathBuf {
        self.home.join("links")
    }

    /// Directory of notes.
    #[must_use]
    pub fn notes(&self) -> PathBuf {
        self.home.join("notes")
    }

    /// Pin of a map.
    #[must_use]
    pub fn map(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// Pin of a link.
    #[must_use]
    pub fn link(&self, name: LinkName) -> PathBuf {
        self.links().join(name.to_string())
    }

    /// All links that are pinned, in the order of their names.
    pub fn pinned_links(&self) -> Result<Vec<LinkName>, Failure> {
        let mut names = Vec::new();
        for name in entries(&self.links())? {
            names.push(name.parse().map_err(|()| {
                Failure::new(
                    format!("cannot read {}", self.links().display()),
                    format!("`{name}` is not a pin of this version"),
                    "use the isnguard version that made it, or remove it",
                )
            })?);
        }
        names.sort_unstable();
        Ok(names)
    }

    /// All seats that pins or notes tell of, and all notes.
    pub fn known(&self) -> Result<Known, Failure> {
        let mut seats = self.pinned_links()?;
        let mut notes = BTreeMap::new();
        for name in entries(&self.notes())? {
            if let Ok(ifindex) = name.parse() {
                notes.extend(self.note(ifindex).map(|note| (ifindex, note)));
            }
        }
        for (ifindex, note) in &notes {
            let told = note.seats.iter().filter_map(|name| name.parse().ok());
            for seat in told.filter(|it: &LinkName| it.ifindex == *ifindex) {
                let same =
                    |it: &LinkName| it.ifindex == *ifindex && it.seat.way() == seat.seat.way();
                if !seats.iter().any(same) {
                    seats.push(seat);
                }
            }
        }
        seats.sort_unstable();
        Ok(Known { seats, notes })
    }

    /// What was noted about an interface.
    #[must_use]
    pub fn note(&self, ifindex: u32) -> Option<Note> {
        let target = fs::read_link(self.notes().join(ifindex.to_string())).ok()?;
        serde_json::from_str(target.to_str()?).ok()
    }

    /// Notes something about an interface, in place of what was noted before, in one step: killed in between, one of the two is there.
    pub fn write_note(&self, ifindex: u32, note: &Note) -> anyhow::Result<()> {
        let path = self.notes().join(ifindex.to_string());
        let new = self.notes().join(format!("{ifindex}_new"));
        absent_is_fine(fs::remove_file(&new))?;
        std::os::unix::fs::symlink(serde_json::to_string(note)?, &new)?;
        fs::rename(new, path)?;
        Ok(())
    }

    /// A text that was noted about the instance as a whole; its name is no number and has no dot.
    #[must_use]
    pub fn text_note(&self, name: &str) -> Option<String> {
        let target = fs::read_link(self.notes().join(name)).ok()?;
        target.into_os_string().into_string().ok()
    }

    /// Notes a text of at most 4,000 octets about the instance as a whole, in place of what was noted by this name.
    pub fn write_text_note(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let new = self.notes().join(format!("{name}_new"));
        absent_is_fine(fs::remove_file(&new))?;
        std::os::unix::fs::symlink(text, &new)?;
        fs::rename(new, self.notes().join(name))?;
        Ok(())
    }

    /// Forgets it.
    pub fn remove_text_note(&self, name: &str) -> io::Result<()> {
        absent_is_fine(fs::remove_file(self.notes().join(name)))
    }

    /// Forgets what was noted about an interface.
    pub fn remove_note(&self, ifindex: u32) -> io::Result<()> {
        absent_is_fine(fs::remove_file(self.notes().join(ifindex.to_string())))
    }
}

/// Creates a directory with mode 0700 unless it is there.
pub fn create_dir(dir: &Path, undo: &mut Undo) -> Result<(), Failure> {
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {
            let created = dir.to_owned();
            // Another process may have begun to use it: then it stays.
            undo.push(
                format_args!("directory {}", dir.display()),
                move || match fs::remove_dir(created) {
                    Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
                    other => Ok(other?),
                },
            );
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            Err(error).explain(format!("cannot create {}", dir.display()), "run it as root")
        }
    }
}

/// Names of the entries of a directory; none if there is no such directory.
pub fn entries(dir: &Path) -> Result<Vec<String>, Failure> {
    let remedy = "run it as root";
    let what = || format!("cannot read {}", dir.display());
    let read = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.explain(what(), remedy)?,
    };
    read.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, _>>()
        .explain(what(), remedy)
}

/// Success also where there was nothing to remove.
pub fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_kept_replaced_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let pins = Pins {
            root: dir.path().into(),
            home: dir.path().into(),
        };
        fs::create_dir(pins.notes()).unwrap();
        let mut note = Note {
            interface: "eth0.7".into(),
            reason: "a/b".into(),
            clsact_added: true,
            seats: vec!["inside_3_xdp".into(), "inside_4_tcx_egress".into()],
        };
        assert_eq!(pins.note(3), None);
        pins.write_note(3, &note).unwrap();
        note.clsact_added = false;
        pins.write_note(3, &note).unwrap();
        assert_eq!(pins.note(3), Some(note));
        let known = pins.known().unwrap();
        assert_eq!(known.notes.len(), 1);
        assert_eq!(known.seats, ["inside_3_xdp".parse().unwrap()]);
        pins.remove_note(3).unwrap();
        pins.remove_note(3).unwrap();
        assert_eq!(pins.note(3), None);
    }
}
