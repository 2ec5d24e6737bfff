//! What applies to the hosts of a guarded prefix: the value in the prefix tries.

/// How SYNs of a guarded host are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is changed; what would be is counted (S4).
    Observe,
    /// A SYN that would regress is moved ahead (S2).
    Monotonic,
    /// Every SYN is offset by a keyed function of the 4-tuple, then as in [`Mode::Monotonic`] (S3).
    Keyed,
}

/// Rules of one prefix; the first that covers the service port applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Policy {
    /// Rules; those behind the last one are [`Rule::NONE`].
    pub rules: [Rule; Policy::MOST_RULES],
}

/// A range of service ports and the mode that applies to it.
///
/// The service port is the port that the connection is opened to: the peer's if the host opens,
/// the host's own if it is opened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Rule {
    /// First port of the range, host order.
    pub first_port: u16,
    /// Last port of the range, host order.
    pub last_port: u16,
    /// [`Mode`] as a number; 0 ends the list, and 4 takes the ports out.
    pub mode: u16,
    /// Zero.
    pub padding: u16,
}

const _: () = assert!(size_of::<Policy>() == 64 && size_of::<Rule>() == 8);

impl Mode {
    /// As it stands in a rule, where 0 is none.
    #[must_use]
    pub const fn to_number(self) -> u16 {
        match self {
            Self::Observe => Rule::OBSERVE,
            Self::Monotonic => Rule::MONOTONIC,
            Self::Keyed => Rule::KEYED,
        }
    }

    /// The inverse of [`Mode::to_number`].
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            Rule::OBSERVE => Some(Self::Observe),
            Rule::MONOTONIC => Some(Self::Monotonic),
            Rule::KEYED => Some(Self::Keyed),
            _ => None,
        }
    }
}

impl Rule {
    /// No rule.
    pub const NONE: Self = Self {
        first_port: 0,
        last_port: 0,
        mode: 0,
        padding: 0,
    };
    const OBSERVE: u16 = 1;
    const MONOTONIC: u16 = 2;
    const KEYED: u16 = 3;
    const EXEMPT: u16 = 4;

    /// A rule for the service ports from `first_port` to `last_port`.
    #[must_use]
    pub const fn new(first_port: u16, last_port: u16, mode: Mode) -> Self {
        Self {
            first_port,
            last_port,
            mode: mode.to_number(),
            padding: 0,
        }
    }

    /// A rule that takes the service ports from `first_port` to `last_port` out: no rule behind it applies to them.
    #[must_use]
    pub const fn exempt(first_port: u16, last_port: u16) -> Self {
        Self {
            first_port,
            last_port,
            mode: Self::EXEMPT,
            padding: 0,
        }
    }

    /// The mode, or `None` if it takes its ports out, or this is not a rule.
    #[must_use]
    pub const fn mode(&self) -> Option<Mode> {
        Mode::from_number(self.mode)
    }

    /// Whether it takes its ports out.
    #[must_use]
    pub const fn is_exempt(&self) -> bool {
        self.mode == Self::EXEMPT
    }

    /// Whether it is a rule at all; else the list has ended before it.
    #[must_use]
    pub const fn is_some(&self) -> bool {
        self.mode().is_some() || self.is_exempt()
    }

    const fn covers(self, port: u16) -> bool {
        port >= self.first_port && port <= self.last_port
    }
}

impl Policy {
    /// Rules that fit into one prefix.
    pub const MOST_RULES: usize = 8;

    /// How a connection between these two ports (host order) is treated of which `service` is the one it is opened to;
    /// `None` if it is not guarded, by no rule or by one that takes it out.
    ///
    /// Whether it is keyed must not depend on who opened it, since a segment in mid-flow does not tell: the first rule that
    /// covers either port says so.
    #[must_use]
    #[inline(always)]
    pub fn mode_of(&self, service: u16, other: u16) -> Option<Mode> {
        // Of the first rule that covers either port.
        let mut either = None;
        for rule in &self.rules {
            if !rule.is_some() {
                break;
            }
            let of_service = rule.covers(service);
            if !of_service && (either.is_some() || !rule.covers(other)) {
                continue;
            }
            let either = *either.get_or_insert(rule.mode());
            if either == Some(Mode::Keyed) {
                return either;
            }
            if of_service {
                return match rule.mode() {
                    Some(Mode::Keyed) => either,
                    mode => mode,
                };
            }
        }
        None
    }

    /// Whether connections between these two ports (host order) are keyed, whichever is the service's.
    #[must_use]
    pub fn is_keyed(&self, one: u16, other: u16) -> bool {
        self.mode_for_either(one, other) == Some(Mode::Keyed)
    }

