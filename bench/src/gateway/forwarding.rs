//! What forwarding a packet of an open flow costs, few flows and many.

use anyhow::{Result, ensure};

use super::{
    Effort, figures,
    injector::Sending,
    rounds::Rounds,
    stage::Stage,
    traffic::MOST,
    variant::{CONNTRACK, PLAIN, SYNPROXY, TC, Variant, XDP},
};
use crate::{
    cpu::Softirqs,
    figure::{Figure, Unit},
    report::Report,
    stopwatch::least_and_median,
};

/// Few flows.
const FEW: u32 = 256;
/// What a variant must be called that forwards by itself.
const FORWARDING: &str = "forward";
/// Of frames sent, so many may be lost.
const TOLERATED: f64 = 0.001;

/// Measures all stages.
pub fn measure(
    effort: Effort,
    stages: &mut [Stage],
    softirqs: &Softirqs,
    report: &mut Report,
) -> Result<()> {
    without_gateway(effort, &mut stages[0], softirqs, report)?;
    for flows in [FEW, MOST] {
        report.doing(&format!("packets of {flows} flows through gateways"));
        let rounds = interleaved(flows, effort, stages, softirqs, report)?;
        let name = |it: Variant| {
            let what = format!("packet of one of {flows} flows, {}", it.what);
            (format!("gateway-{}-{flows}", it.id), what)
        };
        let against = |it: Variant| (PLAIN, target(it, flows));
        figures(&rounds, Unit::NanosecondsAPacket, name, against, report)?;
        if flows == FEW {
            beside_peers(&rounds, report)?;
        }
    }
    Ok(())
}

/// What every figure holds besides the gateway.
fn without_gateway(
    effort: Effort,
    stage: &mut Stage,
    softirqs: &Softirqs,
    report: &mut Report,
) -> Result<()> {
    let mut costs = Vec::new();
    for _ in 0..effort.rounds {
        costs.push(stage.send(Sending::Short, effort.frames, softirqs)?.cost);
    }
    let (_, cost) = least_and_median(&costs)?;
    let what = "of each packet: made, sent over a line and ended, without a gateway";
    report.add(Figure::new(
        "gateway-none",
        what,
        cost,
        Unit::NanosecondsAPacket,
    ));
    Ok(())
}

fn target(variant: Variant, flows: u32) -> Option<&'static str> {
    match (variant.id, flows) {
        (id, FEW) if id == XDP.id => Some("P7 XDP"),
        (id, FEW) if id == TC.id => Some("P7 TC"),
        (id, MOST) if id == XDP.id => Some("P8"),
        (id, FEW) if id == FORWARDING => Some("P9"),
        _ => None,
    }
}

fn interleaved(
    flows: u32,
    effort: Effort,
    stages: &mut [Stage],
    softirqs: &Softirqs,
    report: &mut Report,
) -> Result<Rounds> {
    let mut rounds = Rounds::default();
    let mut translated = Vec::new();
    for stage in stages.iter_mut() {
        // The first time, caches and the page pools are empty.
        stage.send(Sending::Established(flows), effort.frames, softirqs)?;
        translated.push(stage.translated()?);
    }
    let mut lost = 0;
    for _ in 0..effort.rounds {
        for stage in stages.iter_mut() {
            let sent = stage.send(Sending::Established(flows), effort.frames, softirqs)?;
            rounds.note(stage.variant, sent.cost);
            lost += sent.lost;
        }
    }
    let each = u64::from(effort.frames) * effort.rounds as u64;
    for (stage, before) in stages.iter().zip(translated) {
        if let (Some(before), Some(now)) = (before, stage.translated()?) {
            let counted = now - before;
            ensure!(
                counted <= each && counted + lost >= each,
                "{}: {counted} of {each} packets were translated",
                stage.variant.what
            );
        }
    }
    let of = format!("packets of {flows} flows");
    say_lost(lost, each * stages.len() as u64, &of, report)?;
    Ok(rounds)
}

/// Tells of what did not arrive, and fails if that is more than a few.
#[allow(clippy::cast_precision_loss, reason = "nobody sends 2^53 frames")]
pub fn say_lost(lost: u64, sent: u64, of: &str, report: &mut Report) -> Result<()> {
    ensure!(
        lost as f64 <= sent as f64 * TOLERATED,
        "{lost} of {sent} frames {of} did not reach the other side of a gateway: what was measured is not forwarding"
    );
    let what = format!("of {sent} {of} through gateways, lost");
    let id = format!("gateway-lost-{}", of.replace(' ', "-"));
    report.add(Figure::new(id, what, lost as f64, Unit::Count));
    Ok(())
}

/// The whole of a packet, set against what does a similar job.
fn beside_peers(rounds: &Rounds, report: &mut Report) -> Result<()> {
    let peers = [(SYNPROXY, "P10 SYNPROXY"), (CONNTRACK, "P10 conntrack")];
    for variant in [XDP, TC] {
        for (peer, target) in peers {
            let Some(ratio) = rounds.ratio(variant, peer)? else {
                continue;
            };
            let id = format!("gateway-{}-by-{}", variant.id, peer.id);
            let what = format!("packet of one of {FEW} flows, {}", variant.what);
            let cost = rounds.median(variant)?;
            let figure = Figure::new(id, what, cost, Unit::NanosecondsAPacket);
            report.add(figure.over(ratio, peer.what).must(Some(target)));
        }
    }
    Ok(())
}
