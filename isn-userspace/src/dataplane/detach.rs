//! Detaching: programs off the interfaces, pins away, nothing left behind (S20).

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use isn_common::{
    abi::flow::{Control, Record},
    flow::Direction,
};

use super::{
    attach::open_netlink,
    clsact::{own_filter, remove_filter},
    existing,
    flows::{Flow, Translated},
    holding,
    instance::Instance,
    interfaces,
    keying::{Ends, KeyState, pin},
    lifetime::{self, Life},
    lock::{self, Lock},
    maps::Maps,
    netlink::{Netlink, Way},
    observe::{self, Presence},
    pins::{Note, Pins, absent_is_fine, entries},
    ports, privileges,
    reset::Resetter,
    seat::{self, LinkName},
    status,
    upkeep::Upkeep,
};
use crate::{
    failure::{Explain as _, Failure},
    settings::{Place, Placement, TcFlavour},
};

/// The kernel lets go of a link a moment after its pin is gone.
const LETS_GO_WITHIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// An instance that is being detached: nobody else can change it meanwhile.
pub struct Leaving {
    instance: Instance,
    upkeep: Option<Upkeep>,
    _lock: Lock,
}

impl Leaving {
    /// Opens an instance to detach it; `None` if there is none.
    pub fn open(place: &Place) -> Result<Option<Self>, Failure> {
        privileges::check(&privileges::TO_DETACH)?;
        let Some(instance) = Instance::open(place)? else {
            remove_leftover(&Pins::new(place))?;
            return Ok(None);
        };
        let lock = lock::for_change(&instance.pins.home)?;
        Ok(Some(Self {
            instance,
            upkeep: None,
            _lock: lock,
        }))
    }

    /// Flows with an offset now.
    pub fn translated(&self) -> Result<Translated, Failure> {
        self.instance.translated()
    }

    /// How keyed mode stands: flows of it that are silent have no entry, and cannot be counted.
    pub fn key_state(&self) -> Result<KeyState, Failure> {
        self.instance.key_state()
    }

    /// Keeps the entries of keyed flows that are known, which otherwise go when these are silent for long, so that they can be
    /// waited for. Where there is no room, they are waited for until they go.
    pub fn keep_known(&mut self) -> Result<(), Failure> {
        if !self.instance.settings.keyed.is_in_use() {
            return Ok(());
        }
        let upkeep = match &mut self.upkeep {
            Some(upkeep) => upkeep,
            none => none.insert(Upkeep::load(&self.instance.pins)?),
        };
        let keyed = |_: Ends, record: &Record| record.control().has(Control::KEYED);
        pin(upkeep, &self.instance.maps, &keyed).map(drop)
    }

    /// Tells the data plane to make no new offset, or to go on as before.
    pub fn set_draining(&mut self, draining: bool) -> Result<(), Failure> {
        let mut settings = self.instance.maps.settings()?;
        settings.draining = draining.into();
        self.instance.maps.write_settings(&settings)
    }

    /// What resets connections of this instance.
    pub fn resetter(&self) -> Result<Resetter, Failure> {
        let links = self.instance.pins.pinned_links()?;
        let placement = links
            .first()
            .map_or(Placement::Inside, |name| name.placement);
        Resetter::open(placement)
    }

    /// The flows that have an offset, and whether detaching would break them.
    pub fn flows(&self) -> Result<Vec<(Flow, bool)>, Failure> {
        let (now, settings) = (super::now(), &self.instance.settings);
        let mut flows = self.instance.flows()?;
        flows.retain(|flow| !flow.record.translation().is_none());
        let lives =
            |flow: &Flow| lifetime::life(flow.place, &flow.record, settings, now) == Life::Live;
        Ok(flows.into_iter().map(|it| (it, lives(&it))).collect())
    }

    /// Takes everything away.
    pub fn remove(self) -> Result<(), Failure> {
        remove(&self.instance.pins)
    }
}

