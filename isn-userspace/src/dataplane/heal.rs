//! Putting back what an instance has lost while it was attached: programs that somebody has taken off,
//! interfaces that have come back. What runs is left alone, and flows are kept.

use std::{collections::BTreeSet, fs, path::Path};

use aya::Ebpf;

use super::{
    attach::{came_back, forget, open_netlink},
    attacher::Attacher,
    existing, interfaces, lock,
    maps::Maps,
    netlink::Netlink,
    observe,
    pins::{Note, Pins},
    ports,
    programs::{Capacities, Programs},
    sit::{Choice, sit},
    status,
    target::{self, Target, Targets},
    trust,
    undo::Undo,
};
use crate::{
    failure::{Explain as _, Failure},
    settings::Place,
};

/// What a look at an instance found.
pub enum Looked {
    /// The instance is no more.
    Detached,
    /// Another process is changing it.
    Busy,
    /// It was looked at, and what could be put right was.
    Seen(Seen),
}

/// What was done, and what could not be.
#[derive(Default)]
pub struct Seen {
    /// What was put right, a sentence each.
    pub done: Vec<String>,
    /// Names of interfaces that are gone.
    pub gone: Vec<String>,
    /// What could not be put right; tried again at the next look.
    pub failures: Vec<Failure>,
    /// The object of programs that were put back: holds their log.
    pub object: Option<Ebpf>,
}

/// Looks at an instance and puts back what it has lost.
pub fn heal(place: &Place) -> Result<Looked, Failure> {
    let pins = Pins::new(place);
    trust::directories(&pins)?;
    if !status::exists(&pins)? {
        return Ok(Looked::Detached);
    }
    let _lock = match lock::try_lock(&pins.home) {
        Ok(Some(lock)) => lock,
        Ok(None) => return Ok(Looked::Busy),
        Err(_) if is_gone(&pins.home) => return Ok(Looked::Detached),
        Err(failure) => return Err(failure),
    };
    trust::check(&pins)?;
    let known = pins.known()?;
    if known.seats.is_empty() {
        return Ok(Looked::Detached);
    }
    existing::check_namespace(&Maps::open(&pins)?.settings()?)?;
    let mut netlink = open_netlink()?;
    let targets = target::there(&known, &interfaces::all(&mut netlink)?);
    let mut healing = Healing {
        pins: &pins,
        netlink,
        programs: None,
        seen: Seen::default(),
    };
    healing.look(&targets);
    Ok(Looked::Seen(healing.end()))
}

fn is_gone(dir: &Path) -> bool {
    fs::symlink_metadata(dir).is_err()
}

struct Healing<'a> {
    pins: &'a Pins,
    netlink: Netlink,
    programs: Option<Programs>,
    seen: Seen,
}

impl Healing<'_> {
    /// Each interface for itself: one that cannot be put right does not stand in the way of others.
    fn look(&mut self, targets: &Targets) {
        let mut whole = BTreeSet::new();
        for target in &targets.wanted {
            match self.look_at(target) {
                Ok(()) => drop(whole.insert(target.interface.index)),
                Err(failure) => self.seen.failures.push(failure),
            }
        }
        self.lay_ports(targets, &whole);
        for gone in &targets.gone {
            match targets.successor(gone) {
                Some(new) if whole.contains(&new.interface.index) => {
                    match forget(self.pins, gone) {
                        Ok(()) => self.seen.done.push(came_back(gone, new)),
                        Err(failure) => self.seen.failures.push(failure),
                    }
                }
                Some(_) => {}
                None => self.seen.gone.push(gone.name.clone()),
            }
        }
    }

    fn look_at(&mut self, target: &Target) -> Result<(), Failure> {
        let lost = self.lost(target);
        if !lost.is_empty() {
            self.put_back(target)?;
            if target.instead_of.is_none() {
                let back = lost.into_iter().map(|why| format!("put back: {why}"));
                self.seen.done.extend(back);
            }
        }
        self.follow_name(target)
    }

    /// Has packets forwarded between the interfaces that are whole, as they are now.
    fn lay_ports(&mut self, targets: &Targets, whole: &BTreeSet<u32>) {
        if !targets.wanted.iter().any(|target| target.forwards) {
            return;
        }
        let whole = targets
            .wanted
            .iter()
            .filter(|target| whole.contains(&target.interface.index));
        let mut undo = Undo::default();
        match ports::lay(self.pins, &ports::wanted(whole), &mut undo) {
            Ok(changed) => {
                undo.keep();
                let line = "packets are forwarded between the interfaces as they are now";
                self.seen.done.extend(changed.then(|| line.to_owned()));
            }
            Err(failure) => self.seen.failures.push(failure),
        }
    }

    /// What does not run on an interface, in words.
    fn lost(&mut self, target: &Target) -> Vec<String> {
        let mut lost = Vec::new();
        for way in target.ways() {
            match target.seat(*way) {
                Some(name) => {
                    let seat = observe::seat(self.pins, &mut self.netlink, &target.interface, name);
                    lost.extend(seat.problem);
                }
                None => lost.push(status::missing_half(&target.interface.name, *way)),
            }
        }
        lost
    }

    fn put_back(&mut self, target: &Target) -> Result<(), Failure> {
        let mut undo = Undo::default();
        if self.programs.is_none() {
            let capacities = Capacities::default();
            self.programs = Some(Programs::prepare(self.pins, capacities, false, &mut undo)?);
        }
        let Some(programs) = &mut self.programs else {
            return Ok(());
        };
        let mut attacher = Attacher {
            pins: self.pins,
            programs,
            netlink: &mut self.netlink,
            undo: &mut undo,
        };
        let choice = Choice {
            keep_running: true,
            ..Choice::default()
        };
        sit(&mut attacher, choice, target, &mut Vec::new())?;
        undo.keep();
        Ok(())
    }

    fn follow_name(&mut self, target: &Target) -> Result<(), Failure> {
        let interface = &target.interface;
        let Some(note) = self.pins.note(interface.index) else {
            return Ok(());
        };
        if note.interface == interface.name {
            return Ok(());
        }
        let before = note.interface.clone();
        let note = Note {
            interface: interface.name.clone(),
            ..note
        };
        self.pins.write_note(interface.index, &note).explain(
            format!("cannot write the note about `{}`", interface.name),
            "see whether the BPF file system is writable",
        )?;
        let line = format!("`{before}` is called `{}` now", interface.name);
        self.seen.done.push(line);
        Ok(())
    }

    fn end(self) -> Seen {
        Seen {
            object: self.programs.map(Programs::into_ebpf),
            ..self.seen
        }
    }
}
