//! One change of the policy: checked as a whole, then written into the configuration file if asked for, then into the maps.

use std::path::{Path, PathBuf};

use super::{
    super::{Common, Outcome, args::absolute, not_running},
    How, configured,
};
use crate::{
    config::{Edit, LastReload, Loaded, Replacement, edited, text},
    dataplane::{self, Doing},
    failure::Failure,
    report::{DiffReport, Report as _},
    settings::{Mode, PolicyTable, Protect, Request, Treatment, common_mode},
};

/// What is to become of the rules.
#[derive(Clone, Copy)]
pub enum Wanted<'a> {
    /// These are added.
    Add(&'a [Protect]),
    /// These go.
    Remove(&'a [Protect]),
    /// These are all.
    Replace(&'a [Protect]),
}

/// A change that is to be made.
pub struct Change<'a> {
    how: &'a How,
    common: &'a Common,
    file: Option<PathBuf>,
    loaded: Option<Loaded>,
}

impl<'a> Change<'a> {
    /// Finds the configuration file, if there is one; one that cannot be read matters only where it is to be changed.
    pub fn new(how: &'a How, common: &'a Common) -> Result<Self, Failure> {
        let place = common.place();
        let noted = || LastReload::of(&place).map(|it| it.file);
        let named = how.config.as_deref().map(absolute).transpose()?;
        let file = named.or_else(noted);
        let loaded = match &file {
            Some(file) if how.persist || how.config.is_some() => Some(configured(file, &place)?),
            Some(file) => configured(file, &place).ok(),
            None if how.persist => {
                return Err(Failure::new(
                    "cannot keep the change in a configuration file",
                    "the instance was not configured by one",
                    "name the file (--config FILE), or leave --persist away",
                ));
            }
            None => None,
        };
        Ok(Self {
            how,
            common,
            file,
            loaded,
        })
    }

    /// Makes it, or tells what it would be.
    pub fn make(&self, wanted: Wanted<'_>) -> anyhow::Result<Outcome> {
        let doing = if self.how.dry_run {
            Doing::Tell
        } else {
            Doing::Change
        };
        let mut persisting = Persisting::default();
        let edits = std::cell::RefCell::new(Vec::new());
        let edit = |policy: &mut PolicyTable| {
            let before = policy.clone();
            self.edit(policy, wanted)?;
            edits.replace(self.edits(&before, policy));
            Ok(())
        };
        let mut commit = || match (&self.file, self.how.persist) {
            (Some(file), true) => persisting.put(file, &edits.borrow()),
            _ => Ok(()),
        };
        let done = dataplane::change_policy(&self.request(), doing, edit, &mut commit);
        if done.is_err() {
            persisting.take_back();
        }
        let Some(done) = done? else {
            return Ok(not_running(self.common));
        };
        let changed = doing == Doing::Change;
        let report = DiffReport::new(self.common.instance.as_str(), changed, done);
        report.print(self.common.json)?;
        for warning in report.warnings() {
            eprintln!("note: {warning}");
        }
        Ok(Outcome::Done)
    }

    /// Nothing but what keyed mode must know.
    fn request(&self) -> Request {
        let file = self.loaded.as_ref().map(|it| &it.request);
        let named = file.and_then(|it| it.key_file.clone());
        Request {
            key_file: self.how.key_file.clone().or(named),
            adopt: self.how.adopt,
            ..Request::of(self.common.place())
        }
    }

    fn edit(&self, policy: &mut PolicyTable, wanted: Wanted<'_>) -> Result<(), Failure> {
        match wanted {
            Wanted::Add(rules) => self.add(policy, rules),
            Wanted::Remove(rules) => rules.iter().try_for_each(|it| remove(policy, it)),
            Wanted::Replace(rules) => {
                let mode = self.general_mode(policy, rules)?;
                *policy = PolicyTable::default();
                rules
                    .iter()
                    .try_for_each(|it| policy.add(it, mode).map(drop))
            }
        }
    }

    fn add(&self, policy: &mut PolicyTable, rules: &[Protect]) -> Result<(), Failure> {
        let mode = self.general_mode(policy, rules)?;
        rules
            .iter()
            .try_for_each(|it| policy.add(it, mode).map(drop))
    }

    /// The mode of rules that name none: that of all others, or of the file.
    fn general_mode(&self, policy: &PolicyTable, rules: &[Protect]) -> Result<Mode, Failure> {
        let of_file = self.loaded.as_ref().and_then(|it| it.request.mode);
        let of_others = Treatment::ALL
            .iter()
            .find(|it| it.name() == common_mode(policy));
        let found = of_file.or_else(|| of_others.and_then(|it| it.mode()));
        match found {
            Some(mode) => Ok(mode),
            None if rules.iter().all(|it| it.mode.is_some()) => Ok(Mode::Monotonic),
            None => Err(Failure::new(
                "cannot add a rule without a mode",
                "the others have several",
                "name it: mode=monotonic, mode=keyed, mode=observe or mode=off",
            )),
        }
    }

    /// What the file must say otherwise. A file without rules means every host, and with its first rule it means that one alone:
    /// so what applies is written there first.
    fn edits(&self, before: &PolicyTable, after: &PolicyTable) -> Vec<Edit> {
        let general = self.loaded.as_ref().and_then(|it| it.request.mode);
        let is_bare = self
            .loaded
            .as_ref()
            .is_some_and(|it| it.given.protect.is_empty());
        let written = |table: &PolicyTable| -> Vec<Protect> {
            let rule = |it: crate::settings::Guarded| Protect {
                prefix: it.prefix,
                ports: it.ports,
                mode: (it.mode.mode() != general || general.is_none()).then_some(it.mode),
            };
            table.rules().map(rule).collect()
        };
        let (old, new) = (written(before), written(after));
        let same = |a: &Protect, b: &Protect| (a.prefix, a.ports) == (b.prefix, b.ports);
        let gone = old
            .iter()
            .filter(|rule| !new.iter().any(|it| same(it, rule)));
        let come = new.iter().filter(|rule| is_bare || !old.contains(rule));
        let mut edits: Vec<Edit> = gone.map(|it| Edit::Remove(*it)).collect();
        edits.extend(come.map(|it| Edit::Add(*it)));
        edits
    }
}

fn remove(policy: &mut PolicyTable, rule: &Protect) -> Result<(), Failure> {
    if rule.mode.is_some() {
        return Err(Failure::new(
            format!("cannot remove `{rule}`"),
            "rules are removed by prefix and ports, whatever their mode",
            "leave `mode=` away; for another mode, add the rule again (isnguard policy add)",
        ));
    }
    policy.remove(rule).map(drop)
}

/// A configuration file that was changed, and how to take it back.
#[derive(Default)]
struct Persisting {
    before: Option<(PathBuf, String)>,
}

impl Persisting {
    fn put(&mut self, file: &Path, edits: &[Edit]) -> Result<(), Failure> {
        let before = text(file)?;
        let after = edited(file, &before, edits)?;
        if after == before {
            return Ok(());
        }
        Replacement::prepare(file, &after)?.put()?;
        self.before = Some((file.to_owned(), before));
        Ok(())
    }

    fn take_back(&mut self) {
        let Some((file, before)) = self.before.take() else {
            return;
        };
        let back = Replacement::prepare(&file, &before).and_then(Replacement::put);
        if let Err(failure) = back {
            tracing::error!("{failure}; {}", failure.remedy());
        }
    }
}