    /// The mode of the first rule that covers `service_port` (host order); `None` if that one takes it out, or none does.
    #[must_use]
    pub fn mode_for(&self, service_port: u16) -> Option<Mode> {
        self.mode_for_either(service_port, service_port)
    }

    fn mode_for_either(&self, one: u16, other: u16) -> Option<Mode> {
        for rule in &self.rules {
            if !rule.is_some() {
                return None;
            }
            if rule.covers(one) || rule.covers(other) {
                return rule.mode();
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(given: &[Rule]) -> Policy {
        let mut rules = [Rule::NONE; Policy::MOST_RULES];
        rules[..given.len()].copy_from_slice(given);
        Policy { rules }
    }

    #[test]
    fn the_first_rule_that_covers_the_port_applies() {
        let policy = policy(&[
            Rule::new(102, 102, Mode::Observe),
            Rule::new(0, 1023, Mode::Monotonic),
        ]);
        assert_eq!(policy.mode_for(102), Some(Mode::Observe));
        assert_eq!(policy.mode_for(0), Some(Mode::Monotonic));
        assert_eq!(policy.mode_for(1023), Some(Mode::Monotonic));
        assert_eq!(policy.mode_for(1024), None);
    }

    #[test]
    fn no_rule_guards_nothing() {
        assert_eq!(policy(&[]).mode_for(0), None);
        assert_eq!(policy(&[]).mode_of(0, 1), None);
    }

    #[test]
    fn keyed_is_a_connection_whoever_opens_it() {
        let exempt = policy(&[
            Rule::new(80, 80, Mode::Observe),
            Rule::new(0, 65535, Mode::Keyed),
        ]);
        let only = policy(&[
            Rule::new(102, 102, Mode::Keyed),
            Rule::new(0, 1023, Mode::Monotonic),
        ]);
        for (service, other) in [(80, 4000), (4000, 80)] {
            assert!(!exempt.is_keyed(service, other));
            assert_eq!(exempt.mode_of(service, other), Some(Mode::Observe));
        }
        for (service, other) in [(102, 4000), (4000, 102), (102, 80), (80, 102)] {
            assert!(only.is_keyed(service, other));
            assert_eq!(only.mode_of(service, other), Some(Mode::Keyed));
        }
        // Without a keyed rule that covers it, the service's port alone decides.
        assert_eq!(only.mode_of(80, 4000), Some(Mode::Monotonic));
        assert_eq!(only.mode_of(4000, 80), None);
    }

    /// By its words: keyed if the first rule for either port says so, else as the first one for the service's port says.
    #[test]
    fn one_walk_finds_what_two_would() {
        let ranges = [(1, 1), (2, 2), (1, 2), (3, 3)];
        let rule = |number: usize| {
            let (first, last) = ranges[number / 4];
            let rule = Rule::exempt(first, last);
            let mode = [1, 2, 3, 4][number % 4];
            Rule { mode, ..rule }
        };
        let number = 4 * ranges.len();
        for rules in 0..number.pow(3) {
            let nth = |place: u32| rule(rules / number.pow(place) % number);
            let policy = policy(&[nth(0), nth(1), nth(2)]);
            for (service, other) in [(1, 2), (2, 1), (1, 1), (3, 1), (2, 3), (4, 1)] {
                let of_service = policy.mode_for(service);
                let either = policy.mode_for_either(service, other);
                let wanted = match (of_service, either) {
                    (_, Some(Mode::Keyed)) | (Some(Mode::Keyed), _) => either,
                    _ => of_service,
                };
                assert_eq!(policy.mode_of(service, other), wanted, "{policy:?}");
            }
        }
    }

    #[test]
    fn what_is_taken_out_no_later_rule_reaches() {
        let plain = policy(&[
            Rule::exempt(80, 80),
            Rule::exempt(443, 443),
            Rule::new(0, 65535, Mode::Monotonic),
        ]);
        assert_eq!(plain.mode_for(80), None);
        assert_eq!(plain.mode_of(443, 4000), None);
        assert_eq!(plain.mode_of(81, 80), Some(Mode::Monotonic));
        let keyed = policy(&[Rule::exempt(80, 80), Rule::new(0, 65535, Mode::Keyed)]);
        for (service, other) in [(80, 4000), (4000, 80)] {
            assert!(!keyed.is_keyed(service, other));
            assert_eq!(keyed.mode_of(service, other), None);
        }
        assert_eq!(keyed.mode_of(81, 4000), Some(Mode::Keyed));
        let behind = policy(&[Rule::new(102, 102, Mode::Observe), Rule::exempt(0, 65535)]);
        assert_eq!(behind.mode_for(102), Some(Mode::Observe));
        assert_eq!(behind.mode_for(103), None);
        assert!(Rule::exempt(1, 2).is_some() && !Rule::NONE.is_some());
    }
}
