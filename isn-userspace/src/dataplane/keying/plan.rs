//! What `attach` does about keyed mode: which key, whether connections of before are adopted, which flows must be kept.

#[cfg(test)]
mod tests;

use isn_common::{
    abi::{
        flow::{Control, Record},
        settings::{Keyed, Settings},
    },
    tick::Tick,
};

use super::{
    super::{clock, existing::Existing, maps::Maps, pins::Pins, upkeep::Upkeep},
    Adopting, Ends, adopting, check_room, pin, pinning, span,
};
use crate::{
    failure::Failure,
    key::{Boot, Fingerprint, KeyFile, Settled, Stored},
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

/// What is there, what is asked for, and when.
struct Situation<'a> {
    was: Keyed,
    /// Whether an instance is there.
    existing: bool,
    turned: Turned,
    request: &'a Request,
    idle: u32,
    history: u32,
    file: KeyFile,
    boot: Option<Boot>,
    now: Tick,
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
        // As long as a rule is keyed there must be a key.
        let write = |maps: &mut Maps| {
            if policy.has_keyed() {
                maps.write_settings(&settings)?;
                maps.write_policy(policy)
            } else {
                maps.write_policy(policy)?;
                maps.write_settings(&settings)
            }
        };
        if !self.turned.any() {
            return write(maps);
        }
        let meant = |ends: Ends, record: &Record| is_treated_otherwise(policy, ends, record);
        check_room(
            "cannot change which connections are keyed",
            pinning::demand(maps, &meant)?,
            "",
        )?;
        let mut upkeep = Upkeep::load(pins)?;
        pin(&mut upkeep, maps, &meant)?;
        write(maps)?;
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

/// Whether the flow was opened when its connection was keyed and is not by this policy, or the other way round.
fn is_treated_otherwise(policy: &PolicyTable, ends: Ends, record: &Record) -> bool {
    let is_keyed = policy.is_keyed(ends.host, ends.host_port, ends.peer_port);
    record.control().has(Control::KEYED) != is_keyed
}

impl Situation<'_> {
    fn plan(self, keyed: Keyed, warnings: Vec<String>, stored: Option<Stored>) -> Plan {
        Plan {
            keyed,
            warnings,
            turned: self.turned,
            file: self.file,
            stored,
        }
    }

    fn without(self) -> Result<Plan, Failure> {
        if self.request.adopt.is_some() {
            return Err(Failure::new(
                "cannot adopt connections",
                "--adopt is for keyed mode, and no rule is keyed",
                "leave it away, or name the mode (--mode keyed, or mode=keyed in --protect)",
            ));
        }
        let keyed = unused(self.was.generation);
        Ok(self.plan(keyed, Vec::new(), None))
    }

    /// No connection is keyed any more.
    fn ends(self) -> Plan {
        let warnings = vec![format!(
            "keyed mode is no longer in use: connections that were open are kept as they are, but such as were silent for \
             more than {} are not known and break",
            span(self.history)
        )];
        let keyed = unused(self.was.generation);
        self.plan(keyed, warnings, None)
    }

    /// The first connections are keyed.
    fn begins(self) -> Result<Plan, Failure> {
        let stored = self.file.require()?;
        let (ticks, warning) = self.to_adopt(&stored);
        let mut keyed = Keyed {
            generation: stored.generation,
            flags: Keyed::IN_USE,
            ..Keyed::UNUSED
        };
        keyed.keys[(stored.generation & 1) as usize] = stored.secret.key();
        let keyed = adopting::from_now(keyed, self.now, ticks);
        Ok(self.plan(keyed, vec![warning], Some(stored)))
    }

    /// For how long connections of before are adopted, and that in words.
    fn to_adopt(&self, stored: &Stored) -> (u32, String) {
        let from_elsewhere = stored.used_in.is_some() && stored.used_in != self.boot;
        let adopting = |ticks| {
            format!(
                "adopting for {}: a connection that is not known is taken for one of before keyed mode, and left as it is",
                span(ticks)
            )
        };
        match self.request.adopt.map(Tick::in_seconds) {
            Some(0) => (0, "nothing is adopted: connections of before keyed mode break".into()),
            Some(ticks) => (ticks, adopting(ticks)),
            None if !self.existing && from_elsewhere => (
                0,
                "the key was in use before this machine was started, or on another one: a connection that is not known is \
                 taken for one that it made, and nothing is adopted (--adopt SECONDS, if that is not so)"
                    .into(),
            ),
            None => (self.idle, adopting(self.idle)),
        }
    }

    /// There are keyed connections already.
    fn goes_on(self) -> Result<Plan, Failure> {
        let (stored, mut warnings) = self.same_key()?;
        let mut keyed = self.was;
        if self.turned.on {
            keyed = self.widened()?;
        }
        if self.turned.off {
            warnings.push(format!(
                "connections that are no longer keyed are kept as they are, but such as were silent for more than {} are \
                 not known and break",
                span(self.history)
            ));
        }
        Ok(self.plan(keyed, warnings, stored))
    }

    /// More connections are keyed than before. What is not known can only be taken for one thing.
    fn widened(&self) -> Result<Keyed, Failure> {
        let what = "cannot make more connections keyed";
        match (Adopting::of(&self.was, self.now), self.request.adopt) {
            (
                Some(Adopting {
                    after_key: false, ..
                }),
                adopt,
            ) => {
                let ticks = adopt.map_or(self.idle, Tick::in_seconds);
                Ok(adopting::not_before(self.was, self.now, ticks))
            }
            (Some(adopting), _) => Err(Failure::new(
                what,
                format!(
                    "for {} more, a connection that is not known is taken for one of the older key, and those of the hosts that \
                     are to be keyed have none",
                    span(adopting.left)
                ),
                "nothing was changed. Wait until that time is over (isnguard key status); or attach the others with an \
                 instance of their own",
            )),
            (None, Some(0)) => Ok(self.was),
            (None, _) => Err(Failure::new(
                what,
                format!(
                    "others are keyed already. A connection that was silent for more than {} is not known; if it were taken \
                     for one of before, those that are keyed would break, and otherwise those that are not",
                    span(self.history)
                ),
                "nothing was changed. If such connections of the hosts that are to be keyed may break: --adopt 0",
            )),
        }
    }

    /// Makes sure that the file has the key that the instance has.
    fn same_key(&self) -> Result<(Option<Stored>, Vec<String>), Failure> {
        let Some(current) = Fingerprint::of(self.was.key()) else {
            return Err(Failure::new(
                "cannot adopt this instance",
                "a rule of it is keyed, and it has no key",
                "detach it (isnguard detach --force) and attach it anew",
            ));
        };
        let mut warnings = Vec::new();
        if self.file.settle(current)? == Settled::Finished {
            warnings.push("a rotation of the key that was broken off is finished".into());
        }
        let stored = if self.file.is_named() {
            Some(self.file.require()?)
        } else {
            self.file.read()?
        };
        let path = self.file.path().display();
        match &stored {
            Some(stored) if stored.secret.fingerprint() == current => {}
            Some(stored) => {
                let why = format!(
                    "the instance has another key: fingerprint {current}, the file's is {}",
                    stored.secret.fingerprint()
                );
                let remedy = format!(
                    "nothing was changed. Name the file of the instance's key with --key-file; or switch to the key in this \
                     file (isnguard key rotate --from {path}), which keeps its connections"
                );
                return Err(Failure::new(format!("cannot use the key in {path}"), why, remedy));
            }
            None => warnings.push(format!(
                "the instance goes on with the key that it has, but {path} is not there: name the file with --key-file, or \
                 replace the key (isnguard key rotate), or no other gateway and no later boot knows it"
            )),
        }
        Ok((stored, warnings))
    }
}

const fn unused(generation: u32) -> Keyed {
    Keyed {
        generation,
        ..Keyed::UNUSED
    }
}
