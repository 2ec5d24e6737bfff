//! What a rule does with the connections that it covers: a mode, or nothing at all.

use std::str::FromStr;

use super::{Mode, mode_name};

/// What becomes of connections that a rule covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// They are guarded, in this mode.
    Guard(Mode),
    /// They are taken out: no later rule of their prefix, and no wider prefix, reaches them.
    Exempt,
}

impl Treatment {
    /// Every treatment, in the order in which they are named to the operator.
    pub const ALL: [Self; 4] = [
        Self::Guard(Mode::Monotonic),
        Self::Guard(Mode::Keyed),
        Self::Guard(Mode::Observe),
        Self::Exempt,
    ];

    /// Name on the command line, in the configuration and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guard(mode) => mode_name(mode),
            Self::Exempt => "off",
        }
    }

    /// The mode, if they are guarded.
    #[must_use]
    pub const fn mode(self) -> Option<Mode> {
        match self {
            Self::Guard(mode) => Some(mode),
            Self::Exempt => None,
        }
    }
}

impl FromStr for Treatment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|it| it.name() == text);
        found.ok_or_else(|| {
            format!("`mode={text}` is neither `monotonic`, `keyed`, `observe` nor `off`")
        })
    }
}
