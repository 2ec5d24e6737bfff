//! What `attach` does about keyed mode: which key, whether connections of before are adopted, which flows must be kept.

mod situation;
#[cfg(test)]
mod tests;

use isn_common::abi::{
    flow::{Control, Record},
    settings::{Keyed, Settings},
};

use self::situation::Situation;
use super::{
    super::{clock, existing::Existing, maps::Maps, pins::Pins, upkeep::Upkeep},
    Ends, check_room, pin, pinning, span,
};
use crate::{
    failure::Failure,
    key::{Boot, KeyFile, Stored},
    settings::{PolicyTable, Request, Turned},
};

/// What becomes of keyed mode.
pub struct Plan {
    /// As the settings are to have it.
    pub keyed: Keyed,
    /// What the operator should know.
    pub warnings: Vec<String>,
    turned: Turned,
    /// The key's file, and the key if that was read there.
    file: KeyFile,
    stored: Option<Stored>,
}

impl Plan {
    /// For these settings and this policy, in the place of those of `before`. Of the machine, only the key's file is read, and
    /// a rotation that was broken off finished or undone.
    pub fn new(
        before: Option<&Existing>,
        policy: &PolicyTable,
        settings: &Settings,
        request: &Request,
    ) -> Result<Self, Failure> {
        let situation = Situation {
            was: before.map_or(Keyed::UNUSED, |it| it.settings.keyed),
            existing: before.is_some(),
            turned: before.map_or_else(Turned::default, |it| Turned::between(&it.policy, policy)),
            request,
            idle: settings.limits.idle,
            history: settings.history,
            file: KeyFile::choose(request.key_file.as_deref(), &request.place.instance),
            boot: Boot::current(),
            now: clock::now(),
        };
        let was_keyed = situation.was.is_in_use() && before.is_some_and(|it| it.policy.has_keyed());
        match (was_keyed, policy.has_keyed()) {
            (false, false) => situation.without(),
            (true, false) => Ok(situation.ends()),
            (false, true) => situation.begins(),
            (true, true) => situation.goes_on(),
        }
    }

    /// Writes settings and policy, and keeps the flows that are treated otherwise from then on.
    pub fn apply(
        &mut self,
        pins: &Pins,
        maps: &mut Maps,
        settings: &Settings,
        policy: &PolicyTable,
    ) -> Result<(), Failure> {
        let settings = Settings {
            keyed: self.keyed,
            ..*settings
        };
        if !self.turned.any() {
            return write(maps, &settings, policy);
        }
        let meant = |ends: Ends, record: &Record| is_treated_otherwise(policy, ends, record);
        check_room(
            "cannot change which connections are keyed",
            pinning::demand(maps, &meant)?,
            "",
        )?;
        let mut upkeep = Upkeep::load(pins)?;
        pin(&mut upkeep, maps, &meant)?;
        write(maps, &settings, policy)?;
        let pinned = pin(&mut upkeep, maps, &meant)?;
        if pinned.left > 0 {
            self.warnings.push(format!(
                "{} connections that opened meanwhile found no room among the translated ones; they break when they are \
                 silent for {}",
                pinned.left,
                span(settings.history)
            ));
        }
        Ok(())
    }

    /// Notes with the key that it is in use in this boot; to be called when all is attached.
    pub fn note_use(self) -> Vec<String> {
        let Self {
            file,
            stored,
            mut warnings,
            ..
        } = self;
        let Some(mut stored) = stored else {
            return warnings;
        };
        let boot = Boot::current();
        if boot.is_none() || stored.used_in == boot {
            return warnings;
        }
        stored.used_in = boot;
        let noted = file.lock().and_then(|_lock| file.replace(&stored));
        if let Err(failure) = noted {
            warnings.push(format!(
                "that the key is in use could not be noted with it ({failure}): when this machine starts anew, say \
                 --adopt 0, so that connections which went on meanwhile keep their offset"
            ));
        }
        warnings
    }
}

/// As long as a rule is keyed there must be a key.
fn write(maps: &mut Maps, settings: &Settings, policy: &PolicyTable) -> Result<(), Failure> {
    if policy.has_keyed() {
        maps.write_settings(settings)?;
        maps.write_policy(policy)
    } else {
        maps.write_policy(policy)?;
        maps.write_settings(settings)
    }
}

/// Whether the flow was opened when its connection was keyed and is not by this policy, or the other way round.
fn is_treated_otherwise(policy: &PolicyTable, ends: Ends, record: &Record) -> bool {
    let is_keyed = policy.is_keyed(ends.host, ends.host_port, ends.peer_port);
    record.control().has(Control::KEYED) != is_keyed
}
