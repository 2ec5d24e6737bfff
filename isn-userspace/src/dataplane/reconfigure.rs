//! Another configuration for an instance that is attached: settings and policy switch, programs and flows stay (S19).
//!
//! A policy change affects only new SYNs. The tries change prefix by prefix, in an order in which each host is treated as before
//! or as afterwards ([`PolicyTable::steps_from`]); killed in between, some hosts have the one and some the other, and the next
//! reload, `attach` or change finishes it, since each begins with what the tries hold.

use super::{
    attach::{HeldSignals, open_netlink},
    difference::{self, Difference},
    existing::{self, Existing},
    interfaces,
    keying::Plan,
    lock,
    maps::Maps,
    namespace,
    pins::Pins,
    privileges, status,
    target::{self, Targets},
    trust,
    undo::Undo,
};
use crate::{
    failure::Failure,
    settings::{Place, PolicyTable, Request},
};

/// Prefixes of one family that the data plane has room for.
pub const MOST_PREFIXES: usize = 4_096;

/// What was changed, or would be.
#[derive(Debug, Default)]
pub struct Reconfigured {
    /// What is otherwise than before.
    pub differences: Vec<Difference>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

impl Reconfigured {
    /// What was changed, on one line.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        if self.differences.is_empty() {
            return "nothing had changed".into();
        }
        let lines: Vec<String> = self.differences.iter().map(ToString::to_string).collect();
        lines.join("; ")
    }
}

/// Whether it is to be done or only told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It is done.
    Change,
    /// Everything is checked, nothing done.
    Tell,
}

/// Takes over what is asked for, as far as that can change while an instance is attached; all or nothing. `None` where there is
/// no such instance.
pub fn reconfigure(request: &Request, doing: Doing) -> Result<Option<Reconfigured>, Failure> {
    request.check()?;
    let Some(locked) = Locked::open(&request.place, request)? else {
        return Ok(None);
    };
    let new = locked.new_interfaces(request)?;
    let before = &locked.existing;
    let policy = existing::wanted_policy(Some(&before.policy), request)?;
    policy.check_guards()?;
    let settings = existing::wanted_settings(
        Some(before.settings),
        request,
        namespace::current()?,
        existing::draw_secret,
    )?;
    let mut differences = difference::between(before, &policy, &settings);
    differences.extend(new.iter().map(|name| Difference {
        key: "interface",
        before: None,
        after: Some(name.clone()),
    }));
    let warnings = if new.is_empty() || doing == Doing::Tell {
        locked.switch(request, &settings, &policy, doing, &mut || Ok(()))?
    } else {
        // Programs are attached in the transaction of `attach`, which takes the lock itself.
        drop(locked);
        super::attach(request, false)?.warnings
    };
    Ok(Some(Reconfigured {
        differences,
        warnings,
    }))
}

/// Changes the policy alone. `commit` comes after every check and before the first write; what it did must be taken back by
/// the caller if this fails.
pub fn change_policy(
    request: &Request,
    doing: Doing,
    edit: impl FnOnce(&mut PolicyTable) -> Result<(), Failure>,
    commit: &mut dyn FnMut() -> Result<(), Failure>,
) -> Result<Option<Reconfigured>, Failure> {
    let Some(locked) = Locked::open(&request.place, request)? else {
        return Ok(None);
    };
    let mut policy = locked.existing.policy.clone();
    edit(&mut policy)?;
    policy.check_guards()?;
    let differences = difference::of_policies(&locked.existing.policy, &policy);
    let settings = locked.existing.settings;
    let warnings = locked.switch(request, &settings, &policy, doing, commit)?;
    Ok(Some(Reconfigured {
        differences,
        warnings,
    }))
}

/// An instance that nobody else changes meanwhile.
struct Locked {
    pins: Pins,
    existing: Existing,
    _signals: HeldSignals,
    _lock: lock::Lock,
}

impl Locked {
    fn open(place: &Place, request: &Request) -> Result<Option<Self>, Failure> {
        privileges::check(&privileges::TO_ATTACH)?;
        let signals = HeldSignals::hold()?;
        let pins = Pins::new(place);
        trust::directories(&pins)?;
        if !status::exists(&pins)? {
            return Ok(None);
        }
        let lock = lock::for_change(&pins.home)?;
        trust::check(&pins)?;
        let existing = existing::read(&pins, request)?;
        Ok(existing.map(|existing| Self {
            pins,
            existing,
            _signals: signals,
            _lock: lock,
        }))
    }

    /// Names of interfaces that are asked for and not attached to; refuses what contradicts what is attached. One that is gone
    /// for the time being is no contradiction.
    fn new_interfaces(&self, request: &Request) -> Result<Vec<String>, Failure> {
        let known = self.pins.known()?;
        let there = interfaces::all(&mut open_netlink()?)?;
        let noted = |name: &str| known.notes.values().any(|note| note.interface == name);
        let present = |name: &str| there.iter().any(|it| it.name == name);
        let mut asked = request.clone();
        asked
            .placed
            .retain(|it| present(&it.interface) || !noted(&it.interface));
        if asked.placed.is_empty() {
            return Ok(Vec::new());
        }
        let Targets { wanted, .. } = target::targets(&asked, &known, &there)?;
        let new = wanted.into_iter().filter(|target| target.seats.is_empty());
        Ok(new.map(|target| target.interface.name).collect())
    }

    /// Checks everything, then writes settings and policy. On failure what was there is there again.
    fn switch(
        &self,
        request: &Request,
        settings: &isn_common::abi::settings::Settings,
        policy: &PolicyTable,
        doing: Doing,
        commit: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<Vec<String>, Failure> {
        check_room(&self.existing.policy, policy)?;
        let mut plan = Plan::new(Some(&self.existing), policy, settings, request)?;
        if doing == Doing::Tell {
            return Ok(plan.warnings);
        }
        commit()?;
        let mut undo = Undo::default();
        let (pins, before) = (self.pins.clone(), self.existing.clone());
        undo.push("settings and policy", move || {
            let mut maps = Maps::open(&pins)?;
            maps.write_settings(&before.settings)?;
            Ok(maps.write_policy(&before.policy)?)
        });
        let mut maps = Maps::open(&self.pins)?;
        plan.apply(&self.pins, &mut maps, settings, policy)?;
        if maps.policy()? != *policy {
            return Err(Failure::new(
                "cannot change the policy",
                "read back, it is not what was written",
                "what was there was put back; see who else writes to the pinned maps, and try again",
            ));
        }
        undo.keep();
        Ok(plan.note_use())
    }
}

/// While the one takes the place of the other, both are there.
fn check_room(before: &PolicyTable, after: &PolicyTable) -> Result<(), Failure> {
    let most = after.most_on_the_way_from(before);
    let Some((family, most)) = ["IPv4", "IPv6"]
        .into_iter()
        .zip(most)
        .find(|(_, most)| *most > MOST_PREFIXES)
    else {
        return Ok(());
    };
    Err(Failure::new(
        "cannot change the policy",
        format!(
            "{most} {family} prefixes would be there while it changes, and there is room for {MOST_PREFIXES}"
        ),
        "nothing was changed; guard fewer and larger prefixes, or change them in two steps, the smaller policy first",
    ))
}
