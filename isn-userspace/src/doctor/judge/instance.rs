//! The instance as it stands, and its key.

#[cfg(test)]
pub(super) mod tests;

use super::super::{
    Check, Finding, Known,
    check::{advice, command},
};
use crate::{
    dataplane::{Adopting, Stats},
    failure::Failure,
};

/// An instance, or why there is none to be seen.
pub enum Seen {
    /// It is attached.
    There(Box<Running>),
    /// It is not.
    Absent,
    /// It is there and cannot be used.
    Refused(Failure),
    /// This process may not look.
    Unseen(String),
}

/// What is read about an instance.
#[derive(Debug)]
pub struct Running {
    /// Layout of its maps.
    pub abi: u32,
    /// Its interfaces with side, hook and programs, in words.
    pub attached: Vec<String>,
    /// What `status` complains about.
    pub problems: Vec<String>,
    /// Whether `attach` puts that right.
    pub attach_heals: bool,
    /// The process that stays with it.
    pub process: Option<u32>,
    /// Counters and tables.
    pub stats: Known<Stats>,
    /// Connections by the directions that were seen.
    pub directions: Known<Directions>,
    /// Whether a rule is keyed.
    pub keyed: bool,
    /// Whether connections of before keyed mode are adopted.
    pub adopting: Option<Adopting>,
    /// What is wrong with adopting.
    pub adopting_problem: Option<String>,
}

/// Connections by the directions that were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directions {
    /// Answered, and no packet of the peer was seen.
    pub one: usize,
    /// Answered, and both were seen.
    pub both: usize,
    /// The host opened them, and no packet of the peer was seen.
    pub unanswered: usize,
}

/// What is read about the key.
#[derive(Debug)]
pub struct KeyFacts {
    /// Where it is.
    pub path: String,
    /// The refusal of `attach`, if it cannot be used.
    pub refused: Option<Failure>,
    /// Whether the file is not there.
    pub missing: bool,
    /// Whether others than its owner can get at it.
    pub open_to_others: bool,
    /// Why it is not the one in use.
    pub disagreement: Option<String>,
    /// Options that name the file and the instance.
    pub options: String,
}

/// What stands behind the verb to name the instance.
pub type Options<'a> = &'a str;

/// Findings about the instance itself.
#[must_use]
pub fn judge(seen: &Seen, name: &str, options: Options) -> Vec<Finding> {
    let running = match seen {
        Seen::There(running) => running,
        Seen::Absent => {
            return vec![
                Check::Instance
                    .ok(format!(
                        "instance `{name}` is not attached: this is what `attach` would find"
                    ))
                    .on(name),
            ];
        }
        Seen::Refused(failure) => return vec![Check::Instance.refused(failure).on(name)],
        Seen::Unseen(why) => return vec![Check::Instance.unknown(why).on(name)],
    };
    if running.problems.is_empty() {
        let where_to = running.attached.join("; ");
        return vec![
            Check::Instance
                .ok(format!(
                    "attached and read back: {where_to}; pins of layout {}",
                    running.abi
                ))
                .on(name),
        ];
    }
    let fix = || {
        if running.attach_heals {
            return command(format!("isnguard attach{options}"));
        }
        advice("once the interface is back, attach again, or let `isnguard run` do it")
    };
    let problems = running.problems.iter();
    problems
        .map(|problem| Check::Instance.fail(problem, fix()).on(name))
        .collect()
}

/// Findings about keyed mode, where it is in use or asked for.
#[must_use]
pub fn key(key: &KeyFacts) -> Finding {
    let KeyFacts { path, options, .. } = key;
    match (&key.refused, &key.disagreement) {
        (Some(failure), _) => {
            let fix = match (key.missing, key.open_to_others) {
                (true, _) => command(format!("isnguard key rotate{options}")),
                (_, true) => command(format!("chmod 600 {path}")),
                _ => advice(failure.remedy()),
            };
            Check::Key.fail(failure.to_string(), fix)
        }
        (None, Some(why)) => Check::Key.fail(
            why,
            advice(
                "name the file of the instance's key with --key-file, or switch to the one in this file (isnguard key \
                 rotate --from)",
            ),
        ),
        (None, None) => Check::Key.ok(format!("{path}: whole, nobody else's, the one in use")),
    }
}

/// Whether connections of before find room.
#[must_use]
pub fn adopting(running: &Running) -> Finding {
    if let Some(problem) = &running.adopting_problem {
        return Check::Adopting.warn(
            problem,
            advice("let others end, or attach anew with a larger --max-flows"),
        );
    }
    Check::Adopting.ok(match running.adopting {
        Some(it) => format!(
            "connections that are not known are adopted as they are for {:.0} s more",
            it.seconds_left()
        ),
        None => "nothing is being adopted".into(),
    })
}
