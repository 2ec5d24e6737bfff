//! Facts about the instance and its key.

use std::{fs, os::unix::fs::MetadataExt as _};

use isn_common::abi::control::Control;
use nix::unistd::geteuid;

use super::super::{
    Known,
    judge::instance::{Directions, KeyFacts, Running, Seen},
};
use crate::{
    dataplane::{self, Hook, Instance, KeyState, Pins, Status, interfaces::Interface},
    failure::Failure,
    key::KeyFile,
    report::disagreement,
    settings::{Mode, Place, Request, Treatment},
};

/// Permissions of everybody but the owner.
const OTHERS: u32 = 0o077;

/// An instance as `status` finds it.
pub enum State {
    /// It is attached.
    There(Box<Status>),
    /// It is not.
    Absent,
    /// It is there and cannot be used.
    Refused(Failure),
    /// This process may not look.
    Unseen(String),
}

impl State {
    /// The status, where there is one.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::There(status) => Some(status),
            _ => None,
        }
    }
}

/// Reads the status of an instance.
#[must_use]
pub fn state(place: &Place) -> State {
    match dataplane::status(place) {
        Ok(Some(status)) => State::There(Box::new(status)),
        Ok(None) => State::Absent,
        Err(failure) if !geteuid().is_root() && of_somebody_else(place) => {
            State::Unseen(format!("{failure}; run it as root to see the instance"))
        }
        Err(failure) => State::Refused(failure),
    }
}

/// Whether the directory that all instances share is another user's.
fn of_somebody_else(place: &Place) -> bool {
    fs::symlink_metadata(Pins::new(place).root)
        .map_or(true, |metadata| metadata.uid() != geteuid().as_raw())
}

/// What is to be judged about it.
#[must_use]
pub fn running(state: State, place: &Place, interfaces: &[Interface]) -> Seen {
    let status = match state {
        State::There(status) => status,
        State::Absent => return Seen::Absent,
        State::Refused(failure) => return Seen::Refused(failure),
        State::Unseen(why) => return Seen::Unseen(why),
    };
    let instance = match Instance::open(place) {
        Ok(Some(instance)) => instance,
        Ok(None) => return Seen::Absent,
        Err(failure) => return Seen::Refused(failure),
    };
    let there = |index: u32| interfaces.iter().any(|it| it.index == index);
    let whole = !status.attached.is_empty() && status.attached.iter().all(|it| there(it.ifindex));
    Seen::There(Box::new(Running {
        abi: status.settings.abi_version,
        attached: attached(&status),
        attach_heals: whole,
        process: status.running,
        stats: instance.stats().map_err(|failure| failure.to_string()),
        directions: directions(&instance),
        keyed: status.key.in_use,
        adopting: status.key.adopting,
        adopting_problem: status.key.problem(),
        problems: of_attachment(&status),
    }))
}

/// What `status` complains about, but for adopting, which is a check of its own.
fn of_attachment(status: &Status) -> Vec<String> {
    let adopting = status.key.problem();
    let problems = status.problems.iter();
    problems
        .filter(|it| Some(*it) != adopting.as_ref())
        .cloned()
        .collect()
}

fn attached(status: &Status) -> Vec<String> {
    let id = |id: Option<u32>| id.map_or("none".into(), |id| id.to_string());
    let attached = status.attached.iter();
    attached
        .map(|it| {
            format!(
                "`{}` {} at {}, programs {} and {}",
                it.interface,
                it.placement.name(),
                it.hook.map_or("no hook", Hook::name),
                id(it.ingress_program),
                id(it.egress_program)
            )
        })
        .collect()
}

fn directions(instance: &Instance) -> Known<Directions> {
    let flows = instance.flows().map_err(|failure| failure.to_string())?;
    let mut seen = Directions::default();
    for flow in flows {
        let control = flow.record.control();
        let has = |bits| control.has(bits);
        match (has(Control::ANSWERED), has(Control::PEER_SEEN)) {
            _ if has(Control::MOVED) => {}
            (true, true) => seen.both += 1,
            (true, false) => seen.one += 1,
            (false, false) if has(Control::HOST_SYN) => seen.unanswered += 1,
            (false, _) => {}
        }
    }
    Ok(seen)
}

/// Reads what there is to know about the key; `None` where no rule is keyed, nor asked to be.
#[must_use]
pub fn key(request: &Request, status: Option<&Status>, options: &str) -> Option<KeyFacts> {
    let asked = request.mode == Some(Mode::Keyed)
        || request
            .protect
            .iter()
            .any(|it| it.mode == Some(Treatment::Guard(Mode::Keyed)));
    let state: Option<KeyState> = status.map(|it| it.key).filter(|it| it.in_use);
    if !asked && state.is_none() {
        return None;
    }
    let instance = &request.place.instance;
    let file = KeyFile::choose(request.key_file.as_deref(), instance);
    let read = file.read();
    let missing = matches!(read, Ok(None));
    let of_file = read.ok().flatten().map(|it| it.secret.fingerprint());
    let in_use = state.and_then(|it| it.fingerprint);
    let disagrees = in_use.is_some() && in_use != of_file;
    let named = request.key_file.as_ref();
    let option = named.map_or_else(String::new, |it| format!(" --key-file {}", it.display()));
    Some(KeyFacts {
        path: file.path().display().to_string(),
        missing,
        open_to_others: fs::symlink_metadata(file.path())
            .is_ok_and(|it| it.is_file() && it.mode() & OTHERS != 0),
        refused: file.require().err(),
        disagreement: disagrees.then(|| disagreement(file.path(), of_file)),
        options: format!("{options}{option}"),
    })
}
