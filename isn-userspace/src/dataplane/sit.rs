//! Sitting down on one interface: the hook chosen, both programs attached, or those that sit there
//! replaced.

use super::{
    attacher::Attacher,
    hook::{self, Hook, Plan},
    netlink::Way,
    observe,
    pins::{Note, absent_is_fine},
    refusal::{self, NotAttached},
    seat::{LinkName, Seat},
    target::Target,
};
use crate::{
    failure::{Explain as _, Failure},
    settings::{HookChoice, Placement, TcFlavour},
};

/// What was asked for, as far as it is not settled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    /// Ingress hook.
    pub hook: Option<HookChoice>,
    /// How TC programs are attached.
    pub flavour: Option<TcFlavour>,
    /// Programs that run stay as they are; else those of this version take their place.
    pub keep_running: bool,
}

/// Puts both programs on an interface.
pub fn sit(
    attacher: &mut Attacher<'_>,
    choice: Choice,
    target: &Target,
    warnings: &mut Vec<String>,
) -> Result<(), Failure> {
    let index = target.interface.index;
    let before = attacher.pins.note(index);
    let note = target.note.clone().unwrap_or_else(|| Note {
        interface: String::new(),
        reason: "unknown: the note about it was lost".into(),
        clsact_added: false,
        seats: Vec::new(),
    });
    let mut seating = Seating {
        attacher,
        target,
        flavour: target.flavour().or(choice.flavour),
        keep_running: choice.keep_running,
        note,
    };
    let seats = seating.fill_all(choice.hook)?;
    let Seating { attacher, note, .. } = seating;
    let note = Note {
        interface: target.interface.name.clone(),
        seats: seats.iter().map(ToString::to_string).collect(),
        ..note
    };
    write_note(attacher, index, before, &note)?;
    if target.hook().is_none() {
        let ingress = seats.iter().find(|name| name.seat.way() == Way::Ingress);
        warnings.extend(hook::warning(
            ingress.map_or(Hook::Tc, |name| name.seat.hook()),
            &target.interface.name,
            target.interface.kind.as_deref(),
        ));
    }
    Ok(())
}

fn write_note(
    attacher: &mut Attacher<'_>,
    index: u32,
    before: Option<Note>,
    note: &Note,
) -> Result<(), Failure> {
    if before.as_ref() == Some(note) {
        return Ok(());
    }
    attacher.pins.write_note(index, note).explain(
        format!("cannot write the note about `{}`", note.interface),
        "see whether the BPF file system is writable",
    )?;
    let pins = attacher.pins.clone();
    attacher.undo.push(
        format_args!("note about {}", note.interface),
        move || match before {
            Some(before) => pins.write_note(index, &before),
            None => Ok(pins.remove_note(index)?),
        },
    );
    Ok(())
}

struct Seating<'a, 'b> {
    attacher: &'a mut Attacher<'b>,
    target: &'a Target,
    flavour: Option<TcFlavour>,
    keep_running: bool,
    note: Note,
}

impl Seating<'_, '_> {
    fn name(&self, seat: Seat) -> LinkName {
        LinkName {
            placement: self.target.placement,
            ifindex: self.target.interface.index,
            seat,
        }
    }

    /// Fills the seats of arriving and of leaving packets, as far as there are programs for both. The way to the host comes first: an offset that is not taken back there
    /// would break its connection.
    fn fill_all(&mut self, hook: Option<HookChoice>) -> Result<Vec<LinkName>, Failure> {
        let mut ways = self.target.ways().to_vec();
        if self.target.placement == Placement::Inside {
            ways.reverse();
        }
        ways.into_iter().map(|way| self.fill(way, hook)).collect()
    }

