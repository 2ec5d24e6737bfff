//! What a change of configuration changes, in the operator's words: one line for each value and rule.

use isn_common::{
    abi::settings::{OnFull, Settings},
    tick::Tick,
};
use serde::Serialize;

use super::existing::Existing;
use crate::settings::{Guarded, PolicyTable};

/// A value or a rule that is another one than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The key of the configuration; `protect` for a rule.
    pub key: &'static str,
    /// As it was; `null` for what is new.
    pub before: Option<String>,
    /// As it is to be; `null` for what goes.
    pub after: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, before, after } = self;
        match (before, after) {
            (Some(before), Some(after)) => write!(f, "{key}: {before} becomes {after}"),
            (None, Some(after)) => write!(f, "{key}: + {after}"),
            (Some(before), None) => write!(f, "{key}: - {before}"),
            (None, None) => f.write_str(key),
        }
    }
}

/// Between what is there and what is wanted.
#[must_use]
pub fn between(before: &Existing, policy: &PolicyTable, settings: &Settings) -> Vec<Difference> {
    let mut all = of_settings(&before.settings, settings);
    all.extend(of_policies(&before.policy, policy));
    all
}

fn of_settings(before: &Settings, after: &Settings) -> Vec<Difference> {
    let seconds = |ticks| format!("{} s", Tick::to_seconds(ticks).round());
    let on_full = |settings: &Settings| match settings.on_full() {
        OnFull::Pass => "pass".to_owned(),
        OnFull::Drop => "drop".to_owned(),
    };
    let samples = |it: &Settings| it.limits.sample_share.to_string();
    let draining = |it: &Settings| if it.draining() { "yes" } else { "no" }.to_owned();
    let values = [
        ("history", seconds(before.history), seconds(after.history)),
        (
            "idle",
            seconds(before.limits.idle),
            seconds(after.limits.idle),
        ),
        (
            "closing",
            seconds(before.limits.closing),
            seconds(after.limits.closing),
        ),
        ("on-full", on_full(before), on_full(after)),
        ("samples", samples(before), samples(after)),
        ("draining", draining(before), draining(after)),
    ];
    let changed = values
        .into_iter()
        .filter(|(_, before, after)| before != after);
    changed
        .map(|(key, before, after)| Difference {
            key,
            before: Some(before),
            after: Some(after),
        })
        .collect()
}

/// Rules that go or change their mode, then those that are new.
#[must_use]
pub fn of_policies(before: &PolicyTable, after: &PolicyTable) -> Vec<Difference> {
    let (old, new): (Vec<Guarded>, Vec<Guarded>) =
        (before.rules().collect(), after.rules().collect());
    let same = |a: &Guarded, b: &Guarded| (a.prefix, a.ports) == (b.prefix, b.ports);
    let was = old.iter().filter_map(|rule| {
        let now = new.iter().find(|it| same(it, rule));
        (now != Some(rule)).then(|| Difference {
            key: "protect",
            before: Some(line(rule)),
            after: now.map(line),
        })
    });
    let is = new
        .iter()
        .filter(|rule| !old.iter().any(|it| same(it, rule)));
    let mut all: Vec<Difference> = was.collect();
    all.extend(is.map(|rule| Difference {
        key: "protect",
        before: None,
        after: Some(line(rule)),
    }));
    all.extend(reordered(before, after));
    all
}

/// Prefixes whose rules are the same in another order.
fn reordered(before: &PolicyTable, after: &PolicyTable) -> Vec<Difference> {
    let of = |table: &PolicyTable, prefix| -> Vec<String> {
        let rules = table.rules().filter(|it| it.prefix == prefix);
        rules.map(|it| it.ports.to_string()).collect()
    };
    let sorted = |mut ports: Vec<String>| {
        ports.sort();
        ports
    };
    let prefixes = after.0.keys().copied();
    let pairs = prefixes.map(|prefix| (prefix, of(before, prefix), of(after, prefix)));
    pairs
        .filter(|(_, old, new)| old != new && sorted(old.clone()) == sorted(new.clone()))
        .map(|(prefix, old, new)| Difference {
            key: "protect",
            before: Some(format!("{prefix} order {}", old.join(", "))),
            after: Some(format!("{prefix} order {}", new.join(", "))),
        })
        .collect()
}

fn line(rule: &Guarded) -> String {
    format!("{} ports {} {}", rule.prefix, rule.ports, rule.mode.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Mode;

    fn table(rules: &[&str]) -> PolicyTable {
        let rules: Vec<_> = rules.iter().map(|it| it.parse().unwrap()).collect();
        PolicyTable::build(&rules, Mode::Monotonic).unwrap()
    }

    fn lines(before: &[&str], after: &[&str]) -> Vec<String> {
        let all = of_policies(&table(before), &table(after));
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules_that_come_go_and_change_are_told() {
        assert_eq!(
            lines(
                &["10.0.0.0/8", "192.0.2.0/24", "::/0"],
                &["10.0.0.0/8,mode=observe", "2001:db8::/32", "::/0"]
            ),
            [
                "protect: 10.0.0.0/8 ports all monotonic becomes 10.0.0.0/8 ports all observe",
                "protect: - 192.0.2.0/24 ports all monotonic",
                "protect: + 2001:db8::/32 ports all monotonic"
            ]
        );
        assert!(lines(&["::/0"], &["::/0"]).is_empty());
    }

    #[test]
    fn another_order_is_a_difference() {
        let rules = ["10.0.0.0/8,port=1-5", "10.0.0.0/8,port=4-9,mode=off"];
        assert_eq!(
            lines(&rules, &[rules[1], rules[0]]),
            ["protect: 10.0.0.0/8 order 1-5, 4-9 becomes 10.0.0.0/8 order 4-9, 1-5"]
        );
    }
}
