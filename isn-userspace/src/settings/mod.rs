//! What the operator asks for, checked: interfaces, guarded prefixes, sizes. Nothing here touches
//! the machine.

mod instance;
mod keyed;
mod policy;
mod protect;
mod treatment;

use std::path::PathBuf;

pub use instance::InstanceName;
pub use isn_common::abi::{policy::Mode, settings::OnFull};
pub use keyed::Turned;
pub use policy::{Added, Guarded, PolicyTable, Step, common_mode, mode_name};
pub use protect::{Ports, Protect, prefix};
pub use treatment::Treatment;

use crate::failure::Failure;

/// On which side of the gateway an interface is watched (S22, S23).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// The interface faces the guarded hosts.
    Inside,
    /// The interface faces the peers.
    Outside,
}

impl Placement {
    /// Name on the command line, in JSON and in pins.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Outside => "outside",
        }
    }
}

/// Which hook takes the packets that arrive (S24).
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum HookChoice {
    /// Native XDP where it can serve, else TC
    Auto,
    /// Native XDP or nothing
    Xdp,
    /// XDP run by the network stack: works with every driver, slower than TC
    XdpGeneric,
    /// TC: works everywhere
    Tc,
}

impl HookChoice {
    /// Name on the command line and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Xdp => "xdp",
            Self::XdpGeneric => "xdp-generic",
            Self::Tc => "tc",
        }
    }
}

/// How TC programs are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TcFlavour {
    /// BPF links, Linux 6.6 and later
    Tcx,
    /// Filters of a clsact qdisc, every kernel
    Clsact,
}

impl TcFlavour {
    /// Name on the command line, in the configuration and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }
}

/// An interface and the side it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Name of the interface.
    pub interface: String,
    /// Its side.
    pub placement: Placement,
}

/// Where an instance keeps its pins.
#[derive(Clone, Debug)]
pub struct Place {
    /// Name of the instance.
    pub instance: InstanceName,
    /// Mount point of the BPF file system, or a directory in one.
    pub bpffs: PathBuf,
}

/// What `attach` and `run` are asked for. `None` and empty lists mean "not said": the default for a
/// new instance, what there is for one that is adopted.
#[derive(Clone, Debug)]
pub struct Request {
    /// The instance.
    pub place: Place,
    /// Interfaces to attach to.
    pub placed: Vec<Placed>,
    /// Guarded prefixes.
    pub protect: Vec<Protect>,
    /// Mode of prefixes that do not name one.
    pub mode: Option<Mode>,
    /// Ingress hook.
    pub hook: Option<HookChoice>,
    /// How TC programs are attached.
    pub tc_flavour: Option<TcFlavour>,
    /// History horizon in seconds (S8).
    pub history: Option<u32>,
    /// Room for translated flows of each address family.
    pub max_flows: Option<u32>,
    /// Room for half-open flows of each address family.
    pub max_half_open: Option<u32>,
    /// Room for flows with offset 0 of each address family.
    pub max_history: Option<u32>,
    /// Seconds of silence after which a translated connection counts as dead.
    pub idle: Option<u32>,
    /// The same for one of which one end is closed.
    pub closing: Option<u32>,
    /// Samples of initial sequence numbers that one host may give in a second; 0 to take none.
    pub samples: Option<u32>,
    /// What to do when there is no room (S18).
    pub on_full: Option<OnFull>,
    /// File of the key of keyed mode.
    pub key_file: Option<PathBuf>,
    /// Seconds for which connections of before are adopted when keyed mode comes into use.
    pub adopt: Option<u32>,
    /// Forward between the two sides in XDP.
    pub forward: Option<bool>,
    /// Forward although the gateway has rules that forwarded packets go past.
    pub forward_past_rules: Option<bool>,
    /// Print the whole verifier log when a program is refused.
    pub verbose: bool,
}

impl Request {
    /// Nothing is said but the place.
    #[must_use]
    pub const fn of(place: Place) -> Self {
        Self {
            place,
            placed: Vec::new(),
            protect: Vec::new(),
            mode: None,
            hook: None,
            tc_flavour: None,
            history: None,
            max_flows: None,
            max_half_open: None,
            max_history: None,
            idle: None,
            closing: None,
            samples: None,
            on_full: None,
            key_file: None,
            adopt: None,
            forward: None,
            forward_past_rules: None,
            verbose: false,
        }
    }

