//! What the model says of a packet: how it must be counted, or why what was seen cannot be.

use std::fmt::{self, Write};

/// Names of outcome counters: the most likely first, then those that the help texts allow as well.
pub type Reasons = &'static [&'static str];

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It left as it came, counted under this name.
    Passed(&'static str),
    /// A segment of the host was translated.
    TranslatedOut,
    /// A segment of the peer was translated.
    TranslatedIn,
    /// The quote of an ICMP error was put back.
    IcmpTranslated,
    /// It did not leave, counted under this name.
    Dropped(&'static str),
}

impl Outcome {
    /// Name of the outcome counter.
    #[must_use]
    pub const fn counter(self) -> &'static str {
        match self {
            Self::Passed(name) | Self::Dropped(name) => name,
            Self::TranslatedOut => "packets_translated_out",
            Self::TranslatedIn => "packets_translated_in",
            Self::IcmpTranslated => "icmp_translated",
        }
    }
}

/// What is to be counted for a packet that left as it must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What became of it.
    pub outcome: Outcome,
    /// Other outcome counters that the help texts allow.
    pub also: Reasons,
    /// Event counters that move, and by how much.
    pub events: Vec<(&'static str, u64)>,
    /// Event counters of which the rules do not say whether they move.
    pub open: Reasons,
}

impl Judgement {
    pub(super) const fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            also: &[],
            events: Vec::new(),
            open: &[],
        }
    }

    pub(super) fn passed(reasons: Reasons) -> Self {
        Self {
            also: &reasons[1..],
            ..Self::of(Outcome::Passed(reasons[0]))
        }
    }

    pub(super) fn event(&mut self, name: &'static str, count: u64) {
        if count > 0 {
            self.events.push((name, count));
        }
    }

    /// Whether the packet may be counted under this outcome.
    #[must_use]
    pub fn permits(&self, counter: &str) -> bool {
        self.outcome.counter() == counter || self.also.contains(&counter)
    }

    /// By how much this event counter must move; `None` if the rules do not say.
    #[must_use]
    pub fn expects(&self, event: &str) -> Option<u64> {
        let counted = self.events.iter().filter(|(name, _)| *name == event);
        let total = counted.map(|(_, count)| count).sum();
        (!self.open.contains(&event)).then_some(total)
    }
}

/// A packet that left otherwise than the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The rule, with what it demands.
    pub rule: &'static str,
    /// What was expected and what was seen, where octets alone do not say it.
    pub remark: String,
    /// What came.
    pub frame: Vec<u8>,
    /// What should have left, `None` for nothing.
    pub expected: Option<Vec<u8>>,
    /// What left, `None` for nothing.
    pub left: Option<Vec<u8>>,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "against the rule {}", self.rule)?;
        if !self.remark.is_empty() {
            write!(f, "; {}", self.remark)?;
        }
        match (&self.expected, &self.left) {
            (None, Some(_)) => write!(f, "; should have been dropped, but left")?,
            (Some(_), None) => write!(f, "; should have left, but was dropped")?,
            (Some(expected), Some(left)) => differences(f, &self.frame, expected, left)?,
            (None, None) => {}
        }
        write!(f, "; came: {}", hex(&self.frame))?;
        let expected = self.expected.as_deref();
        write!(f, "; expected: {}", expected.map_or("-".into(), hex))?;
        let left = self.left.as_deref();
        write!(f, "; left: {}", left.map_or("-".into(), hex))
    }
}

impl std::error::Error for Disagreement {}

fn differences(
    f: &mut fmt::Formatter<'_>,
    frame: &[u8],
    expected: &[u8],
    left: &[u8],
) -> fmt::Result {
    if expected.len() != left.len() {
        return write!(f, "; {} octets, not {}", left.len(), expected.len());
    }
    let differing = |at: &usize| expected[*at] != left[*at];
    for at in (0..left.len()).filter(differing).take(32) {
        let came = frame.get(at).copied().unwrap_or_default();
        let (expected, left) = (expected[at], left[at]);
        write!(
            f,
            "; octet {at}: {came:02x} became {left:02x}, not {expected:02x}"
        )?;
    }
    Ok(())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}
