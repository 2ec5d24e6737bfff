//! Which interfaces an instance is to sit on, from what is asked for and what is there. Pure.

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use super::{
    hook::Hook,
    interfaces::Interface,
    netlink::Way,
    pins::{Known, Note},
    seat::{self, LinkName},
};
use crate::{
    failure::Failure,
    settings::{HookChoice, Placed, Placement, Request, TcFlavour, check_one_side},
};

/// An interface to sit on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The interface.
    pub interface: Interface,
    /// Its side.
    pub placement: Placement,
    /// Seats that are settled: pinned here, or lost but noted, or held on an interface of this name
    /// that is gone.
    pub seats: Vec<LinkName>,
    /// What was noted about it.
    pub note: Option<Note>,
    /// Index of the interface of this name that is gone, if this one is in its place.
    pub instead_of: Option<u32>,
    /// Whether the instance forwards in XDP.
    pub forwards: bool,
}

impl Target {
    fn new(interface: &Interface, placement: Placement) -> Self {
        Self {
            interface: interface.clone(),
            placement,
            seats: Vec::new(),
            note: None,
            instead_of: None,
            forwards: false,
        }
    }

    /// Which packets it has programs for.
    #[must_use]
    pub const fn ways(&self) -> &'static [Way] {
        seat::ways(self.placement, self.forwards)
    }

    /// The settled seat of packets that go this way.
    #[must_use]
    pub fn seat(&self, way: Way) -> Option<LinkName> {
        self.seats
            .iter()
            .copied()
            .find(|name| name.seat.way() == way)
    }

    /// The hook of arriving packets, if it is settled.
    #[must_use]
    pub fn hook(&self) -> Option<Hook> {
        self.seat(Way::Ingress).map(|name| name.seat.hook())
    }

    /// How TC is attached, if it is settled.
    #[must_use]
    pub fn flavour(&self) -> Option<TcFlavour> {
        self.seats.iter().find_map(|name| name.seat.flavour())
    }
}

/// An interface that is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Its index.
    pub ifindex: u32,
    /// Its name, or its number where the name was not noted.
    pub name: String,
    /// Its pins, which hold nothing any more.
    pub pins: Vec<LinkName>,
    /// Index of the interface that has its name now.
    pub successor: Option<u32>,
}

/// What to sit on, and the interfaces that are gone, those with a successor too.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Interfaces to sit on.
    pub wanted: Vec<Target>,
    /// Interfaces that are gone.
    pub gone: Vec<Gone>,
}

impl Targets {
    /// The interface that is in the place of one that is gone.
    #[must_use]
    pub fn successor(&self, gone: &Gone) -> Option<&Target> {
        self.wanted
            .iter()
            .find(|target| Some(target.interface.index) == gone.successor)
    }
}

/// Where what is known of an instance is now. An interface that has come back under its name, with
/// another index, is in the place of the one that is gone.
#[must_use]
pub fn there(known: &Known, interfaces: &[Interface]) -> Targets {
    let mut targets = Targets::default();
    let forwards = seat::forwards(&known.seats);
    let with_index = |index: u32| interfaces.iter().find(|it| it.index == index);
    let groups = || {
        known
            .seats
            .chunk_by(|a, b| (a.placement, a.ifindex) == (b.placement, b.ifindex))
    };
    for group in groups() {
        let LinkName {
            placement, ifindex, ..
        } = group[0];
        if let Some(interface) = with_index(ifindex) {
            targets.wanted.push(Target {
                seats: group.to_vec(),
                note: known.notes.get(&ifindex).cloned(),
                forwards,
                ..Target::new(interface, placement)
            });
        }
    }
    for group in groups().filter(|group| with_index(group[0].ifindex).is_none()) {
        let ifindex = group[0].ifindex;
        let note = known.notes.get(&ifindex);
        let name = note.map_or_else(|| format!("#{ifindex}"), |note| note.interface.clone());
        let successor = super::interfaces::usable(interfaces, &name).ok();
        let sits = |it: &&Interface| {
            let mut wanted = targets.wanted.iter();
            wanted.any(|other| other.interface.index == it.index)
        };
        if let Some(successor) = successor.filter(|it| !sits(it)) {
            targets.wanted.push(Target {
                forwards,
                ..in_place_of(group, note, successor)
            });
        }
        targets.gone.push(Gone {
            ifindex,
            name,
            pins: group.to_vec(),
            successor: successor.map(|it| it.index),
        });
    }
    targets
}

/// The seats of an interface that is gone, on the one that has its name now.
fn in_place_of(group: &[LinkName], note: Option<&Note>, successor: &Interface) -> Target {
    let seated = |name: &LinkName| LinkName {
        ifindex: successor.index,
        ..*name
    };
    let note = note.map(|note| Note {
        clsact_added: false,
        seats: Vec::new(),
        ..note.clone()
    });
    Target {
        seats: group.iter().map(seated).collect(),
        note,
        instead_of: Some(group[0].ifindex),
        ..Target::new(successor, group[0].placement)
    }
}

