//! Capabilities: which are missing for what, before anything is tried, and which a process that stays gives up.

use std::collections::HashSet;

use caps::{CapSet, Capability, CapsHashSet, errors::CapsError};
use nix::sys::prctl;

use crate::failure::{Explain as _, Failure};

/// What loading and attaching takes. `CAP_PERFMON` is for the verifier: it lets a parser of headers
/// of variable length use pointer arithmetic.
pub const TO_ATTACH: [Capability; 3] = [
    Capability::CAP_BPF,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_PERFMON,
];

/// What staying takes: programs that somebody takes off are loaded and attached again, at any time. `CAP_SYS_ADMIN` is kept where
/// it is held: the kernel asks for it where a program is looked at by its number, to name whoever has taken an interface, and to
/// tell a clsact filter whose pin is lost from somebody else's.
const TO_STAY: [Capability; 4] = [
    Capability::CAP_BPF,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_PERFMON,
    Capability::CAP_SYS_ADMIN,
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

/// Gives up for good what staying does not need: every other capability, and ever gaining one by another program. Only the
/// thread that calls it does, and those that it starts afterwards.
pub fn keep_what_staying_takes() -> Result<(), Failure> {
    let give_up = || -> anyhow::Result<()> {
        prctl::set_no_new_privs()?;
        Ok(keep(&TO_STAY.into_iter().collect())?)
    };
    give_up().explain(
        "cannot give up the capabilities that are not needed any more",
        "see whether a security module forbids it, and tell it to allow `capset` and `prctl`",
    )
}

fn keep(kept: &CapsHashSet) -> Result<(), CapsError> {
    // Only who may change it can; where a service manager has limited it already there is nothing to do.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        let bounds = caps::read(None, CapSet::Bounding)?;
        bounds
            .difference(kept)
            .try_for_each(|it| caps::drop(None, CapSet::Bounding, *it))?;
    }
    if caps::runtime::ambient_set_supported().is_ok() {
        caps::clear(None, CapSet::Ambient)?;
    }
    let held = caps::read(None, CapSet::Permitted)?;
    let kept: CapsHashSet = held.intersection(kept).copied().collect();
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)
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
