//! What the pins of an instance hold: maps of the right shape, and programs of ours on them, where the
//! names of the pins say.

use std::{collections::HashMap, fs, path::Path, sync::OnceLock};

use aya::{maps::MapInfo, programs::ProgramInfo};
use aya_obj::Object as BpfObject;
use isn_common::{
    abi::{ABI_VERSION, maps as names, programs},
    flow::Direction,
};

use super::{
    OBJECT, maps,
    netlink::Way,
    pinned::{Link, Object},
    pins::Pins,
    programs::by_ids,
    seat::{LinkName, Seat},
    trust::distrust,
};
use crate::failure::{Explain as _, Failure};

/// `BPF_TCX_INGRESS` and `BPF_TCX_EGRESS` of `linux/bpf.h`.
const TCX_INGRESS: u32 = 46;
const TCX_EGRESS: u32 = 47;
/// The kernel cuts names of maps and programs after this many octets.
const LONGEST_NAME: usize = 15;
/// Maps that each program of a seat uses.
const USED_BY_ALL: [&str; 3] = [names::COUNTERS, names::TRANSLATED_V4, names::TRANSLATED_V6];

/// Identifiers of an instance's pinned maps, by name.
pub type MapIds = HashMap<String, u32>;

/// Refuses a pin that does not hold what its name says. A pin that sits nowhere any more is fine.
pub fn link(pins: &Pins, name: LinkName, ids: &MapIds) -> Result<(), Failure> {
    let path = pins.link(name);
    if !exists(&path) {
        return Ok(());
    }
    let (program, known) = match open(&path)? {
        Object::Program(info) if is_filter(name) => (info.id(), Some(*info)),
        Object::Link(link) if !is_filter(name) => {
            sits_where_it_says(&link, name).map_err(|why| distrust(&path, why))?;
            (link.program, by_ids(&[link.program]).pop())
        }
        other => {
            let why = format!(
                "it holds {}, which its name does not say",
                other.described()
            );
            return Err(distrust(&path, why));
        }
    };
    // Whoever may not look at programs by their numbers must believe the link.
    let Some(info) = known else {
        tracing::debug!("program {program} of {name} cannot be looked at");
        return Ok(());
    };
    ours(&info, name, ids).map_err(|why| distrust(&path, why))
}

/// Identifiers of the maps that are pinned, by name; none if their layout is another version's, or
/// not yet written.
pub fn pinned_maps(pins: &Pins) -> Result<MapIds, Failure> {
    if !exists(&pins.map(names::SETTINGS)) || settings_version(pins)? != Some(ABI_VERSION) {
        return Ok(MapIds::new());
    }
    let shapes = shapes()?;
    let mut ids = MapIds::new();
    for name in maps::ALL {
        let path = pins.map(name);
        if !exists(&path) {
            continue;
        }
        let info = map(&path)?;
        let wanted = shapes.get(name).ok_or_else(|| {
            let why = "this version has no such map";
            distrust(&path, why)
        })?;
        is_map(&info, name, *wanted).map_err(|why| distrust(&path, why))?;
        ids.insert(name.to_owned(), info.id());
    }
    Ok(ids)
}

/// The shapes of this version's maps, by name. Read from the object once: that has megabytes, and pins are looked at with every scrape.
fn shapes() -> Result<&'static HashMap<String, Shape>, Failure> {
    static SHAPES: OnceLock<HashMap<String, Shape>> = OnceLock::new();
    if let Some(shapes) = SHAPES.get() {
        return Ok(shapes);
    }
    let object = BpfObject::parse(OBJECT).explain(
        "cannot read the BPF object",
        "build isnguard again: the object in it is damaged",
    )?;
    let shape = |map: &aya_obj::Map| Shape {
        kind: map.map_type(),
        key: map.key_size(),
        value: map.value_size(),
    };
    let shapes = object.maps.iter();
    let shapes = shapes.map(|(name, map)| (name.clone(), shape(map)));
    Ok(SHAPES.get_or_init(|| shapes.collect()))
}

/// The version that the settings tell; `None` if their layout is not the one of this version.
fn settings_version(pins: &Pins) -> Result<Option<u32>, Failure> {
    let path = pins.map(names::SETTINGS);
    let info = map(&path)?;
    let shape = Shape {
        kind: aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_ARRAY as u32,
        key: 4,
        // Another version's settings may be of another size: that is for those who read them to say.
        value: info.value_size(),
    };
    is_map(&info, names::SETTINGS, shape).map_err(|why| distrust(&path, why))?;
    Ok(maps::version(pins).ok().flatten())
}

