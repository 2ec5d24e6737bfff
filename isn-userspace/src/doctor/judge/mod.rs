//! Findings from facts. Pure.

pub mod forward;
pub mod gateway;
pub mod instance;
pub mod interface;
pub mod machine;
pub mod nat;
pub mod offloads;
pub mod placement;
pub mod ruleset;
pub mod tables;
pub mod traffic;

use super::{Check, Finding, Known};

/// What a known fact means; an unknown one says why it is.
pub fn known<T>(check: Check, fact: &Known<T>, judged: impl FnOnce(&T) -> Finding) -> Finding {
    match fact {
        Ok(fact) => judged(fact),
        Err(why) => check.unknown(why),
    }
}
