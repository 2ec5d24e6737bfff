//! Where programs sit, and the names of the pins that stand for them.

use std::{fmt, str::FromStr};

use isn_common::flow::Direction;

use super::{hook::Hook, netlink::Way};
use crate::settings::{Placement, TcFlavour};

/// Where a program sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seat {
    /// Native XDP.
    Xdp,
    /// Generic XDP.
    XdpGeneric,
    /// TCX, packets that arrive.
    TcxIngress,
    /// TCX, packets that leave.
    TcxEgress,
    /// clsact filter, packets that arrive.
    ClsactIngress,
    /// clsact filter, packets that leave.
    ClsactEgress,
    /// Native XDP that forwards.
    Forward,
}

/// Name of a pin in `links/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkName {
    /// Side of the interface.
    pub placement: Placement,
    /// Index of the interface; names may contain dots, which a BPF file system does not take.
    pub ifindex: u32,
    /// Where the program sits.
    pub seat: Seat,
}

impl Seat {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Xdp, "xdp"),
        (Self::XdpGeneric, "xdpgeneric"),
        (Self::TcxIngress, "tcx_ingress"),
        (Self::TcxEgress, "tcx_egress"),
        (Self::ClsactIngress, "clsact_ingress"),
        (Self::ClsactEgress, "clsact_egress"),
        (Self::Forward, "forward"),
    ];

    /// Whether XDP programs sit here.
    #[must_use]
    pub const fn is_xdp(self) -> bool {
        matches!(self, Self::Xdp | Self::XdpGeneric | Self::Forward)
    }

    /// Which packets pass here.
    #[must_use]
    pub const fn way(self) -> Way {
        match self {
            Self::Xdp
            | Self::XdpGeneric
            | Self::TcxIngress
            | Self::ClsactIngress
            | Self::Forward => Way::Ingress,
            Self::TcxEgress | Self::ClsactEgress => Way::Egress,
        }
    }

    /// The hook that this seat belongs to.
    #[must_use]
    pub const fn hook(self) -> Hook {
        match self {
            Self::Xdp | Self::Forward => Hook::Xdp,
            Self::XdpGeneric => Hook::XdpGeneric,
            Self::TcxIngress | Self::TcxEgress | Self::ClsactIngress | Self::ClsactEgress => {
                Hook::Tc
            }
        }
    }

    /// How TC is attached here, if it is TC.
    #[must_use]
    pub const fn flavour(self) -> Option<TcFlavour> {
        match self {
            Self::Xdp | Self::XdpGeneric | Self::Forward => None,
            Self::TcxIngress | Self::TcxEgress => Some(TcFlavour::Tcx),
            Self::ClsactIngress | Self::ClsactEgress => Some(TcFlavour::Clsact),
        }
    }

    /// The seat of a TC program.
    #[must_use]
    pub const fn tc(flavour: TcFlavour, way: Way) -> Self {
        match (flavour, way) {
            (TcFlavour::Tcx, Way::Ingress) => Self::TcxIngress,
            (TcFlavour::Tcx, Way::Egress) => Self::TcxEgress,
            (TcFlavour::Clsact, Way::Ingress) => Self::ClsactIngress,
            (TcFlavour::Clsact, Way::Egress) => Self::ClsactEgress,
        }
    }

    const fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

impl LinkName {
    /// Direction, seen from the host, of the packets that pass here (S22, S23).
    #[must_use]
    pub const fn direction(self) -> Direction {
        match (self.placement, self.seat.way()) {
            (Placement::Inside, Way::Ingress) | (Placement::Outside, Way::Egress) => {
                Direction::Outbound
            }
            (Placement::Inside, Way::Egress) | (Placement::Outside, Way::Ingress) => {
                Direction::Inbound
            }
        }
    }
}

/// Which packets an interface has programs for. Where packets are forwarded in XDP, those that leave by an outside interface have
/// been translated where they arrived, inside.
#[must_use]
pub const fn ways(placement: Placement, forwards: bool) -> &'static [Way] {
    match (placement, forwards) {
        (Placement::Outside, true) => &[Way::Ingress],
        _ => &[Way::Ingress, Way::Egress],
    }
}

/// Whether these are seats of an instance that forwards in XDP.
#[must_use]
pub fn forwards(seats: &[LinkName]) -> bool {
    seats.iter().any(|name| name.seat == Seat::Forward)
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}_{}_{}",
            self.placement.name(),
            self.ifindex,
            self.seat.name()
        )
    }
}

impl FromStr for LinkName {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let mut parts = name.splitn(3, '_');
        let mut part = || parts.next().ok_or(());
        let placement = match part()? {
            "inside" => Placement::Inside,
            "outside" => Placement::Outside,
            _ => return Err(()),
        };
        let ifindex = part()?.parse().map_err(drop)?;
        let wanted = part()?;
        let (seat, _) = Seat::ALL
            .into_iter()
            .find(|(_, name)| *name == wanted)
            .ok_or(())?;
        Ok(Self {
            placement,
            ifindex,
            seat,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_links_read_back_as_they_were_written() {
        for placement in [Placement::Inside, Placement::Outside] {
            for (seat, _) in Seat::ALL {
                let name = LinkName {
                    placement,
                    ifindex: 12,
                    seat,
                };
                assert_eq!(name.to_string().parse(), Ok(name));
                assert!(!name.to_string().contains('.'));
            }
        }
        let name = LinkName {
            placement: Placement::Inside,
            ifindex: 5,
            seat: Seat::ClsactEgress,
        };
        assert_eq!(name.to_string(), "inside_5_clsact_egress");
    }

    #[test]
    fn other_names_are_not_taken_for_links() {
        for name in [
            "",
            "inside",
            "inside_5",
            "inside_x_xdp",
            "upside_5_xdp",
            "inside_5_xdp_",
        ] {
            assert_eq!(name.parse::<LinkName>(), Err(()), "{name}");
        }
    }

    #[test]
    fn outbound_is_ingress_inside_and_egress_outside() {
        let direction = |placement, seat| {
            LinkName {
                placement,
                ifindex: 1,
                seat,
            }
            .direction()
        };
        assert_eq!(direction(Placement::Inside, Seat::Xdp), Direction::Outbound);
        assert_eq!(
            direction(Placement::Inside, Seat::TcxEgress),
            Direction::Inbound
        );
        assert_eq!(
            direction(Placement::Outside, Seat::ClsactEgress),
            Direction::Outbound
        );
        assert_eq!(
            direction(Placement::Outside, Seat::XdpGeneric),
            Direction::Inbound
        );
    }
}
