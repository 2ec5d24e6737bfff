//! Capabilities: which are missing for what, before anything is tried.

use std::collections::HashSet;

use caps::{CapSet, Capability};

use crate::failure::{Explain as _, Failure};

/// What loading and attaching takes. `CAP_PERFMON` is for the verifier: it lets a parser of headers
/// of variable length use pointer arithmetic.
pub const TO_ATTACH: [Capability; 3] = [
    Capability::CAP_BPF,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_PERFMON,
];

/// What detaching takes: to see what sits on an interface, and to remove filters.
pub const TO_DETACH: [Capability; 2] = [Capability::CAP_BPF, Capability::CAP_NET_ADMIN];

/// Refuses to go on without the capabilities that are `needed`.
pub fn check(needed: &[Capability]) -> Result<(), Failure> {
    let held = caps::read(None, CapSet::Effective).explain(
        "cannot read this process's capabilities",
        "see whether /proc is mounted",
    )?;
    refuse(&missing(needed, &held))
}

fn missing(needed: &[Capability], held: &HashSet<Capability>) -> Vec<Capability> {
    let implied = |wanted: &Capability| {
        held.contains(&Capability::CAP_SYS_ADMIN) && *wanted != Capability::CAP_NET_ADMIN
    };
    let lacking = |wanted: &&Capability| !held.contains(wanted) && !implied(wanted);
    needed.iter().filter(lacking).copied().collect()
}

fn refuse(missing: &[Capability]) -> Result<(), Failure> {
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    Err(Failure::new(
        "cannot change the data plane",
        format!("this process lacks {}", names.join(", ")),
        "run it as root, or give it CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacking(held: &[Capability]) -> Vec<Capability> {
        missing(&TO_ATTACH, &held.iter().copied().collect())
    }

    #[test]
    fn the_three_suffice_and_each_is_needed() {
        assert!(lacking(&TO_ATTACH).is_empty());
        for (index, capability) in TO_ATTACH.iter().enumerate() {
            let mut others = TO_ATTACH.to_vec();
            others.remove(index);
            assert_eq!(lacking(&others), [*capability]);
        }
    }

    #[test]
    fn the_administrator_lacks_only_what_is_not_implied() {
        assert_eq!(
            lacking(&[Capability::CAP_SYS_ADMIN]),
            [Capability::CAP_NET_ADMIN]
        );
        assert!(lacking(&[Capability::CAP_SYS_ADMIN, Capability::CAP_NET_ADMIN]).is_empty());
    }

    #[test]
    fn the_message_names_every_missing_capability() {
        let text = refuse(&TO_ATTACH).unwrap_err().to_string();
        assert!(
            text.contains("CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON"),
            "{text}"
        );
    }
}
