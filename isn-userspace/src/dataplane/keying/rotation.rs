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

use isn_common::{
    abi::{
        flow::{Control, Record},
        settings::{Keyed, Settings},
    },
    tick::Tick,
};

use super::{
    super::{
        attach::HeldSignals, clock, instance::Instance, lock::Lock, maps::Maps, privileges,
        upkeep::Upkeep,
    },
    Adopting, Ends, check_room, is_of_older_key,
    pinning::{self, Pinned, pin},
    span, switch,
};
use crate::{
    failure::Failure,
    key::{Boot, Fingerprint, KeyFile, Secret, Settled, Stored},
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

/// An instance that has the key in use: nobody else can change it meanwhile.
struct Switching<'a> {
    asked: &'a Rotation,
    instance: Instance,
    current: Fingerprint,
    _lock: Lock,
}

impl<'a> Switching<'a> {
    /// `None` if there is no instance, or none that has a keyed rule.
    fn open(asked: &'a Rotation) -> Result<Option<Self>, Failure> {
        let Some(instance) = Instance::open(&asked.place)? else {
            return Ok(None);
        };
        privileges::check(&privileges::TO_ATTACH)?;
        let lock = Lock::for_change(instance.home())?;
        let settings = instance.maps.settings()?;
        let instance = Instance {
            settings,
            ..instance
        };
        let Some(current) =
            Fingerprint::of(settings.keyed.key()).filter(|_| settings.keyed.is_in_use())
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            asked,
            instance,
            current,
            _lock: lock,
        }))
    }

    fn keyed(&self) -> Keyed {
        self.instance.settings.keyed
    }

    /// A rotation that was broken off behind the switch is finished, and that is all.
    fn finish_earlier(&self, tell: &mut dyn FnMut(&str)) -> Result<Option<Rotated>, Failure> {
        if self.asked.file.settle_locked(self.current)? != Settled::Finished {
            return Ok(None);
        }
        tell("finishing a rotation that was broken off");
        let pinned = self.pin_older()?;
        Ok(Some(Rotated {
            generation: self.keyed().generation,
            fingerprint: self.current,
            before: self.keyed().key_before().and_then(Fingerprint::of),
            switched: true,
            finished: true,
            pinned,
            adopting: Adopting::of(&self.keyed(), clock::now()),
        }))
    }

    /// Whether a rotation breaks nothing now.
    fn check(&self) -> Result<(), Failure> {
        if self.asked.force {
            return Ok(());
        }
        let what = self.asked.cannot();
        if let Some(adopting) = Adopting::of(&self.keyed(), clock::now()) {
            let of = if adopting.after_key {
                "the key before this one"
            } else {
                "before keyed mode"
            };
            return Err(Failure::new(
                what,
                format!(
                    "for {} more, connections of {of} are adopted: those that have been silent until now would break",
                    span(adopting.left)
                ),
                "nothing was changed. Wait until that time is over, or break them (--force)",
            ));
        }
        let meant = |_: Ends, record: &Record| record.control().has(Control::KEYED);
        let demands = pinning::demand(&self.instance.maps, &meant)?;
        check_room(
            &what,
            demands,
            "; or rotate all the same (--force): those without room break if they are silent from then on until adopting is over",
        )
    }

    /// The new key, with the number that follows the instance's.
    fn new_key(&self, before: Result<Option<Stored>, Failure>) -> Result<Stored, Failure> {
        let print = |stored: &Stored| stored.secret.fingerprint();
        if self.asked.from.is_none() {
            // Whoever put another key there wanted something.
            if let Some(other) = before?.as_ref().map(print).filter(|it| *it != self.current) {
                let path = self.asked.file.path().display();
                let why = format!(
                    "the key in {path} is not the instance's: fingerprint {other}, and the instance's is {}",
                    self.current
                );
                let remedy = format!(
                    "nothing was changed. To switch to the key in the file: isnguard key rotate --from {path}. To replace it: \
                     move the file away first"
                );
                return Err(Failure::new(self.asked.cannot(), why, remedy));
            }
        }
        let secret = self.asked.secret()?;
        if secret.fingerprint() == self.current {
            return Err(Failure::new(
                self.asked.cannot(),
                format!("it has the key of fingerprint {} already", self.current),
                "nothing was changed, and there is nothing to do",
            ));
        }
        Ok(Stored {
            secret,
            generation: self.keyed().generation.wrapping_add(1),
            used_in: Boot::current(),
        })
    }

    fn switch(mut self, new: &Stored, tell: &mut dyn FnMut(&str)) -> Result<Rotated, Failure> {
        let file = &self.asked.file;
        file.write_next(new)?;
        tell("keeping the connections that are open");
        let mut pinned = self.pin_all()?;
        tell("switching");
        {
            let _held = HeldSignals::hold()?;
            self.write(new)?;
            file.finish()?;
        }
        tell("keeping the connections that opened meanwhile");
        let later = self.pin_older()?;
        pinned.done += later.done;
        pinned.left = later.left;
        Ok(Rotated {
            generation: new.generation,
            fingerprint: new.secret.fingerprint(),
            before: Some(self.current),
            switched: true,
            finished: false,
            pinned,
            adopting: Adopting::of(&self.keyed(), clock::now()),
        })
    }

    fn write(&mut self, new: &Stored) -> Result<(), Failure> {
        let settings: Settings = self.instance.settings;
        let ticks = self
            .asked
            .adopt
            .map_or(settings.limits.idle, Tick::in_seconds);
        for keyed in switch::to_key(settings.keyed, new.secret.key(), clock::now(), ticks) {
            self.instance.settings = Settings { keyed, ..settings };
            let maps: &mut Maps = &mut self.instance.maps;
            maps.write_settings(&self.instance.settings)?;
        }
        Ok(())
    }

    fn pin_all(&self) -> Result<Pinned, Failure> {
        self.pin(&|_, record| record.control().has(Control::KEYED))
    }

    /// What came in while the key changed.
    fn pin_older(&self) -> Result<Pinned, Failure> {
        let generation = self.keyed().generation;
        self.pin(&|_, record| is_of_older_key(record, generation))
    }

    fn pin(&self, meant: &pinning::Meant<'_>) -> Result<Pinned, Failure> {
        let mut upkeep = Upkeep::load(&self.instance.pins)?;
        pin(&mut upkeep, &self.instance.maps, meant)
    }
}
