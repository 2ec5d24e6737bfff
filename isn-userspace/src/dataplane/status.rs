//! The state of an instance: what is attached where, and what is wrong.

use isn_common::abi::settings::Settings;

use super::{
    attach::open_netlink,
    hook::Hook,
    interfaces::{self, Interface},
    keying::KeyState,
    lock,
    maps::Maps,
    namespace,
    netlink::{Netlink, Way},
    observe::{self, Observed},
    pins::{Known, Pins},
    ports::{self, Wanted},
    seat::{self, LinkName},
    trust,
};
use crate::{
    config::LastReload,
    failure::Failure,
    settings::{Place, Placement, PolicyTable, TcFlavour},
};

/// An interface that the instance sits on.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Name of the interface; the one it had when attached, if it is gone.
    pub interface: String,
    /// Its index.
    pub ifindex: u32,
    /// Its side.
    pub placement: Placement,
    /// Hook of arriving packets, if a program for them is pinned.
    pub hook: Option<Hook>,
    /// Why this hook.
    pub reason: String,
    /// How TC is attached.
    pub flavour: Option<TcFlavour>,
    /// Whether packets that arrive are forwarded in XDP.
    pub forwards: bool,
    /// Identifier of the program for arriving packets.
    pub ingress_program: Option<u32>,
    /// Identifier of the program for leaving packets.
    pub egress_program: Option<u32>,
}

/// The state of an instance.
pub struct Status {
    /// Name of the instance.
    pub instance: String,
    /// Interfaces.
    pub attached: Vec<Attachment>,
    /// Settings.
    pub settings: Settings,
    /// Guarded prefixes.
    pub policy: PolicyTable,
    /// Keyed mode.
    pub key: KeyState,
    /// The process that stays with it, if there is one to be seen.
    pub running: Option<u32>,
    /// What became of the configuration file that was to be taken over last.
    pub last_reload: Option<LastReload>,
    /// What is wrong; empty if all is well.
    pub problems: Vec<String>,
}

/// Reads the state of an instance; `None` if there is no such instance.
pub fn read(place: &Place) -> Result<Option<Status>, Failure> {
    let pins = Pins::new(place);
    trust::directories(&pins)?;
    if !exists(&pins)? {
        return Ok(None);
    }
    trust::check(&pins)?;
    let mut status = read_locked(place, &pins, &mut open_netlink()?)?;
    // Nothing that an attach could put right.
    status.problems.extend(status.key.problem());
    status.last_reload = LastReload::of(place);
    let reload = status.last_reload.as_ref();
    status.problems.extend(reload.and_then(LastReload::problem));
    Ok(Some(status))
}

/// Whether an instance is there: a directory without a single pin is a leftover.
pub fn exists(pins: &Pins) -> Result<bool, Failure> {
    let own = super::pins::entries(&pins.home)?;
    Ok(own.iter().any(|name| name != "links" && name != "notes"))
}

/// Reads the state of an instance that is known to be there.
pub fn read_locked(place: &Place, pins: &Pins, netlink: &mut Netlink) -> Result<Status, Failure> {
    let maps = Maps::open(pins)?;
    let settings = maps.settings()?;
    let mut problems = Vec::new();
    let here = namespace::current()? == settings.network_namespace;
    let interfaces = if here {
        interfaces::all(netlink)?
    } else {
        Vec::new()
    };
    if !here {
        problems.push(format!(
            "the interfaces belong to network namespace {}, not this one: enter it (nsenter \
             --net=...) to see how they are",
            settings.network_namespace
        ));
    }
    let known = pins.known()?;
    if known.seats.is_empty() {
        problems.push("attached to no interface".into());
    }
    if settings.draining() && lock::holder(&pins.home).is_none() {
        problems.push(
            "a detach that drained was broken off: no new offset is made; attach again to go on, or \
             detach"
                .into(),
        );
    }
    let forwards = seat::forwards(&known.seats);
    let open = if forwards {
        ports::held(pins)?
    } else {
        Wanted::new()
    };
    let mut attached = Vec::new();
    for group in known
        .seats
        .chunk_by(|a, b| (a.placement, a.ifindex) == (b.placement, b.ifindex))
    {
        let interface = interfaces
            .iter()
            .find(|interface| interface.index == group[0].ifindex);
        if interface.is_none() && here {
            problems.push(gone(&known, group[0].ifindex, &interfaces));
        }
        let around = Around {
            pins,
            forwards,
            open: &open,
        };
        attached.push(attachment(
            &around,
            netlink,
            group,
            interface,
            &mut problems,
        ));
    }
    Ok(Status {
        instance: place.instance.to_string(),
        attached,
        settings,
        policy: maps.policy()?,
        key: KeyState::read(&maps, &settings.keyed)?,
        running: lock::holder(&pins.links()),
        last_reload: None,
        problems,
    })
}

