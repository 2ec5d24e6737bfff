//! What cases begin with: settings and policies.

use isn_common::{
    abi::{
        policy::{Mode, Policy, Rule},
        settings::{OnFull, Settings},
    },
    siphash::Key,
    tick::Tick,
};

/// The instance's secret: any, but the same in all worlds, so that jumps are the same.
const SECRET: Key = Key([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]);

/// The settings that a case starts with: defaults, and any secret.
#[must_use]
pub const fn default_settings() -> Settings {
    Settings::new(
        Tick::in_seconds(Settings::DEFAULT_HISTORY_SECONDS),
        OnFull::Pass,
        0,
        SECRET,
    )
}

/// A policy of these rules.
///
/// # Panics
///
/// If there are more rules than a policy holds.
#[must_use]
pub fn policy(rules: &[Rule]) -> Policy {
    let mut policy = Policy {
        rules: [Rule::NONE; Policy::MOST_RULES],
    };
    policy.rules[..rules.len()].copy_from_slice(rules);
    policy
}

/// A policy of one mode for all ports.
#[must_use]
pub fn everywhere(mode: Mode) -> Policy {
    policy(&[Rule::new(0, u16::MAX, mode)])
}
