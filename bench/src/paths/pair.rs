//! Two CPUs at once, beside one alone: on different flows nothing must be shared, on the same flow no more than the flow.

use anyhow::Result;
use isn_tests::test_run::Hook;

use super::{
    Effort, HOT,
    cases::{self, Case},
    frames::Flow,
    lab::Lab,
};
use crate::{
    figure::{Figure, Unit},
    report::Report,
    stopwatch::least_and_median,
};

/// Measures segments of which each moves its flow's high-water mark.
pub fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    if std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() < 2) {
        report.cannot("two CPUs at once", "this process may use one only");
        return Ok(());
    }
    report.doing("two CPUs at once");
    let mut lab = Lab::new(Hook::Xdp, HOT)?;
    let case = cases::new_data();
    let mut rounds = Vec::new();
    for _ in 0..effort.rounds {
        rounds.push(round(&mut lab, &case, effort.runs)?);
    }
    let kinds = [
        (
            "two-cpus-flows",
            "two CPUs at once, different flows",
            "P15 different flows",
        ),
        (
            "two-cpus-flow",
            "two CPUs at once, the same flow",
            "P15 same flow",
        ),
    ];
    for (kind, (id, what, target)) in kinds.into_iter().enumerate() {
        let of = |part: fn(&Round, usize) -> f64| {
            let values: Vec<f64> = rounds.iter().map(|round| part(round, kind)).collect();
            least_and_median(&values).map(|(_, median)| median)
        };
        let value = of(|round, kind| round.together[kind])?;
        let ratio = of(|round, kind| round.together[kind] / round.alone)?;
        let figure = Figure::new(id, what, value, Unit::NanosecondsAPacket);
        report.add(figure.over(ratio, "one CPU").must(Some(target)));
    }
    Ok(())
}

/// Nanoseconds for a segment in one round.
struct Round {
    alone: f64,
    together: [f64; 2],
}

fn round(lab: &mut Lab, case: &Case, runs: u32) -> Result<Round> {
    let frame = |flow| case.frame.clone().of(Flow(flow));
    Ok(Round {
        alone: lab.on_cpus(case, &[frame(0)], runs)?,
        together: [
            lab.on_cpus(case, &[frame(0), frame(1)], runs)?,
            lab.on_cpus(case, &[frame(0), frame(0)], runs)?,
        ],
    })
}
