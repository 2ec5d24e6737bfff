//! Sitting down on one interface: the hook chosen, both programs attached, or those that sit there
//! replaced.

use super::{
    attacher::Attacher,
    hook::{self, Hook, Plan},
    netlink::Way,
    observe,
    pins::{Note, absent_is_fine},
    refusal::NotAttached,
    seat::{LinkName, Seat},
    target::Target,
};
use crate::{
    failure::{Explain as _, Failure},
    settings::{HookChoice, Request, TcFlavour},
};

/// Puts both programs on an interface.
pub fn sit(
    attacher: &mut Attacher<'_>,
    request: &Request,
    target: &Target,
    warnings: &mut Vec<String>,
) -> Result<(), Failure> {
    let index = target.interface.index;
    let before = attacher.pins.note(index);
    let note = before.clone().unwrap_or_else(|| Note {
        interface: target.interface.name.clone(),
        reason: "unknown: the note about it was lost".into(),
        clsact_added: false,
    });
    let flavour = target.flavour().or(request.tc_flavour);
    let mut seating = Seating {
        attacher,
        target,
        flavour,
        note,
    };
    for way in [Way::Ingress, Way::Egress] {
        seating.fill(way, request)?;
    }
    let Seating { attacher, note, .. } = seating;
    if before.as_ref() != Some(&note) {
        attacher.pins.write_note(index, &note).explain(
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
    }
    let hook = target.hook();
    if hook.is_none() {
        warnings.extend(seated_hook(attacher, target).and_then(|hook| {
            hook::warning(
                hook,
                &target.interface.name,
                target.interface.kind.as_deref(),
            )
        }));
    }
    Ok(())
}

fn seated_hook(attacher: &Attacher<'_>, target: &Target) -> Option<Hook> {
    let pinned = attacher.pins.pinned_links().ok()?;
    let mut own = pinned
        .into_iter()
        .filter(|name| name.ifindex == target.interface.index);
    own.find(|name| name.seat.way() == Way::Ingress)
        .map(|name| name.seat.hook())
}

struct Seating<'a, 'b> {
    attacher: &'a mut Attacher<'b>,
    target: &'a Target,
    flavour: Option<TcFlavour>,
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

    /// Replaces the program that sits there, or attaches one.
    fn fill(&mut self, way: Way, request: &Request) -> Result<(), Failure> {
        let interface = &self.target.interface;
        let pinned = self
            .target
            .pinned
            .iter()
            .find(|name| name.seat.way() == way)
            .copied();
        if let Some(name) = pinned {
            let (pins, netlink) = (self.attacher.pins, &mut *self.attacher.netlink);
            if observe::seat(pins, netlink, interface, name).runs() {
                self.attacher.replace(interface, name)?;
                tracing::debug!("replaced the program at {name}");
                return Ok(());
            }
            absent_is_fine(std::fs::remove_file(pins.link(name))).explain(
                format!("cannot remove the dead pin {name}"),
                "remove it by hand",
            )?;
        }
        match way {
            Way::Egress => self.tc(way)?,
            Way::Ingress => self.ingress(request)?,
        }
        tracing::debug!("attached to `{}`, {way:?}", self.target.interface.name);
        Ok(())
    }

    fn ingress(&mut self, request: &Request) -> Result<(), Failure> {
        let kind = self.target.interface.kind.as_deref();
        let choice = request.hook.unwrap_or(HookChoice::Auto);
        let plan = match self.target.hook() {
            Some(hook) => Plan::Only(hook, self.note.reason.clone()),
            None => hook::plan(choice, kind),
        };
        self.note.reason = match plan {
            Plan::Only(Hook::Tc, reason) => {
                self.tc(Way::Ingress)?;
                reason
            }
            Plan::Only(hook, reason) => {
                let seat = if hook == Hook::Xdp {
                    Seat::Xdp
                } else {
                    Seat::XdpGeneric
                };
                self.xdp(seat)
                    .map_err(|error| self.hook_refused(hook, error))?;
                reason
            }
            Plan::XdpElseTc => match self.xdp(Seat::Xdp) {
                Ok(()) => hook::DRIVER_SERVES.into(),
                Err(NotAttached::NotOffered(error)) => {
                    self.tc(Way::Ingress)?;
                    hook::driver_refused(&error)
                }
                Err(NotAttached::Failed(failure)) => return Err(failure),
            },
        };
        Ok(())
    }

    fn xdp(&mut self, seat: Seat) -> Result<(), NotAttached> {
        self.attacher.xdp(&self.target.interface, self.name(seat))
    }

    fn hook_refused(&self, hook: Hook, error: NotAttached) -> Failure {
        let error = match error {
            NotAttached::Failed(failure) => return failure,
            NotAttached::NotOffered(error) => error,
        };
        Failure::new(
            format!(
                "cannot attach to `{}` with --hook {}",
                self.target.interface.name,
                hook.name()
            ),
            format!("the driver refused it: {error}"),
            "use --hook auto or --hook tc; or see whether the MTU is too large for XDP, or large \
             receive offload is on (ethtool -k)",
        )
    }

    fn tc(&mut self, way: Way) -> Result<(), Failure> {
        let interface = &self.target.interface;
        if self.flavour != Some(TcFlavour::Clsact) {
            let name = self.name(Seat::tc(TcFlavour::Tcx, way));
            match self.attacher.tcx(interface, name) {
                Ok(()) => return Ok(()),
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
        self.note.clsact_added |= self.attacher.clsact(interface, name)?;
        Ok(())
    }
}
