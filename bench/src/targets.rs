//! What the data plane must meet: a gate that has to hold on a noisy machine, and the goal.

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// What must hold.
    pub gate: f64,
    /// Where we want to be.
    pub goal: f64,
}

/// How a figure stands to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The gate does not hold.
    Missed,
    /// The gate holds, the goal is not reached.
    Gate,
    /// The goal is reached.
    Goal,
}

/// All targets. Where the goal lies above the gate, more is better.
const TARGETS: [Target; 24] = [
    target("P1", 1.10, 0.85),
    target("P2", 1.15, 1.00),
    target("P3 one block", 1.25, 1.15),
    target("P3 three blocks", 1.40, 1.30),
    // 6 and 3 ns where the floor took 24.
    target("P4", 0.25, 0.125),
    target("P5", 1.35, 1.20),
    target("P6", 1.10, 0.35),
    target("P7 XDP", 1.12, 1.08),
    target("P7 TC", 1.17, 1.12),
    target("P8", 1.35, 1.15),
    target("P9", 0.75, 0.66),
    target("P10 SYNPROXY", 0.65, 0.55),
    target("P10 conntrack", 0.75, 0.68),
    target("P11", 1.75, 1.45),
    target("P12", 1.05, 1.02),
    target("P13 plain", 0.92, 0.98),
    target("P13 XDP_PASS", 0.90, 0.96),
    target("P13 SYNPROXY", 2.2, 2.8),
    target("P14", 136.0, 112.0),
    target("P15 different flows", 1.10, 1.05),
    target("P15 same flow", 1.5, 1.15),
    target("P16", 0.40, 0.10),
    target("P17", 0.0, 0.0),
    target("P18", 1.0, 0.3),
];

const fn target(name: &'static str, gate: f64, goal: f64) -> Target {
    Target { name, gate, goal }
}

impl Target {
    /// The target of this name, which must be one of the above.
    pub fn named(name: &str) -> Self {
        TARGETS
            .into_iter()
            .find(|target| target.name == name)
            .unwrap_or_else(|| panic!("no target is named {name}"))
    }

    /// How a figure stands to it.
    pub fn verdict(&self, figure: f64) -> Verdict {
        let meets = |bound: f64| {
            if self.goal > self.gate {
                figure >= bound
            } else {
                figure <= bound
            }
        };
        if meets(self.goal) {
            Verdict::Goal
        } else if meets(self.gate) {
            Verdict::Gate
        } else {
            Verdict::Missed
        }
    }

    /// Gate and goal as people read them.
    pub fn bounds(&self) -> String {
        let sign = if self.goal > self.gate { '≥' } else { '≤' };
        format!("{sign} {}, goal {}", self.gate, self.goal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_better_or_more_is() {
        let verdicts = |name, figures: [f64; 3]| figures.map(|it| Target::named(name).verdict(it));
        let all = [Verdict::Goal, Verdict::Gate, Verdict::Missed];
        assert_eq!(verdicts("P1", [0.85, 1.1, 1.11]), all);
        assert_eq!(verdicts("P13 SYNPROXY", [2.8, 2.2, 2.19]), all);
        assert_eq!(Target::named("P17").verdict(0.0), Verdict::Goal);
    }
}
