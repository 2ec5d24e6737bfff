//! Rules that come and go one by one (`isnguard policy`).

use super::{Guarded, PolicyTable, policy};
use crate::{
    failure::Failure,
    settings::{Mode, Ports, Protect, Treatment},
};

/// What became of a rule that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    New,
    /// There was one for the same prefix and ports; it said this.
    Instead(Treatment),
    /// There was this very rule.
    Known,
}

impl PolicyTable {
    /// Adds a rule, or changes the one for the same prefix and ports. It comes before the rules of its prefix that cover
    /// its ports, so that it applies.
    pub fn add(&mut self, given: &Protect, mode: Mode) -> Result<Added, Failure> {
        let rule = Guarded {
            prefix: given.prefix,
            ports: given.ports,
            mode: given.mode.unwrap_or(Treatment::Guard(mode)),
        };
        let mut rules: Vec<Guarded> = self.rules_of(rule.prefix).collect();
        let added = match rules.iter_mut().find(|it| it.ports == rule.ports) {
            Some(same) if *same == rule => Added::Known,
            Some(same) => {
                let before = same.mode;
                *same = rule;
                Added::Instead(before)
            }
            None => {
                let at = place(&rules, rule.ports);
                rules.insert(at, rule);
                Added::New
            }
        };
        self.set(rule, &rules)?;
        Ok(added)
    }

    /// Removes the rule for this prefix and these ports, whatever it says; of a prefix without ports, all its rules.
    pub fn remove(&mut self, given: &Protect) -> Result<Vec<Guarded>, Failure> {
        let (gone, kept): (Vec<_>, Vec<_>) = self
            .rules_of(given.prefix)
            .partition(|it| given.ports == Ports::ALL || it.ports == given.ports);
        if gone.is_empty() {
            return Err(self.no_such(given));
        }
        if kept.is_empty() {
            self.0.remove(&given.prefix);
        } else {
            self.0.insert(given.prefix, policy(&kept));
        }
        Ok(gone)
    }

    /// Refuses a policy that guards nobody.
    pub fn check_guards(&self) -> Result<(), Failure> {
        if self.rules().any(|rule| rule.mode != Treatment::Exempt) {
            return Ok(());
        }
        Err(Failure::new(
            "cannot take this policy",
            "no rule of it guards anything",
            "name what is guarded too (0.0.0.0/0 and ::/0 are every host); to guard nobody, detach (isnguard detach \
             --drain), or let it only count (mode=observe)",
        ))
    }

    fn rules_of(&self, prefix: ipnet::IpNet) -> impl Iterator<Item = Guarded> {
        self.rules().filter(move |rule| rule.prefix == prefix)
    }

    fn set(&mut self, rule: Guarded, rules: &[Guarded]) -> Result<(), Failure> {
        let mut checked = Vec::new();
        rules
            .iter()
            .try_for_each(|it| super::add(&mut checked, *it))?;
        self.0.insert(rule.prefix, policy(&checked));
        Ok(())
    }

    fn no_such(&self, given: &Protect) -> Failure {
        let there: Vec<String> = self
            .rules_of(given.prefix)
            .map(|it| it.ports.to_string())
            .collect();
        let why = if there.is_empty() {
            format!("there is no rule for {}", given.prefix)
        } else {
            format!(
                "{} has rules for ports {} only",
                given.prefix,
                there.join(", ")
            )
        };
        Failure::new(
            format!(
                "cannot remove `{}`",
                Protect {
                    mode: None,
                    ..*given
                }
            ),
            why,
            "nothing was changed; `isnguard policy list` shows the rules",
        )
    }
}

/// Before the first rule that covers these ports.
pub fn place(rules: &[Guarded], ports: Ports) -> usize {
    let covering = rules.iter().position(|it| it.ports.cover(ports));
    covering.unwrap_or(rules.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rules: &[&str]) -> PolicyTable {
        let mut table = PolicyTable::default();
        for rule in rules {
            table.add(&rule.parse().unwrap(), Mode::Monotonic).unwrap();
        }
        table
    }

    fn shown(table: &PolicyTable) -> Vec<String> {
        let line = |it: Guarded| format!("{} {} {}", it.prefix, it.ports, it.mode.name());
        table.rules().map(line).collect()
    }

    #[test]
    fn a_narrower_rule_comes_before_the_one_that_covers_it() {
        let table = table(&[
            "10.0.0.0/8",
            "10.0.0.0/8,port=80,mode=off",
            "10.0.0.0/8,port=70-90",
        ]);
        assert_eq!(
            shown(&table),
            [
                "10.0.0.0/8 80 off",
                "10.0.0.0/8 70-90 monotonic",
                "10.0.0.0/8 all monotonic"
            ]
        );
    }

    #[test]
    fn the_same_ports_get_another_mode() {
        let mut table = table(&["10.0.0.0/8", "10.0.0.0/8,port=80"]);
        let mut add = |rule: &str| table.add(&rule.parse().unwrap(), Mode::Observe).unwrap();
        assert_eq!(
            add("10.0.0.0/8,port=80,mode=off"),
            Added::Instead(Treatment::Guard(Mode::Monotonic))
        );
        assert_eq!(add("10.0.0.0/8,port=80,mode=off"), Added::Known);
        assert_eq!(add("10.0.0.0/8,port=81"), Added::New);
        assert_eq!(
            shown(&table),
            [
                "10.0.0.0/8 80 off",
                "10.0.0.0/8 81 observe",
                "10.0.0.0/8 all monotonic"
            ]
        );
    }

    #[test]
    fn what_goes_is_named_and_what_is_not_there_refused() {
        let mut table = table(&["10.0.0.0/8", "10.0.0.0/8,port=80", "::/0"]);
        let mut remove = |rule: &str| table.remove(&rule.parse().unwrap());
        assert_eq!(remove("10.0.0.0/8,port=80").unwrap().len(), 1);
        let refused = remove("10.0.0.0/8,port=80").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "cannot remove `10.0.0.0/8,port=80`: 10.0.0.0/8 has rules for ports all only"
        );
        assert_eq!(remove("10.0.0.0/8").unwrap().len(), 1);
        let refused = remove("10.0.0.0/8").unwrap_err().to_string();
        assert!(
            refused.contains("there is no rule for 10.0.0.0/8"),
            "{refused}"
        );
        assert_eq!(shown(&table), ["::/0 all monotonic"]);
    }

    #[test]
    fn a_policy_that_guards_nobody_is_refused() {
        assert!(table(&["10.0.0.0/8,mode=observe"]).check_guards().is_ok());
        for rules in [&[][..], &["10.0.0.0/8,mode=off"]] {
            let refused = table(rules).check_guards().unwrap_err();
            assert!(
                refused
                    .to_string()
                    .contains("no rule of it guards anything")
            );
            assert!(refused.remedy().contains("0.0.0.0/0"));
        }
    }
}