/// Takes away everything in the instance's directory, whatever it is and whoever made it, even if the
/// maps cannot be read; false if there is no such instance. No symbolic link is followed, and no
/// program is touched that is neither pinned there nor runs on the instance's own maps.
pub fn force(place: &Place) -> Result<bool, Failure> {
    privileges::check(&privileges::TO_DETACH)?;
    let pins = Pins::new(place);
    if is_link(&pins.root) {
        return Err(Failure::new(
            format!("cannot detach instance `{}`", place.instance),
            format!(
                "{} is a symbolic link, and what it leads to is not looked at",
                pins.root.display()
            ),
            "find out who made it, and remove it by hand",
        ));
    }
    if is_link(&pins.home) {
        remove_file(&pins.home)?;
        remove_root(&pins)?;
        return Ok(true);
    }
    if !status::exists(&pins)? {
        remove_leftover(&pins)?;
        return Ok(false);
    }
    let _lock = lock::for_change(&pins.home)?;
    for dir in [pins.links(), pins.notes()]
        .iter()
        .filter(|dir| is_link(dir))
    {
        remove_file(dir)?;
    }
    remove(&pins)?;
    Ok(true)
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Removes the directories that an attach has left that was killed before it had pinned anything.
fn remove_leftover(pins: &Pins) -> Result<(), Failure> {
    if !pins.home.is_dir() {
        return Ok(());
    }
    // Somebody who has just begun to attach holds the lock.
    match lock::try_lock(&pins.home)? {
        Some(_lock) => remove_directories(pins),
        None => Ok(()),
    }
}

fn remove(pins: &Pins) -> Result<(), Failure> {
    let mut netlink = open_netlink()?;
    let pinned: Vec<LinkName> = entries(&pins.links())?
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    check_reach(pins, &pinned)?;
    let programs = own_programs(pins, &mut netlink, &pinned);
    let notes = pins.known().unwrap_or_default().notes;
    forget_seats(pins, &notes)?;
    // From here on the kernel forwards everything, and translates what it hands to the inside interface.
    if seat::forwards(&pinned) {
        ports::close(pins);
    }
    // What makes offsets goes first: until nothing makes them any more, what takes them back must stay.
    for direction in [Direction::Outbound, Direction::Inbound] {
        let mut going = programs.clone();
        going.retain(|(name, _)| name.direction() == direction);
        remove_filters(&mut netlink, &going)?;
        for name in pinned.iter().filter(|it| it.direction() == direction) {
            remove_file(&pins.link(*name))?;
        }
        wait_until_gone(pins, &mut netlink, &going)?;
    }
    for name in entries(&pins.links())? {
        remove_file(&pins.links().join(name))?;
    }
    remove_qdiscs(&notes, &mut netlink)?;
    for name in entries(&pins.notes())? {
        remove_file(&pins.notes().join(name))?;
    }
    for name in entries(&pins.home)? {
        let path = pins.home.join(name);
        if is_link(&path) || path.is_file() {
            remove_file(&path)?;
        }
    }
    remove_directories(pins)
}

/// So that a process that stays does not put back what goes. Whose the qdiscs are stays noted until they are gone.
fn forget_seats(pins: &Pins, notes: &BTreeMap<u32, Note>) -> Result<(), Failure> {
    for (ifindex, note) in notes {
        let note = Note {
            seats: Vec::new(),
            ..note.clone()
        };
        pins.write_note(*ifindex, &note).explain(
            format!("cannot change the note about `{}`", note.interface),
            "run it as root",
        )?;
    }
    Ok(())
}

/// Links go with their pins, in whatever namespace their interface is; filters must be removed from
/// the inside.
fn check_reach(pins: &Pins, pinned: &[LinkName]) -> Result<(), Failure> {
    let filters = pinned
        .iter()
        .any(|name| name.seat.flavour() == Some(TcFlavour::Clsact));
    match Maps::open(pins).and_then(|maps| maps.settings()) {
        Ok(settings) if filters => existing::check_namespace(&settings),
        _ => Ok(()),
    }
}

/// Programs of ours in the seats that pins or notes tell of: what else a pin may hold is only unpinned. The program of a filter need
/// not be the one that is pinned, where a replacement was broken off.
fn own_programs(pins: &Pins, netlink: &mut Netlink, pinned: &[LinkName]) -> Vec<(LinkName, u32)> {
    let ids = holding::pinned_maps(pins).unwrap_or_default();
    let mut seats = pins.known().unwrap_or_default().seats;
    seats.extend(pinned);
    seats.sort_unstable();
    seats.dedup();
    let mut own = |name: LinkName| {
        if name.seat.flavour() == Some(TcFlavour::Clsact) {
            return own_filter(netlink, name, &ids);
        }
        holding::link(pins, name, &ids).ok()?;
        observe::pinned_program(pins, name).ok()
    };
    let found = seats.iter().map(|name| Some((*name, own(*name)?)));
    found.collect::<Vec<_>>().into_iter().flatten().collect()
}

fn remove_filters(netlink: &mut Netlink, programs: &[(LinkName, u32)]) -> Result<(), Failure> {
    let interfaces = interfaces::all(netlink)?;
    for (name, program) in programs
        .iter()
        .filter(|(name, _)| name.seat.flavour() == Some(TcFlavour::Clsact))
    {
        let Some(interface) = interfaces.iter().find(|it| it.index == name.ifindex) else {
            continue;
        };
        if observe::presence(netlink, interface, name.seat, *program) == Presence::There {
            remove_filter(&interface.name, name.seat.way()).explain(
                format!("cannot remove the clsact filter from `{}`", interface.name),
                "remove it with `tc filter del` and try again",
            )?;
        }
    }
    Ok(())
}

fn wait_until_gone(
    pins: &Pins,
    netlink: &mut Netlink,
    programs: &[(LinkName, u32)],
) -> Result<(), Failure> {
    let deadline = Instant::now() + LETS_GO_WITHIN;
    loop {
        let interfaces = interfaces::all(netlink)?;
        let held = programs.iter().find_map(|(name, program)| {
            let interface = interfaces.iter().find(|it| it.index == name.ifindex)?;
            let presence = observe::presence(netlink, interface, name.seat, *program);
            (presence == Presence::There).then(|| interface.name.clone())
        });
        let Some(held) = held else { return Ok(()) };
        if Instant::now() > deadline {
            return Err(Failure::new(
                format!("cannot detach from `{held}`"),
                "its pin is gone, but another process still holds the link",
                format!(
                    "end what holds it (`bpftool link` and `lsof` tell), then run it again: the \
                     rest is still in {}",
                    pins.home.display()
                ),
            ));
        }
        sleep(LOOK_AGAIN);
    }
}

/// A clsact qdisc goes if it was added for this instance and nobody else has put filters into it.
fn remove_qdiscs(notes: &BTreeMap<u32, Note>, netlink: &mut Netlink) -> Result<(), Failure> {
    for (index, _) in notes.iter().filter(|(_, note)| note.clsact_added) {
        let index = *index;
        let mut in_use = |way| {
            netlink
                .filters(index, way)
                .is_ok_and(|there| !there.is_empty())
        };
        if in_use(Way::Ingress) || in_use(Way::Egress) {
            tracing::warn!("a clsact qdisc stays on interface {index}: others have filters in it");
        } else if netlink.has_clsact(index).unwrap_or(false) {
            netlink.remove_clsact(index).explain(
                format!("cannot remove the clsact qdisc from interface {index}"),
                "remove it with `tc qdisc del`",
            )?;
        }
    }
    Ok(())
}

fn remove_directories(pins: &Pins) -> Result<(), Failure> {
    for dir in [pins.links(), pins.notes(), pins.home.clone()] {
        absent_is_fine(fs::remove_dir(&dir)).explain(
            format!("cannot remove {}", dir.display()),
            "see what else is in it, and remove that by hand",
        )?;
    }
    remove_root(pins)
}

fn remove_root(pins: &Pins) -> Result<(), Failure> {
    match fs::remove_dir(&pins.root) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error).explain(
            format!("cannot remove {}", pins.root.display()),
            "remove it by hand",
        ),
        _ => Ok(()),
    }
}

fn remove_file(path: &Path) -> Result<(), Failure> {
    absent_is_fine(fs::remove_file(path)).explain(
        format!("cannot remove {}", path.display()),
        "run it as root",
    )
}
