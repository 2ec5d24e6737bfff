//! Keyed mode as it is and as it is asked for, and what follows: which key, and what is adopted for how long.

use isn_common::{abi::settings::Keyed, tick::Tick};

use super::{
    super::{Adopting, adopting, span},
    Plan,
};
use crate::{
    failure::Failure,
    key::{Boot, Fingerprint, KeyFile, Settled, Stored},
    settings::{Request, Turned},
};

/// What is there, what is asked for, and when.
pub struct Situation<'a> {
    /// Keyed mode as it is.
    pub was: Keyed,
    /// Whether an instance is there.
    pub existing: bool,
    /// What the new policy changes.
    pub turned: Turned,
    /// What is asked for.
    pub request: &'a Request,
    /// Ticks after which a silent connection counts as dead.
    pub idle: u32,
    /// Ticks after which a silent flow is forgotten.
    pub history: u32,
    /// The key's file.
    pub file: KeyFile,
    /// This boot of the machine.
    pub boot: Option<Boot>,
    /// Now.
    pub now: Tick,
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

    /// No connection is keyed, or was.
    pub fn without(self) -> Result<Plan, Failure> {
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
    pub fn ends(self) -> Plan {
        let warnings = vec![format!(
            "keyed mode is no longer in use: connections that were open are kept as they are, but such as were silent for \
             more than {} are not known and break",
            span(self.history)
        )];
        let keyed = unused(self.was.generation);
        self.plan(keyed, warnings, None)
    }

    /// The first connections are keyed.
    pub fn begins(self) -> Result<Plan, Failure> {
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
    pub fn goes_on(self) -> Result<Plan, Failure> {
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

/// Not in use; the number of the last key is kept.
pub const fn unused(generation: u32) -> Keyed {
    Keyed {
        generation,
        ..Keyed::UNUSED
    }
}
