//! Room, and what its lack has cost.

#[cfg(test)]
mod tests;

use isn_common::counter::Counter;

use super::{
    super::{Check, Finding, Fix, check::advice},
    instance::{Directions, Running},
    known,
};
use crate::dataplane::{Stats, TableLoad};

/// Per cent of a table of translated flows from which it is worth a thought, and without a sweeper.
const FILLED: usize = 80;
const FILLED_UNSWEPT: usize = 50;
/// Connections below which a share of them says nothing.
const TOO_FEW: usize = 20;
/// Per cent of connections seen in one direction.
const SOME: usize = 10;
const MANY: usize = 50;

/// All findings about tables and counters.
#[must_use]
pub fn judge(running: &Running) -> Vec<Finding> {
    let stats = |check, judged: &dyn Fn(&Stats) -> Finding| known(check, &running.stats, judged);
    vec![
        stats(Check::Room, &room),
        stats(Check::Unprotected, &unprotected),
        one_way(running),
        sweeper(running),
        stats(Check::Samples, &|it| samples(it, running.process)),
    ]
}

fn per_cent(table: &TableLoad) -> usize {
    table.entries.saturating_mul(100) / (table.capacity.max(1) as usize)
}

/// How full the fuller of the two tables of translated flows is.
fn fill(stats: &Stats) -> usize {
    let translated = stats
        .tables
        .iter()
        .filter(|it| it.name.starts_with("translated"));
    translated.map(per_cent).max().unwrap_or(0)
}

fn room(stats: &Stats) -> Finding {
    let listed: Vec<String> = stats
        .tables
        .iter()
        .map(|it| format!("{} {} of {}", it.name, it.entries, it.capacity))
        .collect();
    let listed = listed.join(", ");
    if fill(stats) >= FILLED {
        return Check::Room.warn(
            format!("{listed}: the next connections that need an offset may find no room"),
            advice(
                "see who holds it (isnguard flows --translated); attach anew with a larger --max-flows (isnguard detach \
                 --drain first)",
            ),
        );
    }
    if stats.history_evicted > 0 {
        return Check::Room.note(
            format!(
                "{listed}; history_evicted={}: connections were forgotten before their time, and what reopens them is \
                 not held against them",
                stats.history_evicted
            ),
            advice("attach anew with a larger --max-history (isnguard detach --drain first)"),
        );
    }
    Check::Room.ok(listed)
}

const LOST: [Counter; 4] = [
    Counter::TableFull,
    Counter::ShareExceeded,
    Counter::AdoptionFull,
    Counter::DroppedTableFull,
];

fn unprotected(stats: &Stats) -> Finding {
    let read: Vec<String> = LOST
        .iter()
        .map(|it| format!("{}={}", it.name(), stats.get(*it)))
        .collect();
    let read = read.join(", ");
    if LOST.iter().all(|it| stats.get(*it) == 0) {
        return Check::Unprotected.ok(read);
    }
    let finding = Check::Unprotected.note(
        format!("{read} since it was attached: these connections have no offset"),
        advice(
            "share_exceeded: one host takes what others need, see `isnguard flows --translated`; table_full: a larger \
             --max-flows",
        ),
    );
    Finding {
        degrades: fill(stats) >= FILLED,
        ..finding
    }
}

fn one_way(running: &Running) -> Finding {
    let bypassed = running
        .stats
        .as_ref()
        .map_or(0, |stats| stats.get(Counter::BypassOneWay));
    known(Check::OneWay, &running.directions, |seen| {
        let Directions {
            one,
            both,
            unanswered,
        } = *seen;
        let all = one + both;
        let read = format!(
            "{one} of {all} answered connections seen in one direction only, {unanswered} of hosts never answered, \
             {}={bypassed}",
            Counter::BypassOneWay.name()
        );
        // In keyed mode, a host does not take an answer that went past the gateway.
        if running.keyed && unanswered >= TOO_FEW && unanswered > both.saturating_mul(9) {
            let why = "either nobody answers, or the answers go past this gateway, and keyed mode breaks these \
                       connections";
            return Check::OneWay.fail(format!("{read}: {why}"), both_ways());
        }
        let share = one.saturating_mul(100) / all.max(1);
        if all < TOO_FEW || share < SOME {
            return Check::OneWay.ok(read);
        }
        if running.keyed {
            let why = "keyed mode translates one direction and breaks those that it translates";
            return Check::OneWay.fail(format!("{read}: {why}"), both_ways());
        }
        let evidence = format!("{read}: these get no offset (S7)");
        if share < MANY {
            return Check::OneWay.note(evidence, both_ways());
        }
        Check::OneWay.warn(evidence, both_ways())
    })
}

fn both_ways() -> Fix {
    advice(
        "lead both directions over this gateway, or attach the other interfaces that they take, too (--inside and \
         --outside are repeatable); a gateway that shares the other half needs the same key (docs/keyed.md)",
    )
}

fn sweeper(running: &Running) -> Finding {
    if let Some(process) = running.process {
        return Check::Sweeper.ok(format!("`isnguard run` is process {process} (/proc/locks)"));
    }
    let filled = running.stats.as_ref().map_or(0, fill);
    let finding = Check::Sweeper.note(
        "no process holds the lock of `isnguard run` (/proc/locks): what is over stays in the tables",
        advice("keep `isnguard run` running, as a service does"),
    );
    Finding {
        degrades: filled >= FILLED_UNSWEPT,
        ..finding
    }
}

fn samples(stats: &Stats, running: Option<u32>) -> Finding {
    let lost = stats.get(Counter::SamplesLost);
    let read = format!(
        "{}={}, {}={lost}",
        Counter::SamplesTaken.name(),
        stats.get(Counter::SamplesTaken),
        Counter::SamplesLost.name()
    );
    if lost == 0 {
        return Check::Samples.ok(read);
    }
    let fix = if running.is_some() {
        advice(
            "fewer samples from each host (--samples) lose less; only `isnguard hosts` needs them",
        )
    } else {
        advice("`isnguard run` takes them out; only `isnguard hosts` needs them")
    };
    Check::Samples.note(format!("{read}: nobody took these out in time"), fix)
}
