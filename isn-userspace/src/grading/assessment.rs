//! What grading says about a host. The names of classes, grades and advice are relied on by scripts.

use std::fmt;

use serde::Serialize;

/// How a host chooses its initial sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Always the same number.
    Constant,
    /// A counter that moves by multiples of one step.
    FixedStep,
    /// A counter that follows the time.
    Clock,
    /// Always forward, by a random amount.
    RandomIncrement,
    /// Sometimes backward, where the peer may still hold the connection before.
    Regressing,
    /// Unpredictable, and no regression was seen.
    Strong,
    /// Too little was seen, or several generators are mixed; a mark and an advice say where a part of them is weak.
    Unknown,
}

impl Class {
    /// All classes, from the easiest to guess to the hardest.
    pub const ALL: [Self; 7] = [
        Self::Constant,
        Self::FixedStep,
        Self::Clock,
        Self::RandomIncrement,
        Self::Regressing,
        Self::Strong,
        Self::Unknown,
    ];

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::FixedStep => "fixed-step",
            Self::Clock => "clock",
            Self::RandomIncrement => "random-increment",
            Self::Regressing => "regressing",
            Self::Strong => "strong",
            Self::Unknown => "unknown",
        }
    }

    /// One sentence for whoever meets the name for the first time.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Constant => "Every connection starts at the same number.",
            Self::FixedStep => {
                "The number grows by multiples of one step, so the next one can be counted out."
            }
            Self::Clock => {
                "The number follows the time, so it can be computed from one that was seen."
            }
            Self::RandomIncrement => {
                "The number always grows by a random amount, so a range can be named that holds the next one."
            }
            Self::Regressing => {
                "The number may lie below that of the connection before, which its peer then refuses."
            }
            Self::Strong => "The number cannot be guessed, and no regression was seen.",
            Self::Unknown => "Too few connections were seen, or they contradict each other.",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which mode of isnguard a host needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advice {
    /// None, or none yet.
    Leave,
    /// Its numbers regress: rule S2.
    Monotonic,
    /// Its numbers can be guessed: rule S3, which holds S2 too.
    Keyed,
}

impl Advice {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Monotonic => "monotonic",
            Self::Keyed => "keyed",
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// School marks, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Grade {
    /// Unpredictable, and reused 4-tuples show no regression.
    A,
    /// Unpredictable; too few 4-tuples were reused to tell whether it regresses.
    B,
    /// Unpredictable, but it regresses on the same 4-tuple.
    C,
    /// A range of numbers can be named that holds the next one.
    D,
    /// About one window of 64 KiB holds the next one, as with any step or clock whose packets come a little late.
    E,
    /// The next number is known, or one of a few hundred.
    F,
    /// Not known.
    #[serde(rename = "-")]
    Unknown,
}

impl Grade {
    /// The name in reports: a letter, or `-`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::E => "E",
            Self::F => "F",
            Self::Unknown => "-",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// nmap's three figures of the `SEQ` line (nmap book, "TCP ISN greatest common divisor", "TCP ISN counter rate", "TCP ISN
/// sequence predictability index"), from samples at any distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sequence {
    /// GCD: the greatest common divisor of successive differences; 0 if all numbers are equal.
    pub gcd: u32,
    /// ISR: 8 · log2 of the mean growth a second.
    pub isr: u32,
    /// SP: 8 · log2 of the standard deviation of the growth in 0.1 s, 0 to about 260; less where the future can be computed.
    pub difficulty: u32,
}

/// What can be said of a host from its samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assessment {
    /// How many samples there were.
    pub samples: usize,
    /// How many of them followed an earlier incarnation of the same 4-tuple.
    pub same_tuple_samples: usize,
    /// How many of those did not lie beyond it.
    pub regressions: usize,
    /// The sort of generator.
    pub class: Class,
    /// The generator in words, with its numbers.
    pub detail: String,
    /// nmap's figures; `None` with fewer than 4 samples, as nmap does.
    pub sequence: Option<Sequence>,
    /// School mark.
    pub grade: Grade,
    /// What the operator should turn on.
    pub advice: Advice,
    /// Why, in one sentence.
    pub reason: String,
}