/// What tells maps apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    kind: u32,
    key: u32,
    value: u32,
}

fn is_map(info: &MapInfo, name: &str, wanted: Shape) -> Result<(), String> {
    let called = info.name_as_str().unwrap_or_default();
    if called != cut(name) {
        return Err(format!("it holds a map called `{called}`"));
    }
    let kind = info.map_type().map_or(0, |kind| kind as u32);
    let there = Shape {
        kind,
        key: info.key_size(),
        value: info.value_size(),
    };
    if there == wanted {
        return Ok(());
    }
    Err(format!(
        "it holds a map of type {} with keys of {} and values of {} octets, not of type {} with {} and \
         {}",
        there.kind, there.key, there.value, wanted.kind, wanted.key, wanted.value
    ))
}

const fn is_filter(name: LinkName) -> bool {
    matches!(name.seat, Seat::ClsactIngress | Seat::ClsactEgress)
}

fn sits_where_it_says(link: &Link, name: LinkName) -> Result<(), String> {
    let (kind, attach_type) = match (name.seat, name.seat.way()) {
        (Seat::Xdp | Seat::XdpGeneric | Seat::Forward, _) => ("xdp", None),
        (_, Way::Ingress) => ("tcx", Some(TCX_INGRESS)),
        (_, Way::Egress) => ("tcx", Some(TCX_EGRESS)),
    };
    if link.kind != kind {
        return Err(format!(
            "it holds a link of type `{}`, not {kind}",
            link.kind
        ));
    }
    if link.ifindex != 0 && link.ifindex != name.ifindex {
        return Err(format!(
            "it holds a link on interface {}, and its name says {}",
            link.ifindex, name.ifindex
        ));
    }
    match (link.attach_type, attach_type) {
        (Some(there), Some(wanted)) if there != wanted => Err(format!(
            "it holds a link for {} packets",
            if there == TCX_INGRESS {
                "arriving"
            } else {
                "leaving"
            }
        )),
        _ => Ok(()),
    }
}

/// Whether a program is the one that this seat is for, with this instance's maps.
pub fn ours(info: &ProgramInfo, name: LinkName, ids: &MapIds) -> Result<(), String> {
    let wanted = program_name(name);
    let called = info.name_as_str().unwrap_or_default();
    if called != cut(wanted) {
        return Err(format!(
            "its program is `{called}` (id {}), not `{wanted}`",
            info.id()
        ));
    }
    if uses(info, ids) == Some(false) {
        return Err(format!(
            "its program `{called}` (id {}) works on the maps of another instance",
            info.id()
        ));
    }
    Ok(())
}

/// Whether a program works on these maps; `None` if the kernel does not tell.
pub fn uses(info: &ProgramInfo, ids: &MapIds) -> Option<bool> {
    let used = info.map_ids().ok().flatten()?;
    let known = USED_BY_ALL.iter().filter_map(|name| ids.get(*name));
    let (mut any, mut all) = (false, true);
    for id in known {
        any = true;
        all &= used.contains(id);
    }
    any.then_some(all)
}

/// Name of the program that a seat is for.
#[must_use]
pub const fn program_name(name: LinkName) -> &'static str {
    match (name.seat, name.direction()) {
        (Seat::Forward, Direction::Outbound) => programs::FORWARD_OUT,
        (Seat::Forward, Direction::Inbound) => programs::FORWARD_IN,
        (Seat::Xdp | Seat::XdpGeneric, Direction::Outbound) => programs::XDP_OUT,
        (Seat::Xdp | Seat::XdpGeneric, Direction::Inbound) => programs::XDP_IN,
        (_, Direction::Outbound) => programs::TC_OUT,
        (_, Direction::Inbound) => programs::TC_IN,
    }
}

fn cut(name: &str) -> &str {
    name.get(..LONGEST_NAME).unwrap_or(name)
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn open(path: &Path) -> Result<Object, Failure> {
    Object::open(path).map_err(|error| distrust(path, format!("it cannot be opened ({error})")))
}

fn map(path: &Path) -> Result<MapInfo, Failure> {
    match open(path)? {
        Object::Map(data) => data
            .info()
            .map_err(|error| distrust(path, format!("it cannot be looked at ({error})"))),
        other => Err(distrust(
            path,
            format!("it holds {}, no map", other.described()),
        )),
    }
}