    /// Whether forwarding in XDP is asked for.
    #[must_use]
    pub fn forwards(&self) -> bool {
        self.forward == Some(true)
    }

    /// Refuses interfaces that are named twice, and both sides in one instance unless it forwards between them.
    pub fn check(&self) -> Result<(), Failure> {
        for (nth, placed) in self.placed.iter().enumerate() {
            if self.placed[..nth]
                .iter()
                .any(|other| other.interface == placed.interface)
            {
                return Err(Failure::new(
                    format!("cannot attach to `{}`", placed.interface),
                    "it is named twice",
                    "name each interface once",
                ));
            }
        }
        if !self.forwards() {
            return check_one_side(self.placed.iter().map(|placed| placed.placement));
        }
        self.check_hook_of_forwarding()?;
        let on = |side| self.placed.iter().any(|placed| placed.placement == side);
        match (on(Placement::Inside), on(Placement::Outside)) {
            (true, false) => Err(cannot_forward(
                "no interface is named that faces the peers",
                "name it with --outside",
            )),
            (false, true) => Err(cannot_forward(
                "no interface is named that faces the hosts",
                "name it with --inside",
            )),
            _ => Ok(()),
        }
    }

    fn check_hook_of_forwarding(&self) -> Result<(), Failure> {
        match self.hook {
            None | Some(HookChoice::Auto | HookChoice::Xdp) => Ok(()),
            Some(other) => Err(cannot_forward(
                format!(
                    "it works at native XDP alone, and --hook {} is asked for",
                    other.name()
                ),
                "leave --hook away",
            )),
        }
    }
}

/// The refusal to forward in XDP.
pub fn cannot_forward(why: impl std::fmt::Display, remedy: impl Into<String>) -> Failure {
    Failure::new("cannot forward in XDP (--forward)", why, remedy)
}

/// A packet that is forwarded from an inside interface to an outside one would be translated twice,
/// with the same offset, if one instance watched both.
pub fn check_one_side(mut sides: impl Iterator<Item = Placement>) -> Result<(), Failure> {
    let first = sides.next();
    if sides.all(|side| Some(side) == first) {
        return Ok(());
    }
    Err(Failure::new(
        "cannot attach",
        "one instance would watch both sides, and a packet that crosses both would be translated \
         twice",
        "place all interfaces of an instance either --inside or --outside; hosts elsewhere get an \
         instance of their own (--instance); or have packets forwarded between both sides in XDP (--forward)",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instance_watches_one_side() {
        use Placement::{Inside, Outside};
        assert!(check_one_side([].into_iter()).is_ok());
        assert!(check_one_side([Inside, Inside].into_iter()).is_ok());
        assert!(check_one_side([Outside, Outside].into_iter()).is_ok());
        let error = check_one_side([Inside, Outside].into_iter()).unwrap_err();
        assert!(error.to_string().contains("translated twice"));
    }

    #[test]
    fn forwarding_is_between_both_sides_and_at_native_xdp() {
        use Placement::{Inside, Outside};
        let request = |sides: &[Placement], hook| Request {
            placed: (0..)
                .zip(sides)
                .map(|(nth, placement)| Placed {
                    interface: format!("eth{nth}"),
                    placement: *placement,
                })
                .collect(),
            hook,
            forward: Some(true),
            ..Request::of(Place {
                instance: "plant".parse().unwrap(),
                bpffs: "/sys/fs/bpf".into(),
            })
        };
        assert!(request(&[Inside, Outside, Inside], None).check().is_ok());
        assert!(
            request(&[Inside, Outside], Some(HookChoice::Xdp))
                .check()
                .is_ok()
        );
        assert!(request(&[], Some(HookChoice::Auto)).check().is_ok());
        for (sides, hook, words) in [
            (&[Inside][..], None, "--outside"),
            (&[Outside, Outside], None, "--inside"),
            (
                &[Inside, Outside],
                Some(HookChoice::Tc),
                "leave --hook away",
            ),
            (
                &[Inside, Outside],
                Some(HookChoice::XdpGeneric),
                "leave --hook away",
            ),
        ] {
            let failure = request(sides, hook).check().unwrap_err();
            assert!(failure.remedy().contains(words), "{failure}");
        }
    }
}