/// Works out the targets; refuses what contradicts what is attached.
pub fn targets(
    request: &Request,
    known: &Known,
    interfaces: &[Interface],
) -> Result<Targets, Failure> {
    let forwards = agree_on_forwarding(request, known)?;
    let Targets { wanted, gone } = there(known, interfaces);
    let mut targets = Targets {
        wanted: Vec::new(),
        gone,
    };
    let mut there: BTreeMap<u32, Target> = wanted
        .into_iter()
        .map(|it| (it.interface.index, it))
        .collect();
    for placed in &request.placed {
        let interface = super::interfaces::usable(interfaces, &placed.interface)?;
        let mut target = there.remove(&interface.index).unwrap_or_else(|| Target {
            // There is one where an attach was killed before it had pinned a program.
            note: known.notes.get(&interface.index).cloned(),
            forwards,
            ..Target::new(interface, placed.placement)
        });
        agree(&target, placed)?;
        target.forwards = forwards;
        // On a new interface a new choice is free.
        if target.instead_of.is_some() && (request.hook.is_some() || request.tc_flavour.is_some()) {
            target.seats.clear();
        }
        targets.wanted.push(target);
    }
    if request.placed.is_empty() {
        targets.wanted = there.into_values().collect();
    } else if !there.is_empty() {
        return Err(attached_elsewhere(request, &there));
    }
    finish(request, targets, forwards)
}

fn finish(request: &Request, targets: Targets, forwards: bool) -> Result<Targets, Failure> {
    if targets.wanted.is_empty() {
        let why = if targets.gone.is_empty() {
            "no interface is named, and the instance is attached to none"
        } else {
            "no interface is named, and those that the instance was attached to are gone"
        };
        return Err(nothing_named(request, why));
    }
    if !forwards {
        check_one_side(targets.wanted.iter().map(|target| target.placement))?;
    }
    for target in &targets.wanted {
        agree_on_hook(request, target)?;
    }
    Ok(targets)
}

/// The refusal to attach to nothing.
pub fn nothing_named(request: &Request, why: &str) -> Failure {
    Failure::new(
        format!("cannot attach instance `{}`", request.place.instance),
        why,
        "name the interface that faces the hosts with --inside, or on a gateway that translates \
         addresses the one that faces the peers with --outside",
    )
}

fn attached_elsewhere(request: &Request, there: &BTreeMap<u32, Target>) -> Failure {
    let names: Vec<String> = there
        .values()
        .map(|target| format!("`{}`", target.interface.name))
        .collect();
    Failure::new(
        format!("cannot attach instance `{}`", request.place.instance),
        format!("it is attached to {} too, not named here", names.join(", ")),
        "name all its interfaces, or none to adopt what is there; or detach it first; or use \
         another --instance",
    )
}

/// Whether the instance forwards in XDP, or is to: that is settled when it is made.
fn agree_on_forwarding(request: &Request, known: &Known) -> Result<bool, Failure> {
    // An attach that was killed early has left the way to the hosts alone, which is the same for both.
    let settled = known
        .seats
        .iter()
        .any(|name| name.seat.way() == Way::Ingress);
    let there = settled.then(|| seat::forwards(&known.seats));
    let refused = |why: &str| {
        Err(Failure::new(
            format!("cannot attach instance `{}`", request.place.instance),
            why,
            "detach it first (isnguard detach --drain), and attach anew",
        ))
    };
    match (there, request.forward) {
        (Some(false), Some(true)) => {
            refused("it is attached without --forward, which is settled when it is attached first")
        }
        (Some(true), Some(false)) => {
            refused("it is attached with --forward, which is settled when it is attached first")
        }
        (Some(there), _) => Ok(there),
        (None, asked) => Ok(asked == Some(true)),
    }
}

fn agree(target: &Target, placed: &Placed) -> Result<(), Failure> {
    if target.placement == placed.placement {
        return Ok(());
    }
    Err(Failure::new(
        format!(
            "cannot attach to `{}` --{}",
            placed.interface,
            placed.placement.name()
        ),
        format!("it is attached --{}", target.placement.name()),
        "detach it first (isnguard detach)",
    ))
}

fn agree_on_hook(request: &Request, target: &Target) -> Result<(), Failure> {
    let wanted = match request.hook {
        None | Some(HookChoice::Auto) => None,
        Some(HookChoice::Xdp) => Some(Hook::Xdp),
        Some(HookChoice::XdpGeneric) => Some(Hook::XdpGeneric),
        Some(HookChoice::Tc) => Some(Hook::Tc),
    };
    let name = &target.interface.name;
    let refused = |has: &str| {
        Err(Failure::new(
            format!("cannot change the hook of `{name}`"),
            format!("it is attached with {has}"),
            "detach it first (isnguard detach), or leave the hook away to keep it",
        ))
    };
    match (wanted, target.hook()) {
        (Some(wanted), Some(there)) if wanted != there => {
            return refused(&format!("--hook {}", there.name()));
        }
        _ => {}
    }
    match (request.tc_flavour, target.flavour()) {
        (Some(TcFlavour::Tcx), Some(TcFlavour::Clsact)) => refused("--tc-flavour clsact"),
        (Some(TcFlavour::Clsact), Some(TcFlavour::Tcx)) => refused("--tc-flavour tcx"),
        _ => Ok(()),
    }
}
