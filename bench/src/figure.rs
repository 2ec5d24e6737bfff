//! What was measured: one figure, what it is set against, and the target that it must meet.

use serde::Serialize;

use crate::targets::{Target, Verdict};

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// A name that stays the same from one version to the next.
    pub id: String,
    /// What was measured, for people.
    pub what: String,
    /// In the unit below: the median of several rounds.
    pub value: f64,
    /// What the value counts.
    pub unit: Unit,
    /// The value, or what its target speaks of, divided by what it is set against in the same round: the median. It carries over
    /// to other machines, the value does not.
    pub ratio: Option<f64>,
    /// What it is set against.
    pub against: Option<&'static str>,
    /// Which target it must meet.
    pub target: Option<&'static str>,
}

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Nanoseconds of a CPU for each packet.
    NanosecondsAPacket,
    /// Seconds of a CPU.
    CpuSeconds,
    /// Seconds on the wall.
    Seconds,
    /// Octets for each flow.
    OctetsAFlow,
    /// Octets.
    Octets,
    /// CPU seconds for each gigabyte moved.
    CpuSecondsAGigabyte,
    /// Connections opened and closed in a second.
    ConnectionsASecond,
    /// Microseconds of a CPU for each connection.
    MicrosecondsAConnection,
    /// Segments for each run of a program.
    Segments,
    /// As many cores.
    Cores,
    /// How many there are.
    Count,
}

impl Figure {
    /// A value that nothing is said about.
    pub fn new(id: impl Into<String>, what: impl Into<String>, value: f64, unit: Unit) -> Self {
        Self {
            id: id.into(),
            what: what.into(),
            value,
            unit,
            ratio: None,
            against: None,
            target: None,
        }
    }

    /// The same, set against something.
    pub fn over(mut self, ratio: f64, against: &'static str) -> Self {
        self.ratio = Some(ratio);
        self.against = Some(against);
        self
    }

    /// The same, with the target that it must meet.
    pub fn must(mut self, target: Option<&'static str>) -> Self {
        self.target = target;
        self
    }

    /// How it stands to its target. A target speaks of the ratio where there is one.
    pub fn verdict(&self) -> Option<Verdict> {
        let target = Target::named(self.target?);
        Some(target.verdict(self.ratio.unwrap_or(self.value)))
    }
}

impl Unit {
    /// The value as people read it.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::NanosecondsAPacket => format!("{value:.1} ns"),
            Self::CpuSeconds => format!("{value:.3} CPU s"),
            Self::Seconds => format!("{value:.2} s"),
            Self::OctetsAFlow => format!("{value:.0} octets"),
            Self::Octets => format!("{:.0} MiB", (value / f64::from(1 << 20)).ceil()),
            Self::CpuSecondsAGigabyte => format!("{value:.3} CPU s/GB"),
            Self::ConnectionsASecond => format!("{value:.0} /s"),
            Self::MicrosecondsAConnection => format!("{value:.1} µs"),
            Self::Segments => format!("{value:.1}"),
            Self::Cores => format!("{value:.1} cores"),
            Self::Count => format!("{value:.0}"),
        }
    }
}
