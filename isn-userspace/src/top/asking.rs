//! What takes its time: the state of the instance, and the hosts of `isnguard run`, which are graded. A thread of its own asks,
//! and pauses ten times as long as that took.

use std::{
    cmp::Reverse,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use crate::{
    dataplane::{self},
    failure::{Explain as _, Failure},
    grading::Graded,
    hosts::{Answer, HostId, ask, numbers},
    report::mode_of,
    settings::{Place, common_mode},
};

/// Between two looks at least.
const PAUSE: Duration = Duration::from_secs(3);
/// How many times as long as asking took.
const TIMES: u32 = 10;

/// A host with its grade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRow {
    /// Which one.
    pub id: HostId,
    /// From A to F, as it is and with isnguard.
    pub grades: [&'static str; 2],
    /// How it chooses its numbers.
    pub class: &'static str,
    /// nmap's difficulty, as it is and with isnguard; `None` where too few samples were seen.
    pub difficulties: [Option<u32>; 2],
    /// Connections that began at or below the end of the one before.
    pub regressions: usize,
    /// SYNs seen.
    pub syns: u64,
    /// SYNs that left with another number.
    pub rewritten: u64,
    /// Its mode at its latest SYN.
    pub mode: &'static str,
    /// The mode that it needs.
    pub advice: &'static str,
}

/// What was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Mode of all rules.
    pub mode: &'static str,
    /// Interfaces, each with its hook.
    pub attached: Vec<String>,
    /// What is wrong.
    pub problems: Vec<String>,
    /// The hosts, the worst first; `None` where no `isnguard run` keeps them.
    pub hosts: Option<Vec<HostRow>>,
}

/// Somebody who asks, until this is dropped.
#[derive(Debug)]
pub struct Asking {
    answers: Receiver<Asked>,
    _stop: Sender<()>,
}

impl Asking {
    /// Begins to ask.
    pub fn begin(place: &Place) -> Result<Self, Failure> {
        let (tell, answers) = channel();
        let (stop, stopped) = channel::<()>();
        let place = place.clone();
        let thread = thread::Builder::new().name("asking".into());
        let asking = thread.spawn(move || {
            loop {
                let begun = Instant::now();
                if tell.send(look(&place)).is_err() {
                    return;
                }
                let pause = PAUSE.max(begun.elapsed() * TIMES);
                if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        asking.explain(
            "cannot ask for the state of the instance",
            "see `ulimit -u`",
        )?;
        Ok(Self {
            answers,
            _stop: stop,
        })
    }

    /// The latest answer, if there is a new one.
    #[must_use]
    pub fn answer(&self) -> Option<Asked> {
        self.answers.try_iter().last()
    }
}

/// Asks once. What fails is a problem.
#[must_use]
pub fn look(place: &Place) -> Asked {
    let mut asked = Asked::default();
    match dataplane::status(place) {
        Ok(Some(status)) => {
            asked.mode = common_mode(&status.policy);
            let attached = status.attached.iter().map(|it| {
                let hook = it.hook.map_or("no hook", dataplane::Hook::name);
                format!("{} {hook}", it.interface)
            });
            asked.attached = attached.collect();
            asked.problems = status.problems;
        }
        Ok(None) => asked.problems.push("the instance is not attached".into()),
        Err(failure) => asked.problems.push(failure.to_string()),
    }
    match ask(place) {
        Ok(Answer::Told(told)) => asked.hosts = Some(rows(&told.hosts)),
        Ok(Answer::Nobody) => {}
        Err(failure) => asked.problems.push(failure.to_string()),
    }
    asked
}

fn rows(hosts: &[crate::hosts::Host]) -> Vec<HostRow> {
    let mut graded: Vec<_> = hosts
        .iter()
        .map(|host| {
            let numbers = numbers(host);
            let graded = numbers.graded(host.id.address);
            let rank = (graded.rank(), Reverse(host.syns), host.id);
            (rank, row(host, mode_of(numbers.mode), &graded))
        })
        .collect();
    graded.sort_by(|one, other| one.0.cmp(&other.0));
    graded.into_iter().map(|(_, row)| row).collect()
}

fn row(host: &crate::hosts::Host, mode: &'static str, graded: &Graded) -> HostRow {
    let both = [&graded.before, &graded.after];
    HostRow {
        id: host.id,
        grades: both.map(|it| it.grade.name()),
        class: graded.before.class.name(),
        difficulties: both.map(|it| it.sequence.map(|sequence| sequence.difficulty)),
        regressions: graded.before.regressions,
        syns: host.syns,
        rewritten: host.rewritten,
        mode,
        advice: graded.before.advice.name(),
    }
}