/// What is the same for all interfaces of an instance.
struct Around<'a> {
    pins: &'a Pins,
    forwards: bool,
    open: &'a Wanted,
}

fn attachment(
    around: &Around<'_>,
    netlink: &mut Netlink,
    group: &[LinkName],
    interface: Option<&Interface>,
    problems: &mut Vec<String>,
) -> Attachment {
    let LinkName {
        placement, ifindex, ..
    } = group[0];
    let Around {
        pins,
        forwards,
        open,
    } = *around;
    let note = pins.note(ifindex);
    let noted = note
        .as_ref()
        .map_or_else(|| format!("#{ifindex}"), |it| it.interface.clone());
    let seats: Vec<Observed> = match interface {
        Some(interface) => group
            .iter()
            .map(|name| observe::seat(pins, netlink, interface, *name))
            .collect(),
        None => group.iter().map(|name| unseen(pins, *name)).collect(),
    };
    problems.extend(seats.iter().filter_map(|seat| seat.problem.clone()));
    if forwards {
        problems.extend(interface.and_then(|it| not_forwarding(it, placement, open)));
    }
    let at = |way| seats.iter().find(|seat| seat.name.seat.way() == way);
    let name = interface.map_or(noted, |interface| interface.name.clone());
    for way in seat::ways(placement, forwards) {
        if at(*way).is_none() {
            problems.push(missing_half(&name, *way));
        }
    }
    Attachment {
        interface: name,
        ifindex,
        placement,
        hook: at(Way::Ingress).map(|seat| seat.name.seat.hook()),
        reason: note.map_or_else(|| "unknown".into(), |note| note.reason),
        forwards,
        flavour: group.iter().find_map(|name| name.seat.flavour()),
        ingress_program: at(Way::Ingress).and_then(|seat| seat.program),
        egress_program: at(Way::Egress).and_then(|seat| seat.program),
    }
}

/// Why frames of an interface are left to the kernel, where they were to be forwarded.
fn not_forwarding(interface: &Interface, placement: Placement, open: &Wanted) -> Option<String> {
    let wanted = (placement, ports::port(interface));
    if open.get(&interface.index) == Some(&wanted) {
        return None;
    }
    Some(format!(
        "`{}`: packets are forwarded by the kernel, not in XDP, since the interface is otherwise than when it was attached \
         (its address, or rp_filter); attach again, or let `isnguard run` do it",
        interface.name
    ))
}

fn gone(known: &Known, ifindex: u32, interfaces: &[Interface]) -> String {
    let name = known
        .notes
        .get(&ifindex)
        .map_or_else(|| format!("#{ifindex}"), |note| note.interface.clone());
    match interfaces.iter().find(|interface| interface.name == name) {
        Some(new) => format!(
            "`{name}` is another interface now (index {}, it was {ifindex}) and not guarded yet; attach \
             again, or let `isnguard run` do it",
            new.index
        ),
        None => format!(
            "`{name}` is gone; once it is back, attach again or let `isnguard run` do it; detach \
             removes what is left of it"
        ),
    }
}

fn unseen(pins: &Pins, name: LinkName) -> Observed {
    Observed {
        name,
        program: observe::pinned_program(pins, name).ok(),
        problem: None,
    }
}

/// Says that nothing is pinned for packets that go this way.
pub fn missing_half(interface: &str, way: Way) -> String {
    let packets = match way {
        Way::Ingress => "arriving",
        Way::Egress => "leaving",
    };
    format!(
        "`{interface}`: the program for {packets} packets is missing; attach again to put it back"
    )
}
