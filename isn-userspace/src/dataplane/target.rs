//! Which interfaces an instance is to sit on, from what is asked for and what is there. Pure.

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use super::{hook::Hook, interfaces::Interface, seat::LinkName};
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
    /// Pins that are there already.
    pub pinned: Vec<LinkName>,
}

impl Target {
    /// The hook of arriving packets, if it is settled by a pin.
    #[must_use]
    pub fn hook(&self) -> Option<Hook> {
        let ingress = |name: &&LinkName| name.seat.way() == super::netlink::Way::Ingress;
        self.pinned
            .iter()
            .find(ingress)
            .map(|name| name.seat.hook())
    }

    /// How TC is attached, if it is settled by a pin.
    #[must_use]
    pub fn flavour(&self) -> Option<TcFlavour> {
        self.pinned.iter().find_map(|name| name.seat.flavour())
    }
}

/// What to sit on, and the pins of interfaces that are gone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Interfaces to sit on.
    pub wanted: Vec<Target>,
    /// Pins that hold nothing any more.
    pub stale: Vec<LinkName>,
}

/// Works out the targets; refuses what contradicts what is attached.
pub fn targets(
    request: &Request,
    pinned: &[LinkName],
    interfaces: &[Interface],
) -> Result<Targets, Failure> {
    let mut targets = Targets::default();
    let mut there: BTreeMap<u32, Target> = BTreeMap::new();
    for name in pinned {
        match interfaces
            .iter()
            .find(|interface| interface.index == name.ifindex)
        {
            None => targets.stale.push(*name),
            Some(interface) => there
                .entry(name.ifindex)
                .or_insert_with(|| Target {
                    interface: interface.clone(),
                    placement: name.placement,
                    pinned: Vec::new(),
                })
                .pinned
                .push(*name),
        }
    }
    for placed in &request.placed {
        let interface = super::interfaces::usable(interfaces, &placed.interface)?;
        let target = there.remove(&interface.index).unwrap_or_else(|| Target {
            interface: interface.clone(),
            placement: placed.placement,
            pinned: Vec::new(),
        });
        agree(&target, placed)?;
        targets.wanted.push(target);
    }
    if request.placed.is_empty() {
        targets.wanted = there.into_values().collect();
    } else if !there.is_empty() {
        return Err(attached_elsewhere(request, &there));
    }
    finish(request, targets)
}

fn finish(request: &Request, targets: Targets) -> Result<Targets, Failure> {
    if targets.wanted.is_empty() {
        let why = if targets.stale.is_empty() {
            "no interface is named, and the instance is attached to none"
        } else {
            "no interface is named, and those that the instance was attached to are gone"
        };
        return Err(nothing_named(request, why));
    }
    check_one_side(targets.wanted.iter().map(|target| target.placement))?;
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
