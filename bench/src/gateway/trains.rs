//! Which hook for which traffic: segments full of data, alone or as trains of several of one flow, of which the kernel joins each into
//! one (GRO) behind native XDP and before TC. So XDP runs for every segment, and TC for every train.

use anyhow::{Result, ensure};

use super::{
    Effort, figures,
    forwarding::say_lost,
    ground::Ground,
    injector::Sending,
    rounds::Rounds,
    stage::Stage,
    variant::{FORWARD, PLAIN, TC, Variant, XDP},
};
use crate::{
    cpu::Softirqs,
    figure::{Figure, Unit},
    report::Report,
};

const VARIANTS: [Variant; 4] = [PLAIN, XDP, TC, FORWARD];
/// Segments of a train. NAPI takes 64 frames at a time, and what it has joined goes on at the end of each time.
const LENGTHS: [u32; 5] = [1, 2, 4, 8, 32];
/// Of the rounds and the frames of other packets, a part: these have data.
const ROUNDS: usize = 9;
const FRAMES_PART: u32 = 4;
/// Of what could be joined, so much is.
const MOST_OF: f64 = 0.9;

/// Measures all variants with trains of every length.
pub fn measure(effort: Effort, softirqs: &Softirqs, report: &mut Report) -> Result<()> {
    report.doing("gateways for trains of segments");
    let grounds = VARIANTS.iter().map(|_| Ground::new());
    let grounds: Vec<Ground> = grounds.collect::<Result<_>>()?;
    let stages = grounds.iter().zip(VARIANTS);
    let stages = stages.map(|(ground, variant)| Stage::joining(ground, variant));
    let mut stages: Vec<Stage> = stages.collect::<Result<_>>()?;
    let effort = Effort {
        rounds: effort.rounds.min(ROUNDS),
        frames: effort.frames / FRAMES_PART,
        ..effort
    };
    let mut lost = 0;
    for length in LENGTHS {
        report.doing(&format!("trains of {length} through gateways"));
        lost += trains(length, effort, &mut stages, softirqs, report)?;
    }
    let each = u64::from(effort.frames) * effort.rounds as u64;
    let all = each * (LENGTHS.len() * stages.len()) as u64;
    say_lost(lost, all, "full segments in trains", report)
}

#[allow(clippy::cast_precision_loss, reason = "nobody sends 2^53 frames")]
fn trains(
    length: u32,
    effort: Effort,
    stages: &mut [Stage],
    softirqs: &Softirqs,
    report: &mut Report,
) -> Result<u64> {
    let (mut rounds, mut lost) = (Rounds::default(), 0);
    let mut before = Vec::new();
    for stage in stages.iter_mut() {
        stage.send(Sending::Train(length), effort.frames, softirqs)?;
        before.push(stage.translated()?);
    }
    for _ in 0..effort.rounds {
        for stage in stages.iter_mut() {
            let sent = stage.send(Sending::Train(length), effort.frames, softirqs)?;
            rounds.note(stage.variant, sent.cost);
            lost += sent.lost;
        }
    }
    let name = |it: Variant| {
        let what = format!("full segment, trains of {length}, {}", it.what);
        (format!("train-{length}-{}", it.id), what)
    };
    let against = |_| (PLAIN, None);
    figures(&rounds, Unit::NanosecondsAPacket, name, against, report)?;
    let all = f64::from(effort.frames) * effort.rounds as f64;
    for (stage, before) in stages.iter().zip(before) {
        let (Some(before), Some(now)) = (before, stage.translated()?) else {
            continue;
        };
        let each = all / (now - before) as f64;
        let joins = stage.variant.id == TC.id;
        let wanted = if joins { f64::from(length) } else { 1.0 };
        ensure!(
            each > MOST_OF * wanted,
            "{}: each run was for {each:.1} segments of trains of {length}",
            stage.variant.what
        );
        if joins {
            let what = format!("segments for each run at TC, trains of {length}");
            report.add(Figure::new(
                format!("train-{length}-joined"),
                what,
                each,
                Unit::Segments,
            ));
        }
    }
    Ok(lost)
}
