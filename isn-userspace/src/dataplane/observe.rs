//! What sits where now, as the kernel tells it, and what is wrong with it.

use aya::programs::{
    ProgramInfo, SchedClassifier, TcAttachType,
    links::{FdLink, PinnedLink},
};

use super::{
    clsact::is_own,
    interfaces::Interface,
    netlink::{Netlink, Way},
    pins::Pins,
    programs,
    seat::{LinkName, Seat},
};
use crate::failure::chained;

/// A seat, its program, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The seat.
    pub name: LinkName,
    /// Identifier of the program that should run there.
    pub program: Option<u32>,
    /// Why it does not.
    pub problem: Option<String>,
}

impl Observed {
    /// Whether the program runs.
    #[must_use]
    pub const fn runs(&self) -> bool {
        self.problem.is_none()
    }
}

/// Looks at one seat of an interface.
pub fn seat(pins: &Pins, netlink: &mut Netlink, interface: &Interface, name: LinkName) -> Observed {
    let (program, problem) = match pinned_program(pins, name) {
        Ok(program) => match presence(netlink, interface, name.seat, program) {
            Presence::There | Presence::Unseen => (Some(program), None),
            Presence::Missing(why) => (Some(program), Some(why)),
        },
        Err(_) if !pins.link(name).exists() => (None, Some("somebody has removed its pin".into())),
        Err(error) => (None, Some(format!("its pin cannot be read ({error})"))),
    };
    let device = &interface.name;
    let problem = problem.map(|why| format!("`{device}`: {} does not run: {why}", half(name)));
    Observed {
        name,
        program,
        problem,
    }
}

/// A seat in words: which packets it takes.
#[must_use]
pub fn half(name: LinkName) -> &'static str {
    match name.seat.way() {
        Way::Ingress => "the program for arriving packets",
        Way::Egress => "the program for leaving packets",
    }
}

/// Identifier of the program in a pinned link, or of the pinned program of a filter.
pub fn pinned_program(pins: &Pins, name: LinkName) -> Result<u32, String> {
    let path = pins.link(name);
    match name.seat {
        Seat::ClsactIngress | Seat::ClsactEgress => ProgramInfo::from_pin(path)
            .map(|info| info.id())
            .map_err(|error| chained(&error)),
        Seat::Xdp | Seat::XdpGeneric | Seat::Forward | Seat::TcxIngress | Seat::TcxEgress => {
            PinnedLink::from_pin(path)
                .and_then(|link| FdLink::from(link).info())
                .map(|info| info.program_id())
                .map_err(|error| chained(&error))
        }
    }
}

/// Whether a program runs in a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It does.
    There,
    /// It does not, for this reason.
    Missing(String),
    /// This process may not look: looking at the TCX programs of an interface takes more privilege
    /// than holding a link.
    Unseen,
}

/// The programs at the hook of a seat, as far as this process may look; none for clsact, where each
/// filter has a place of its own.
#[must_use]
pub fn sitting(interface: &Interface, name: LinkName) -> Vec<ProgramInfo> {
    let query = |way| SchedClassifier::query_tcx(&interface.name, way);
    match name.seat {
        Seat::Xdp | Seat::XdpGeneric | Seat::Forward => programs::by_ids(&interface.xdp_programs),
        Seat::TcxIngress => query(TcAttachType::Ingress).map_or_else(|_| Vec::new(), |it| it.1),
        Seat::TcxEgress => query(TcAttachType::Egress).map_or_else(|_| Vec::new(), |it| it.1),
        Seat::ClsactIngress | Seat::ClsactEgress => Vec::new(),
    }
}

/// Looks for a program in a seat of an interface.
pub fn presence(
    netlink: &mut Netlink,
    interface: &Interface,
    seat: Seat,
    program: u32,
) -> Presence {
    match seat {
        Seat::Xdp | Seat::XdpGeneric | Seat::Forward => in_xdp(interface, program),
        Seat::TcxIngress => in_tcx(interface, TcAttachType::Ingress, program),
        Seat::TcxEgress => in_tcx(interface, TcAttachType::Egress, program),
        Seat::ClsactIngress | Seat::ClsactEgress => {
            match netlink.filters(interface.index, seat.way()) {
                Ok(filters)
                    if filters
                        .iter()
                        .any(|it| is_own(it) && it.program == Some(program)) =>
                {
                    Presence::There
                }
                Ok(_) => Presence::Missing("somebody has removed its tc filter".into()),
                Err(_) => Presence::Unseen,
            }
        }
    }
}

fn in_xdp(interface: &Interface, program: u32) -> Presence {
    match interface.xdp_programs[..] {
        [] => Presence::Missing("somebody has taken XDP off the interface".into()),
        ref there if there.contains(&program) => Presence::There,
        ref there => {
            let others: Vec<String> = there.iter().map(|id| programs::described(*id)).collect();
            Presence::Missing(format!(
                "XDP program {} is there instead",
                others.join(", ")
            ))
        }
    }
}

fn in_tcx(interface: &Interface, way: TcAttachType, program: u32) -> Presence {
    match SchedClassifier::query_tcx(&interface.name, way) {
        Ok((_, programs)) if programs.iter().any(|there| there.id() == program) => Presence::There,
        Ok(_) => Presence::Missing("somebody has detached its link".into()),
        Err(_) => Presence::Unseen,
    }
}
