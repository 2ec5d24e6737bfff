//! `key rotate`: another key, and no connection breaks (S3).
//!
//! The steps, and what a process that is killed behind each leaves:
//!
//! | step | killed behind it |
//! |---|---|
//! | the new key beside the file, on the disk | nothing has changed; the next `key rotate` writes over it, the next `attach` removes it |
//! | known flows pinned, in walks | some flows can no longer be evicted, which harms none of them |
//! | the new key into the settings, where no packet looks | the same |
//! | generation, adopting: the switch, one word of the settings | the instance has the key beside the file: the next `key rotate`, `attach` or `run` puts it into its place |
//! | the new key in its place | a few flows that opened during the switch may be evicted; as long as connections are adopted, they are adopted again |
//! | flows that opened meanwhile pinned | all is done |
//!
//! The key before stays in the settings until the next rotation: connections that were silent for long are adopted by it.

mod switching;

use self::switching::Switching;
use super::{Adopting, pinning::Pinned};
use crate::{
    failure::Failure,
    key::{Fingerprint, KeyFile, Secret, Stored},
    settings::Place,
};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The instance; without one, only the file gets another key.
    pub place: Place,
    /// The key's file.
    pub file: KeyFile,
    /// Where the new key comes from; drawn, if not said.
    pub from: Option<KeyFile>,
    /// Seconds for which connections of the older key are adopted; as long as they may be silent, if not said.
    pub adopt: Option<u32>,
    /// Rotate although connections may break.
    pub force: bool,
}

/// What was done.
#[derive(Clone, Copy, Debug)]
pub struct Rotated {
    /// Number of the new key.
    pub generation: u32,
    /// Of the new key.
    pub fingerprint: Fingerprint,
    /// Of the key before, if there was one.
    pub before: Option<Fingerprint>,
    /// Whether an instance switched to it; else only the file has changed.
    pub switched: bool,
    /// Whether nothing was left to do but to finish a rotation that was broken off.
    pub finished: bool,
    /// Flows of the key before.
    pub pinned: Pinned,
    /// Adopting that follows.
    pub adopting: Option<Adopting>,
}

impl Rotation {
    /// Rotates. `tell` hears what is being done.
    pub fn rotate(&self, tell: &mut dyn FnMut(&str)) -> Result<Rotated, Failure> {
        let _file = self.file.lock()?;
        let Some(switching) = Switching::open(self)? else {
            return self.file_alone();
        };
        if let Some(finished) = switching.finish_earlier(tell)? {
            return Ok(finished);
        }
        switching.check()?;
        let before = self.file.read();
        let new = switching.new_key(before)?;
        switching.switch(&new, tell)
    }

    /// No instance has the key: the file gets another one.
    fn file_alone(&self) -> Result<Rotated, Failure> {
        let before = self.file.read()?;
        let generation = before
            .as_ref()
            .map_or(0, |it| it.generation.wrapping_add(1));
        let new = Stored {
            secret: self.secret()?,
            generation,
            used_in: None,
        };
        self.file.replace(&new)?;
        Ok(Rotated {
            generation,
            fingerprint: new.secret.fingerprint(),
            before: before.map(|it| it.secret.fingerprint()),
            switched: false,
            finished: false,
            pinned: Pinned::default(),
            adopting: None,
        })
    }

    fn secret(&self) -> Result<Secret, Failure> {
        match &self.from {
            Some(from) => Ok(from.require()?.secret),
            None => Secret::draw(),
        }
    }

    fn cannot(&self) -> String {
        format!(
            "cannot rotate the key of instance `{}`",
            self.place.instance
        )
    }
}