    /// Replaces the program that sits there, or attaches one; says where it sits.
    fn fill(&mut self, way: Way, hook: Option<HookChoice>) -> Result<LinkName, Failure> {
        let interface = &self.target.interface;
        if let Some(name) = self.target.seat(way) {
            let (pins, netlink) = (self.attacher.pins, &mut *self.attacher.netlink);
            if observe::seat(pins, netlink, interface, name).runs() {
                if !self.keep_running {
                    self.attacher.replace(interface, name)?;
                    tracing::debug!("replaced the program at {name}");
                }
                return Ok(name);
            }
            absent_is_fine(std::fs::remove_file(pins.link(name))).explain(
                format!("cannot remove the dead pin {name}"),
                "remove it by hand",
            )?;
        }
        let name = match way {
            Way::Egress => self.tc(way)?,
            Way::Ingress => self.ingress(hook.unwrap_or(HookChoice::Auto))?,
        };
        tracing::debug!("attached to `{}` at {name}", self.target.interface.name);
        Ok(name)
    }

    fn ingress(&mut self, choice: HookChoice) -> Result<LinkName, Failure> {
        let plan = match self.target.hook() {
            _ if self.target.forwards => Plan::Only(Hook::Xdp, hook::FORWARDS.into()),
            Some(hook) => Plan::Only(hook, self.note.reason.clone()),
            None => hook::plan(choice, self.target.interface.traits()),
        };
        let (name, reason) = match plan {
            Plan::Only(Hook::Tc, reason) => (self.tc(Way::Ingress)?, reason),
            Plan::Only(hook, reason) => {
                let seat = match hook {
                    _ if self.target.forwards => Seat::Forward,
                    Hook::Xdp => Seat::Xdp,
                    _ => Seat::XdpGeneric,
                };
                let name = self
                    .xdp(seat)
                    .map_err(|error| self.hook_refused(hook, error))?;
                (name, reason)
            }
            Plan::XdpElseTc => match self.xdp(Seat::Xdp) {
                Ok(name) => (name, hook::DRIVER_SERVES.into()),
                Err(NotAttached::NotOffered(error)) => {
                    (self.tc(Way::Ingress)?, hook::driver_refused(&error))
                }
                Err(NotAttached::Failed(failure)) => return Err(failure),
            },
        };
        self.note.reason = reason;
        Ok(name)
    }

    fn xdp(&mut self, seat: Seat) -> Result<LinkName, NotAttached> {
        let name = self.name(seat);
        self.attacher.xdp(&self.target.interface, name)?;
        Ok(name)
    }

    fn hook_refused(&self, hook: Hook, error: NotAttached) -> Failure {
        let error = match error {
            NotAttached::Failed(failure) => return failure,
            NotAttached::NotOffered(error) => error,
        };
        refusal::driver_refused(&self.target.interface.name, hook, &error)
    }

    fn tc(&mut self, way: Way) -> Result<LinkName, Failure> {
        let interface = &self.target.interface;
        if self.flavour != Some(TcFlavour::Clsact) {
            let name = self.name(Seat::tc(TcFlavour::Tcx, way));
            match self.attacher.tcx(interface, name) {
                Ok(()) => return Ok(name),
                Err(NotAttached::Failed(failure)) => return Err(failure),
                Err(NotAttached::NotOffered(error)) if self.flavour.is_some() => {
                    return Err(Failure::new(
                        format!(
                            "cannot attach to `{}` with --tc-flavour tcx",
                            interface.name
                        ),
                        error,
                        "TCX is there since Linux 6.6; before that, use clsact",
                    ));
                }
                Err(NotAttached::NotOffered(error)) => {
                    tracing::info!("no TCX here ({error}): using clsact filters");
                }
            }
        }
        let name = self.name(Seat::tc(TcFlavour::Clsact, way));
        self.note_qdisc()?;
        self.attacher.clsact(interface, name)?;
        Ok(name)
    }

    /// Notes that the clsact qdisc is this instance's before it is added: killed in between, whoever comes next knows.
    fn note_qdisc(&mut self) -> Result<(), Failure> {
        let index = self.target.interface.index;
        let there = self.attacher.netlink.has_clsact(index);
        if there.explain(
            format!("cannot see the qdiscs of `{}`", self.target.interface.name),
            "see `tc qdisc show`",
        )? {
            return Ok(());
        }
        self.note.clsact_added = true;
        let before = self.attacher.pins.note(index);
        let note = Note {
            interface: self.target.interface.name.clone(),
            ..self.note.clone()
        };
        write_note(self.attacher, index, before, &note)
    }
}
