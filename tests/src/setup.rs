//! What isnguard is told when it is attached: which side, which hook, whom to guard (rules S22 to S24).

use crate::{
    family::Family,
    topology::{INSIDE_IF, OUTSIDE_IF},
};

/// On which side of the gateway it looks (rules S22, S23).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// On the interface that faces the hosts.
    Inside,
    /// On the interface that faces the peers.
    Outside,
}

/// Which hook it is told to use (rule S24).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// It chooses.
    Auto,
    /// Native XDP.
    Xdp,
    /// Generic XDP.
    XdpGeneric,
    /// TC alone.
    Tc,
}

impl Hook {
    /// As the command line and `status --json` spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Xdp => "xdp",
            Self::XdpGeneric => "xdp-generic",
            Self::Tc => "tc",
        }
    }
}

impl Placement {
    /// Both placements.
    pub const ALL: [Self; 2] = [Self::Inside, Self::Outside];

    /// As `status --json` spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Outside => "outside",
        }
    }
}

/// What `attach` and `run` are told.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Which side.
    pub placement: Placement,
    /// The interface on that side.
    pub interface: String,
    /// The hook.
    pub hook: Hook,
    /// Guarded prefixes.
    pub protect: Vec<String>,
    /// `--mode`, where it is not the default.
    pub mode: Option<String>,
    /// Further options, as they stand on the command line.
    pub more: Vec<String>,
}

impl Setup {
    /// The laboratory's interface on that side, both families of its hosts guarded.
    #[must_use]
    pub fn new(placement: Placement, hook: Hook) -> Self {
        let interface = match placement {
            Placement::Inside => INSIDE_IF,
            Placement::Outside => OUTSIDE_IF,
        };
        let protect = Family::ALL
            .map(|family| family.protected().to_owned())
            .to_vec();
        Self {
            placement,
            interface: interface.to_owned(),
            hook,
            protect,
            mode: None,
            more: Vec::new(),
        }
    }

    /// The same in another mode.
    #[must_use]
    pub fn in_mode(self, mode: &str) -> Self {
        Self {
            mode: Some(mode.to_owned()),
            ..self
        }
    }

    /// The same with further options.
    #[must_use]
    pub fn with(mut self, options: &[&str]) -> Self {
        self.more
            .extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    /// As they stand on the command line.
    #[must_use]
    pub fn arguments(&self) -> Vec<&str> {
        let side = match self.placement {
            Placement::Inside => "--inside",
            Placement::Outside => "--outside",
        };
        let mut arguments = vec![side, &self.interface, "--hook", self.hook.name()];
        for prefix in &self.protect {
            arguments.extend(["--protect", prefix]);
        }
        if let Some(mode) = &self.mode {
            arguments.extend(["--mode", mode]);
        }
        arguments.extend(self.more.iter().map(String::as_str));
        arguments
    }
}
