//! Guarded prefixes as the data plane wants them: one [`Policy`] for each prefix, of which the
//! longest that covers a host applies, alone.

mod edit;
#[cfg(test)]
mod tests;
mod transition;

use std::collections::BTreeMap;

use ipnet::IpNet;
use isn_common::abi::policy::{Policy, Rule};

pub use self::{edit::Added, transition::Step};
use super::{Mode, Ports, Protect, Treatment};
use crate::failure::Failure;

/// Name of a mode on the command line and in JSON.
#[must_use]
pub const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Monotonic => "monotonic",
        Mode::Keyed => "keyed",
    }
}

/// Guarded prefixes with their rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyTable(pub BTreeMap<IpNet, Policy>);

/// One rule of one prefix, for reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// The prefix.
    pub prefix: IpNet,
    /// The service ports.
    pub ports: Ports,
    /// What becomes of connections to these ports.
    pub mode: Treatment,
}

impl PolicyTable {
    /// The table for `protect`; prefixes that name no mode get `mode`.
    pub fn build(protect: &[Protect], mode: Mode) -> Result<Self, Failure> {
        let mut table: BTreeMap<IpNet, Vec<Guarded>> = BTreeMap::new();
        for given in protect {
            let Protect { prefix, ports, .. } = *given;
            let rule = Guarded {
                prefix,
                ports,
                mode: given.mode.unwrap_or(Treatment::Guard(mode)),
            };
            add(table.entry(prefix).or_default(), rule)?;
        }
        Ok(Self(
            table
                .into_iter()
                .map(|(prefix, rules)| (prefix, policy(&rules)))
                .collect(),
        ))
    }

    /// The same prefixes and ports, all in `mode`, but for those that are taken out.
    #[must_use]
    pub fn in_mode(&self, mode: Mode) -> Self {
        let changed = |rule: Guarded| Guarded {
            mode: rule
                .mode
                .mode()
                .map_or(rule.mode, |_| Treatment::Guard(mode)),
            ..rule
        };
        let policies = self.0.iter().map(|(prefix, old)| {
            let rules: Vec<_> = rules(*prefix, old).map(changed).collect();
            (*prefix, policy(&rules))
        });
        Self(policies.collect())
    }

    /// Every rule of every prefix.
    pub fn rules(&self) -> impl Iterator<Item = Guarded> {
        self.0
            .iter()
            .flat_map(|(prefix, policy)| rules(*prefix, policy))
    }

    /// Pairs of prefixes of which the first lies in the second and guards only some ports, so that
    /// the second's rules do not reach its hosts.
    #[must_use]
    pub fn shadows(&self) -> Vec<(IpNet, IpNet)> {
        let mut found = Vec::new();
        for (narrow, _) in self.0.iter().filter(|(_, policy)| is_partial(policy)) {
            let wider = self
                .0
                .keys()
                .filter(|wide| *wide != narrow && wide.contains(narrow));
            if let Some(wide) = wider.max_by_key(|wide| wide.prefix_len()) {
                found.push((*narrow, *wide));
            }
        }
        found
    }
}

/// The mode that all rules have that guard; "mixed" if they differ, "none" if there is none.
#[must_use]
pub fn common_mode(table: &PolicyTable) -> &'static str {
    let mut modes = table.rules().filter_map(|rule| rule.mode.mode());
    match modes.next() {
        None => "none",
        Some(first) if modes.all(|mode| mode == first) => mode_name(first),
        Some(_) => "mixed",
    }
}

/// Whether some port has no rule.
fn is_partial(policy: &Policy) -> bool {
    let rules = policy.rules.iter().take_while(|rule| rule.is_some());
    let mut ranges: Vec<(u32, u32)> = rules
        .map(|rule| (rule.first_port.into(), rule.last_port.into()))
        .collect();
    ranges.sort_unstable();
    let covered = ranges.iter().fold(0, |next, (first, last)| {
        if *first <= next {
            next.max(last + 1)
        } else {
            next
        }
    });
    u16::try_from(covered).is_ok()
}

fn add(rules: &mut Vec<Guarded>, rule: Guarded) -> Result<(), Failure> {
    if rules.contains(&rule) {
        return Ok(());
    }
    let refused = |why: String, remedy: &str| {
        Err(Failure::new(
            format!("cannot guard `{}`", rule.prefix),
            why,
            remedy,
        ))
    };
    if let Some(first) = rules.iter().find(|first| first.ports.cover(rule.ports)) {
        return refused(
            format!(
                "its rule for port {} comes before the one for port {} and covers it, so that the \
                 second would never apply",
                first.ports, rule.ports
            ),
            "put the narrower range first, or leave one away",
        );
    }
    if rules.len() == Policy::MOST_RULES {
        return refused(
            format!("more than {} port ranges", Policy::MOST_RULES),
            "merge ranges, or split the prefix",
        );
    }
    rules.push(rule);
    Ok(())
}

fn policy(rules: &[Guarded]) -> Policy {
    let mut slots = [Rule::NONE; Policy::MOST_RULES];
    for (slot, rule) in slots.iter_mut().zip(rules) {
        let Ports { first, last } = rule.ports;
        *slot = match rule.mode {
            Treatment::Guard(mode) => Rule::new(first, last, mode),
            Treatment::Exempt => Rule::exempt(first, last),
        };
    }
    Policy { rules: slots }
}

fn rules(prefix: IpNet, policy: &Policy) -> impl Iterator<Item = Guarded> {
    policy.rules.into_iter().map_while(move |rule| {
        let ports = Ports {
            first: rule.first_port,
            last: rule.last_port,
        };
        let guard = rule.mode().map(Treatment::Guard);
        let mode = guard.or_else(|| rule.is_exempt().then_some(Treatment::Exempt))?;
        Some(Guarded {
            prefix,
            ports,
            mode,
        })
    })
}
