//! Flows that were saved, put back where keyed mode may stand otherwise: what a flow has by itself follows from a key and a
//! policy, and if these are others now, only its entry knows what it has (S3, S16).

#[cfg(test)]
mod tests;

use isn_common::{
    abi::{
        flow::{Control, Record},
        settings::Keyed,
    },
    tick::Tick,
    upkeep::may_speak,
};

use super::{
    super::remembered::{Family, Remembered},
    Told, adopting, span,
};
use crate::{
    failure::Failure,
    key::{Fingerprint, KeyFile},
    settings::PolicyTable,
};

/// Keyed mode of the instance that was saved. The keys themselves are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedBefore {
    /// Number of its key.
    pub generation: u32,
    /// Of its key.
    pub fingerprint: Fingerprint,
    /// Ticks for which connections of before would still be adopted.
    pub adopting: u32,
    /// Whether they have the key before.
    pub after_key: bool,
}

impl KeyedBefore {
    /// Whether an instance has the same key, by the same number.
    #[must_use]
    pub fn is_of(&self, keyed: &Keyed) -> bool {
        keyed.is_in_use()
            && Fingerprint::of(keyed.key()) == Some(self.fingerprint)
            && keyed.generation == self.generation
    }
}

/// Keyed mode of an instance that is made of what was saved, with the key in the file; and what the operator should know.
pub fn begun(
    before: Option<KeyedBefore>,
    file: &KeyFile,
    now: Tick,
) -> Result<(Keyed, Vec<String>), Failure> {
    if let Some(before) = &before {
        file.settle(before.fingerprint)?;
    }
    let stored = file.require()?;
    let mut keyed = Keyed {
        generation: stored.generation,
        flags: Keyed::IN_USE,
        ..Keyed::UNUSED
    };
    keyed.keys[(stored.generation & 1) as usize] = stored.secret.key();
    let Some(before) = before else {
        return Ok((keyed, Vec::new()));
    };
    let mut warnings = Vec::new();
    if before.fingerprint != stored.secret.fingerprint() {
        warnings.push(format!(
            "it was saved under the key of fingerprint {}, and {} has {}: connections of which it has no entry break",
            before.fingerprint,
            file.path().display(),
            stored.secret.fingerprint()
        ));
    } else if before.adopting > 0 && before.after_key {
        warnings.push(format!(
            "for {} more, connections of the key before would have been adopted, which is not saved: those of which it has no \
             entry break",
            span(before.adopting)
        ));
    } else {
        keyed = adopting::from_now(keyed, now, before.adopting);
    }
    Ok((keyed, warnings))
}

/// Marks flows that have something else than key and policy give from now on, and moves them among those that nothing evicts;
/// how many. `same_key`: they were saved under the key that is in use.
pub fn own(remembered: &mut Remembered, policy: &PolicyTable, same_key: bool, now: Tick) -> u64 {
    own_of(&mut remembered.v4, policy, same_key, now)
        + own_of(&mut remembered.v6, policy, same_key, now)
}

fn own_of<K: Told>(family: &mut Family<K>, policy: &PolicyTable, same_key: bool, now: Tick) -> u64 {
    let is_own = |key: &K, record: &Record| {
        let ends = key.ends();
        let control = record.control();
        let was_keyed = control.has(Control::KEYED);
        let is_keyed = policy.is_keyed(ends.host, ends.host_port, ends.peer_port);
        !control.has(Control::OWN)
            && may_speak(record, now)
            && (was_keyed != is_keyed || was_keyed && !same_key)
    };
    let mut marked = 0;
    for (key, record) in &mut family.half_open {
        if is_own(key, record) {
            record.life |= u64::from(Control::OWN);
            marked += 1;
        }
    }
    let moved = family
        .history
        .extract_if(.., |(key, record)| is_own(key, record));
    let moved = moved.map(|(key, record)| {
        let life = record.life | u64::from(Control::OWN);
        (key, Record { life, ..record })
    });
    let before = family.translated.len();
    family.translated.extend(moved);
    marked + (family.translated.len() - before) as u64
}
