//! An episode: what happens to the data plane, as plain data. It begins with empty tables, the default settings and the
//! tests' prefixes guarded.

use isn_common::{
    abi::{
        policy::{Mode, Rule},
        settings::Settings,
    },
    flow::Direction,
    siphash::Key,
};

use super::relocation::{Mark, Relocation};
use crate::packet_builder::carrier::{HOST4, HOST6};

/// Steps in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Episode {
    /// The tick in which it is first played in memory alone, so that the jumps are the ones that a failure was seen with.
    pub tick: Option<u32>,
    /// What happens.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Other settings.
    Settings(Instance),
    /// Another policy for one of the prefixes.
    Policy(Guarded, Vec<Rule>),
    /// All flows are this many seconds older.
    Wait(u32),
    /// Entries are lost.
    Lose(Loss),
    /// A packet.
    Packet(Packet),
}

/// The settings that episodes vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The history horizon in seconds.
    pub history: u32,
    /// Whether connections without room are refused.
    pub drop_when_full: bool,
    /// Whether no new offset may be made.
    pub draining: bool,
    /// Number of the key of keyed mode.
    pub generation: u32,
    /// For so many seconds from here on flows of before are adopted.
    pub adopting: u32,
    /// Whether those have an offset by the key before.
    pub after_key: bool,
}

impl Default for Instance {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Instance {
    /// As an episode begins.
    pub const DEFAULT: Self = Self {
        history: Settings::DEFAULT_HISTORY_SECONDS,
        drop_when_full: false,
        draining: false,
        generation: 0,
        adopting: 0,
        after_key: false,
    };

    /// The key of a generation: any, but another one each time.
    #[must_use]
    pub const fn key(generation: u32) -> Key {
        let number = generation as u64;
        Key([
            number ^ 0x6b65_7920_6f66_2061,
            number << 32 ^ 0x2066_757a_7a65_7221,
        ])
    }
}

/// Which entries are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Those in the tables that are made to be overwritten.
    Memory,
    /// All of them, as where another gateway stands in.
    All,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Memory, Self::All];

    /// As it is written in an episode.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::All => "all",
        }
    }
}

/// The guarded prefixes. Each has a policy at any time, which may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// The tests' IPv4 hosts, 24 bits.
    Hosts4,
    /// The tests' IPv6 hosts, 48 bits.
    Hosts6,
    /// One IPv4 host among them.
    Host4,
    /// One IPv6 host among them.
    Host6,
}

impl Guarded {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hosts4, Self::Hosts6, Self::Host4, Self::Host6];

    /// As it is written in an episode.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hosts4 => "hosts4",
            Self::Hosts6 => "hosts6",
            Self::Host4 => "host4",
            Self::Host6 => "host6",
        }
    }

    /// The prefix, if it is an IPv4 one, and its length.
    #[must_use]
    pub const fn v4(self) -> Option<([u8; 4], u32)> {
        let [a, b, c, _] = HOST4;
        match self {
            Self::Hosts4 => Some(([a, b, c, 0], 24)),
            Self::Host4 => Some((OTHER_HOST4, 32)),
            _ => None,
        }
    }

    /// The prefix, if it is an IPv6 one, and its length.
    #[must_use]
    pub const fn v6(self) -> Option<([u8; 16], u32)> {
        match self {
            Self::Hosts6 => {
                let mut address = [0; 16];
                let mut at = 0;
                while at < 6 {
                    address[at] = HOST6[at];
                    at += 1;
                }
                Some((address, 48))
            }
            Self::Host6 => Some((OTHER_HOST6, 128)),
            _ => None,
        }
    }
}

/// The host with an IPv4 prefix of its own.
pub const OTHER_HOST4: [u8; 4] = [HOST4[0], HOST4[1], HOST4[2], 11];
/// The host with an IPv6 prefix of its own.
pub const OTHER_HOST6: [u8; 16] = {
    let mut address = HOST6;
    address[15] = 0x11;
    address
};

