//! Two CPUs at once, beside one alone: on different flows nothing must be shared, on the same flow no more than the flow.

use anyhow::Result;
use isn_tests::test_run::Hook;

use super::{
    Effort, HOT,
    cases::{self, Case},
    frames::Flow,
    lab::{Lab, together::unhindered},
};
use crate::{
    figure::{Figure, Unit},
    report::Report,
};

/// Pieces of a hundred thousand runs in a round.
const ROUND: u32 = 3;

/// Two packets, again and again, each on a CPU of its own.
struct Pair {
    id: &'static str,
    what: &'static str,
    target: Option<&'static str>,
    cases: [Case; 2],
}

/// Segments of which each moves its flow's high-water mark, on two CPUs; then the two directions of one flow, each on one. These are what the target for
/// the same flow is held against: a card gives all packets of one direction to one queue, so that no two CPUs move the same mark.
fn pairs() -> [Pair; 4] {
    let new = |flow| cases::new_data().of(Flow(flow));
    let [upload, download] = cases::directions();
    [
        Pair {
            id: "two-cpus-flows",
            what: "two CPUs at once, different flows",
            target: Some("P15 different flows"),
            cases: [new(0), new(1)],
        },
        Pair {
            id: "two-cpus-flow",
            what: "two CPUs at once, both moving the same mark",
            target: None,
            cases: [new(0), new(0)],
        },
        Pair {
            id: "two-cpus-upload",
            what: "two CPUs at once, one each way of a flow, new data out",
            target: Some("P15 same flow"),
            cases: upload,
        },
        Pair {
            id: "two-cpus-download",
            what: "two CPUs at once, one each way of a flow, new acks in",
            target: Some("P15 same flow"),
            cases: download,
        },
    ]
}

/// Measures all of them.
pub fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    if std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() < 2) {
        report.cannot("two CPUs at once", "this process may use one only");
        return Ok(());
    }
    report.doing("two CPUs at once");
    let mut lab = Lab::new(Hook::Xdp, HOT)?;
    for pair in pairs() {
        let [one, other] = [&pair.cases[..1], &pair.cases[1..]];
        let (mut alone, mut together) = ([Vec::new(), Vec::new()], Vec::new());
        for _ in 0..effort.rounds {
            alone[0].extend(lab.on_cpus(one, ROUND)?);
            alone[1].extend(lab.on_cpus(other, ROUND)?);
            together.extend(lab.on_cpus(&pair.cases, ROUND)?);
        }
        let alone = f64::midpoint(unhindered(&alone[0])?, unhindered(&alone[1])?);
        let together = unhindered(&together)?;
        let figure = Figure::new(pair.id, pair.what, together, Unit::NanosecondsAPacket);
        report.add(figure.over(together / alone, "one CPU").must(pair.target));
    }
    Ok(())
}
