//! Which hook takes arriving packets, and why (S24).

use crate::settings::HookChoice;

/// The hook of arriving packets. Packets that leave always pass TC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// XDP in the driver.
    Xdp,
    /// XDP in the network stack.
    XdpGeneric,
    /// TC ingress.
    Tc,
}

impl Hook {
    /// Name on the command line and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xdp => "xdp",
            Self::XdpGeneric => "xdp-generic",
            Self::Tc => "tc",
        }
    }
}

/// What to try on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// This hook or none, for this reason.
    Only(Hook, String),
    /// Native XDP; TC if the driver refuses it.
    XdpElseTc,
}

/// Kinds of virtual interfaces whose frames come from a socket of this machine: the checksum is
/// not finished when XDP sees them, XDP cannot tell, and an incremental update would corrupt it.
const UNFINISHED_CHECKSUMS: [&str; 4] = ["veth", "tun", "tap", "netkit"];

/// What decides on an interface.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traits<'a> {
    /// Kind of a virtual interface; `None` for hardware.
    pub kind: Option<&'a str>,
    /// Segments come joined, by the network card or by the machine that a virtual one belongs to ([`JOINS`]).
    pub joins: bool,
}

/// The offload by which segments come joined, as ethtool names it. Drivers give it up for native XDP.
pub const JOINS: &str = "rx-gro-hw";

/// What to try for `choice` on an interface like this.
#[must_use]
pub fn plan(choice: HookChoice, traits: Traits<'_>) -> Plan {
    let asked = |hook: Hook| Plan::Only(hook, format!("asked for with --hook {}", hook.name()));
    match choice {
        HookChoice::Xdp => asked(Hook::Xdp),
        HookChoice::XdpGeneric => asked(Hook::XdpGeneric),
        HookChoice::Tc => asked(Hook::Tc),
        HookChoice::Auto => match unfinished(traits.kind) {
            None if traits.joins => Plan::Only(
                Hook::Tc,
                format!(
                    "auto: segments come joined ({JOINS} is on), which drivers give up for native XDP"
                ),
            ),
            Some(kind) => Plan::Only(
                Hook::Tc,
                format!(
                    "auto: a {kind} interface carries frames with unfinished checksums, which only \
                     TC can translate"
                ),
            ),
            None => Plan::XdpElseTc,
        },
    }
}

/// Why native XDP was chosen where packets are forwarded.
pub const FORWARDS: &str =
    "--forward: packets leave where they arrive, which native XDP alone can do";

/// Why native XDP was chosen by itself.
pub const DRIVER_SERVES: &str = "auto: the driver runs XDP";

/// Why TC was chosen by itself after the driver refused XDP.
#[must_use]
pub fn driver_refused(error: &std::io::Error) -> String {
    format!("auto: the driver refused native XDP ({error})")
}

/// What to do where frames come with unfinished checksums.
pub const AGAINST_UNFINISHED: &str =
    "Switch that off at the senders (ethtool -K IF tx off) or use --hook tc";

/// What the operator should know about XDP on an interface of this kind.
#[must_use]
pub fn warning(hook: Hook, interface: &str, kind: Option<&str>) -> Option<String> {
    Some(format!(
        "{}. {AGAINST_UNFINISHED}",
        risk(hook, interface, kind)?
    ))
}

/// What XDP would do to unfinished checksums on an interface of this kind.
#[must_use]
pub fn risk(hook: Hook, interface: &str, kind: Option<&str>) -> Option<String> {
    let kind = unfinished(kind).filter(|_| hook != Hook::Tc)?;
    Some(format!(
        "`{interface}` is a {kind} interface: frames whose sender leaves the checksum to the \
         hardware would be corrupted by XDP"
    ))
}

/// Whether frames of such interfaces come with unfinished checksums.
pub fn unfinished(kind: Option<&str>) -> Option<&str> {
    kind.filter(|kind| UNFINISHED_CHECKSUMS.contains(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str) -> Traits<'_> {
        Traits {
            kind: Some(kind),
            joins: false,
        }
    }

    #[test]
    fn auto_takes_tc_where_checksums_are_unfinished() {
        for kind in ["veth", "tun", "netkit"] {
            let Plan::Only(Hook::Tc, reason) = plan(HookChoice::Auto, of(kind)) else {
                panic!("{kind}")
            };
            assert!(
                reason.contains(kind) && reason.contains("unfinished checksums"),
                "{reason}"
            );
        }
    }

    #[test]
    fn auto_asks_the_driver_elsewhere() {
        assert_eq!(plan(HookChoice::Auto, Traits::default()), Plan::XdpElseTc);
        assert_eq!(plan(HookChoice::Auto, of("bridge")), Plan::XdpElseTc);
    }

    #[test]
    fn auto_takes_tc_where_xdp_would_cost_joined_segments_and_does_not_where_it_is_asked_for() {
        let card = Traits {
            joins: true,
            ..Traits::default()
        };
        let Plan::Only(Hook::Tc, reason) = plan(HookChoice::Auto, card) else {
            panic!()
        };
        assert!(reason.contains("rx-gro-hw"), "{reason}");
        let asked = plan(HookChoice::Xdp, card);
        assert!(matches!(asked, Plan::Only(Hook::Xdp, _)), "{asked:?}");
        let wire = Traits {
            joins: true,
            ..of("veth")
        };
        let Plan::Only(Hook::Tc, reason) = plan(HookChoice::Auto, wire) else {
            panic!()
        };
        assert!(reason.contains("unfinished checksums"), "{reason}");
    }

    #[test]
    fn what_is_asked_for_is_tried_and_nothing_else() {
        for (choice, hook) in [
            (HookChoice::Xdp, Hook::Xdp),
            (HookChoice::XdpGeneric, Hook::XdpGeneric),
            (HookChoice::Tc, Hook::Tc),
        ] {
            let Plan::Only(planned, reason) = plan(choice, of("veth")) else {
                panic!()
            };
            assert_eq!(planned, hook);
            assert_eq!(reason, format!("asked for with --hook {}", hook.name()));
        }
    }

    #[test]
    fn xdp_on_veth_is_warned_about_and_nothing_else_is() {
        assert!(
            warning(Hook::Xdp, "v0", Some("veth"))
                .unwrap()
                .contains("ethtool -K IF tx off")
        );
        assert!(warning(Hook::XdpGeneric, "v0", Some("veth")).is_some());
        assert_eq!(warning(Hook::Tc, "v0", Some("veth")), None);
        assert_eq!(warning(Hook::Xdp, "eth0", None), None);
    }
}