/// What applies to a prefix that no step has spoken of.
#[must_use]
pub fn default_rules() -> Vec<Rule> {
    vec![Rule::new(0, u16::MAX, Mode::Monotonic)]
}

/// A frame on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Which way.
    pub direction: Direction,
    /// From the Ethernet header on.
    pub octets: Vec<u8>,
    /// A VLAN tag that the device has taken out.
    pub stripped: Option<u16>,
    /// If it opens an incarnation that others speak of.
    pub mark: Option<Mark>,
    /// Fields that move with an incarnation.
    pub relocations: Vec<Relocation>,
}

impl Packet {
    /// Octets and nothing else.
    #[must_use]
    pub const fn new(direction: Direction, octets: Vec<u8>) -> Self {
        Self {
            direction,
            octets,
            stripped: None,
            mark: None,
            relocations: Vec::new(),
        }
    }
}

/// The age at which late segments of an incarnation are none any more, in seconds.
const MSL: u32 = 120;

impl Episode {
    /// Whether some flow reaches an age that counts by no more than a second, too little to tell its side from: the clock of the
    /// data plane is coarse.
    #[must_use]
    pub fn is_a_matter_of_moments(&self) -> bool {
        let (mut now, mut limits) = (0u32, vec![MSL, Instance::default().history]);
        let mut times = Vec::new();
        for step in &self.steps {
            match step {
                Step::Settings(instance) => {
                    limits.push(instance.history);
                    if instance.adopting > 0 {
                        limits.push(instance.adopting);
                        times.push(now);
                    }
                }
                Step::Wait(seconds) => now = now.saturating_add(*seconds),
                Step::Packet(_) if times.last() != Some(&now) => times.push(now),
                Step::Packet(_) | Step::Policy(..) | Step::Lose(_) => {}
            }
        }
        let counts = |age: u32| limits.iter().any(|limit| age.abs_diff(*limit) <= 1);
        times
            .iter()
            .enumerate()
            .any(|(at, first)| times[at..].iter().any(|later| counts(later - first)))
    }
}

#[cfg(test)]
mod tests {
    use isn_common::flow::Direction;

    use super::*;

    fn after(waits: &[u32]) -> Episode {
        let packet = || Step::Packet(Packet::new(Direction::Outbound, vec![0; 14]));
        let waits = waits.iter().flat_map(|it| [Step::Wait(*it), packet()]);
        Episode {
            tick: None,
            steps: std::iter::once(packet()).chain(waits).collect(),
        }
    }

    #[test]
    fn ages_at_a_limit_are_a_matter_of_moments() {
        assert!(after(&[240]).is_a_matter_of_moments());
        assert!(after(&[60, 179]).is_a_matter_of_moments());
        assert!(after(&[10, 60, 60]).is_a_matter_of_moments());
        assert!(!after(&[60, 178]).is_a_matter_of_moments());
        assert!(!after(&[]).is_a_matter_of_moments());
    }

    #[test]
    fn adopting_ends_at_a_limit_too() {
        let mut episode = after(&[45, 200]);
        assert!(!episode.is_a_matter_of_moments());
        let instance = Instance {
            adopting: 200,
            ..Instance::default()
        };
        episode.steps.insert(3, Step::Settings(instance));
        assert!(episode.is_a_matter_of_moments());
    }

    #[test]
    fn another_horizon_is_another_limit() {
        let mut episode = after(&[30]);
        assert!(!episode.is_a_matter_of_moments());
        episode.steps.push(Step::Settings(Instance {
            history: 30,
            ..Instance::default()
        }));
        assert!(episode.is_a_matter_of_moments());
    }

    #[test]
    fn the_prefixes_are_those_of_the_tests_hosts() {
        assert_eq!(Guarded::Hosts4.v4(), Some(([192, 0, 2, 0], 24)));
        let (hosts, bits) = Guarded::Hosts6.v6().unwrap();
        assert_eq!((&hosts[..6], bits), (&HOST6[..6], 48));
        for guarded in Guarded::ALL {
            assert_ne!(guarded.v4().is_some(), guarded.v6().is_some());
        }
    }
}
