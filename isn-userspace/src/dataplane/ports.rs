//! Between which interfaces frames are forwarded in XDP. The maps come last when an instance is attached and first when it goes:
//! an interface that is not in them leaves its frames to the kernel, as they came.

use std::collections::{BTreeMap, BTreeSet};

use aya::maps::{HashMap, MapData, MapError, xdp::DevMapHash};
use isn_common::abi::{forward::Port, maps as names};

use super::{interfaces::Interface, maps::open, pins::Pins, target::Target, undo::Undo};
use crate::{
    doctor::rp_filter,
    failure::{Explain as _, Failure},
    settings::{Placement, cannot_forward},
};

/// What the data plane is to know of each interface, by its index.
pub type Wanted = BTreeMap<u32, (Placement, Port)>;

/// The maps.
struct Ports {
    known: HashMap<MapData, u32, Port>,
    to_hosts: DevMapHash<MapData>,
    to_peers: DevMapHash<MapData>,
}

/// What an interface is in the maps.
#[must_use]
pub fn port(interface: &Interface) -> Port {
    let flags = match rp_filter(&interface.name) {
        Ok(1) => Port::SOURCE_HERE,
        Ok(0) => 0,
        // Where it cannot be read, sources are looked at.
        _ => Port::SOURCE_KNOWN,
    };
    Port {
        address: interface.address,
        flags,
    }
}

/// What the maps are to hold for these interfaces.
#[must_use]
pub fn wanted<'a>(targets: impl Iterator<Item = &'a Target>) -> Wanted {
    targets
        .filter(|target| target.forwards)
        .map(|target| {
            let interface = &target.interface;
            (interface.index, (target.placement, port(interface)))
        })
        .collect()
}

/// Opens the way between these interfaces and no others; the way back is noted. Whether anything was otherwise.
pub fn lay(pins: &Pins, wanted: &Wanted, undo: &mut Undo) -> Result<bool, Failure> {
    if wanted.len() > names::MOST_PORTS as usize {
        return Err(cannot_forward(
            format!(
                "{} interfaces are named, and there is room for {}",
                wanted.len(),
                names::MOST_PORTS
            ),
            "name fewer",
        ));
    }
    let mut ports = Ports::open(pins)?;
    let before = ports.held().explain(
        "cannot read between which interfaces packets are forwarded",
        "run it as root",
    )?;
    if before == *wanted {
        return Ok(false);
    }
    let back = pins.clone();
    undo.push("interfaces that forward", move || {
        Ports::open(&back)?.write(&before)
    });
    ports.write(wanted).explain(
        "cannot say between which interfaces packets are to be forwarded",
        "run it as root, in the network namespace of the interfaces",
    )?;
    Ok(true)
}

/// Leaves all frames to the kernel from now on, as far as the maps can be opened.
pub fn close(pins: &Pins) {
    let closed = Ports::open(pins)
        .map_err(anyhow::Error::from)
        .and_then(|mut ports| ports.write(&Wanted::new()));
    if let Err(error) = closed {
        tracing::debug!("forwarding is not closed before the programs go: {error:#}");
    }
}

/// What an instance's maps hold.
pub fn held(pins: &Pins) -> Result<Wanted, Failure> {
    Ports::open(pins)?.held().explain(
        "cannot read between which interfaces packets are forwarded",
        "run it as root",
    )
}

impl Ports {
    fn open(pins: &Pins) -> Result<Self, Failure> {
        Ok(Self {
            known: open(pins, names::PORTS)?,
            to_hosts: open(pins, names::TO_HOSTS)?,
            to_peers: open(pins, names::TO_PEERS)?,
        })
    }

    /// Interfaces that are whole: known by their address, and ways out for frames of the other side.
    fn held(&self) -> Result<Wanted, MapError> {
        let ports: BTreeMap<u32, Port> = self.known.iter().collect::<Result<_, _>>()?;
        let mut held = Wanted::new();
        for (devices, side) in [
            (&self.to_hosts, Placement::Inside),
            (&self.to_peers, Placement::Outside),
        ] {
            for index in keys(devices)? {
                let port = ports.get(&index).copied();
                held.insert(index, (side, port.unwrap_or(UNKNOWN)));
            }
        }
        for (index, port) in ports {
            held.entry(index).or_insert((Placement::Inside, port));
        }
        Ok(held)
    }

    /// Ways out before ways in, so that a frame that comes in finds its way; and the other way round where interfaces go.
    fn write(&mut self, wanted: &Wanted) -> anyhow::Result<()> {
        let there: Vec<u32> = self.known.keys().collect::<Result<_, _>>()?;
        for index in there.iter().filter(|index| !wanted.contains_key(index)) {
            absent_is_fine(self.known.remove(index))?;
        }
        for (devices, side) in [
            (&mut self.to_hosts, Placement::Inside),
            (&mut self.to_peers, Placement::Outside),
        ] {
            let belongs = |index: &u32| wanted.get(index).is_some_and(|it| it.0 == side);
            let there = keys(devices)?;
            for index in there.iter().filter(|index| !belongs(index)) {
                absent_is_fine(devices.remove(*index))?;
            }
            for index in wanted.keys().filter(|index| belongs(index)) {
                if !there.contains(index) {
                    devices.insert(*index, *index, None, 0)?;
                }
            }
        }
        for (index, (_, port)) in wanted {
            self.known.insert(index, port, 0)?;
        }
        Ok(())
    }
}

/// An address that no interface has: never what is wanted.
const UNKNOWN: Port = Port {
    address: [0; 6],
    flags: u16::MAX,
};

fn keys(devices: &DevMapHash<MapData>) -> Result<BTreeSet<u32>, MapError> {
    devices.keys().collect()
}

/// The kernel takes an interface that goes out of the maps by itself.
fn absent_is_fine(removed: Result<(), MapError>) -> Result<(), MapError> {
    match removed {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error))
            if error.io_error.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(())
        }
        other => other,
    }
}
