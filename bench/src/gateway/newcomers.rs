//! What the SYN of a flow costs that nobody knows yet. SYNPROXY answers it itself and remembers nothing; all others send it on.

use anyhow::{Result, bail, ensure};
use isn_common::counter::Counter;
use isn_tests::gateway::Isnguard;
use isnguard::dataplane::{Ring, Taken};

use super::{
    Effort, conntrack, figures,
    injector::Sending,
    rounds::Rounds,
    stage::Stage,
    variant::{self, Kind, PLAIN, TC, Variant, XDP},
};
use crate::{cpu::Softirqs, figure::Unit, report::Report};

/// What isnguard does with each of them: it remembers the flow, and tells of the number that the host chose.
const WORK: [Counter; 3] = [
    Counter::SynSafe,
    Counter::HalfOpenInserted,
    Counter::SamplesTaken,
];

/// Measures all stages. Connections that were open before are forgotten.
pub fn measure(
    effort: Effort,
    stages: &mut [Stage],
    softirqs: &Softirqs,
    report: &mut Report,
) -> Result<()> {
    report.doing("SYNs of new flows through gateways");
    let mut rounds = Rounds::default();
    let mut readers = Vec::new();
    let mut before = Vec::new();
    for stage in stages.iter() {
        readers.push(stage.isnguard().map(reader).transpose()?);
        before.push(work(stage)?);
    }
    for _ in 0..effort.rounds {
        for (stage, reader) in stages.iter_mut().zip(&mut readers) {
            let sent = stage.send(Sending::Opening, effort.openings, softirqs)?;
            ensure!(
                sent.lost == 0,
                "{}: {} of {} SYNs came to no end",
                stage.variant.what,
                sent.lost,
                effort.openings
            );
            rounds.note(stage.variant, sent.cost);
            make_room(stage, reader.as_mut())?;
        }
    }
    let all = u64::from(effort.openings) * effort.rounds as u64;
    for (stage, before) in stages.iter().zip(before) {
        has_worked(stage, &before, all)?;
    }
    let name = |it: Variant| {
        let what = format!("SYN of a new flow, {}", it.what);
        (format!("gateway-syn-{}", it.id), what)
    };
    figures(&rounds, Unit::NanosecondsAPacket, name, against, report)
}

fn against(variant: Variant) -> (Variant, Option<&'static str>) {
    let is_ours = [XDP.id, TC.id].contains(&variant.id);
    (PLAIN, is_ours.then_some("P11"))
}

fn reader(isnguard: &Isnguard) -> Result<Ring> {
    match Ring::take(&variant::pins(isnguard)?)? {
        Taken::Ours(ring) => Ok(ring),
        Taken::By(who) => bail!("process {who:?} reads the samples"),
    }
}

fn work(stage: &Stage) -> Result<Vec<u64>> {
    let Some(isnguard) = stage.isnguard() else {
        return Ok(Vec::new());
    };
    let count = |it: &Counter| isnguard.counter(it.name());
    WORK.iter().map(count).collect()
}

/// Fails unless isnguard, if it is there, has done all of its work since then for as many SYNs.
fn has_worked(stage: &Stage, before: &[u64], all: u64) -> Result<()> {
    for ((counter, now), before) in WORK.iter().zip(work(stage)?).zip(before) {
        let (what, name, counted) = (stage.variant.what, counter.name(), now - before);
        ensure!(
            counted == all,
            "{what}: of {all} SYNs, {name} counts {counted}"
        );
    }
    Ok(())
}

/// Does what time would do, or another process: forgets connections, reads samples.
fn make_room(stage: &Stage, reader: Option<&mut Ring>) -> Result<()> {
    if let Some(ring) = reader {
        ring.drain(usize::MAX, |_| ());
    }
    if let Kind::Rules(_) | Kind::Proxy(_) = stage.variant.kind {
        conntrack::forget_all(&stage.ground().lab.gateway)?;
    }
    Ok(())
}
