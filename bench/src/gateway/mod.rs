//! What a gateway costs: plain routing, any XDP program, isnguard, and peers, each in a namespace of its own, beside each other in
//! the same rounds, all on one CPU.
//!
//! `forwarding` and `newcomers` send frames without stacks: what a packet costs.

mod conntrack;
mod forwarding;
mod ground;
mod handshakes;
mod injector;
mod newcomers;
mod rounds;
mod stage;
mod traffic;
mod variant;

use anyhow::{Context as _, Result, ensure};

use self::{
    ground::Ground,
    injector::Sending,
    rounds::Rounds,
    stage::Stage,
    variant::{CONNTRACK, MASQUERADE, PASS, PLAIN, SYNPROXY, TC, Variant, XDP},
};
use crate::{
    cpu::{Pinned, Softirqs},
    figure::{Figure, Unit},
    report::Report,
    stopwatch::Took,
};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds, in each of which every variant is measured once.
    pub rounds: usize,
    /// Frames in one measurement.
    pub frames: u32,
    /// Frames that open flows in one measurement: they leave something behind in most variants.
    pub openings: u32,
}

impl Effort {
    /// For figures that are published.
    pub const THOROUGH: Self = Self {
        rounds: 15,
        frames: 100_000,
        openings: 12_000,
    };
    /// For a look.
    pub const QUICK: Self = Self {
        rounds: 5,
        frames: 50_000,
        openings: 8_000,
    };
}

/// All that can sit in a gateway whose packets are counted one by one. What is left out of it here is measured nowhere.
const VARIANTS: [Variant; 7] = [PLAIN, PASS, XDP, TC, CONNTRACK, MASQUERADE, SYNPROXY];

/// Measures everything.
pub fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    let pinned = Pinned::to_one()?;
    let softirqs = pinned.softirqs();
    if !softirqs.is_visible() {
        report.cannot("the share of ksoftirqd", "this process does not see it");
    }
    packets(effort, softirqs, report)
}

fn packets(effort: Effort, softirqs: &Softirqs, report: &mut Report) -> Result<()> {
    report.doing("gateways for packets");
    let grounds = VARIANTS.map(|_| Ground::new());
    let grounds: Vec<Ground> = grounds.into_iter().collect::<Result<_>>()?;
    let mut stages = Vec::new();
    for (ground, variant) in grounds.iter().zip(VARIANTS) {
        report.doing(&format!("flows through {}", variant.what));
        match Stage::new(ground, variant) {
            Ok(stage) => stages.push(stage),
            Err(error) if variant.kind.is_peer() => {
                report.cannot(variant.what, &format!("{error:#}"));
            }
            Err(error) => return Err(error.context(variant.what)),
        }
    }
    is_time_of_this_thread(&mut stages, softirqs)?;
    forwarding::measure(effort, &mut stages, softirqs, report)?;
    newcomers::measure(effort, &mut stages, softirqs, report)
}

/// Numbers of frames that are compared, and how often.
const SOME: u32 = 5_000;
const MORE: u32 = 55_000;
const LOOKS: usize = 10;
/// A thread that does all the work of a call and never waits in it has all of the time.
const NEARLY_ALL: f64 = 0.9;

/// Fails if the time of a call does not hold what the kernel does in softirqs for its frames, which is then elsewhere. A call
/// also waits, a long time, but not longer for more frames.
fn is_time_of_this_thread(stages: &mut [Stage], softirqs: &Softirqs) -> Result<()> {
    let plain = stages.first_mut().context("no stage")?;
    let mut least = |frames| -> Result<Took> {
        let mut took = Vec::new();
        for _ in 0..LOOKS {
            took.push(
                plain
                    .send(Sending::Established(256), frames, softirqs)?
                    .took,
            );
        }
        let least = took.into_iter().min_by_key(|took| took.wall);
        least.context("no look was taken")
    };
    let (some, more) = (least(SOME)?, least(MORE)?);
    let work = more.work.saturating_sub(some.work).as_secs_f64();
    let wall = more.wall.saturating_sub(some.wall).as_secs_f64();
    ensure!(
        work > NEARLY_ALL * wall,
        "{} frames more took a call {wall:.4} s longer on the wall and its thread {work:.4} s of work: either the machine is \
         busy beyond use, or this kernel accounts softirqs apart (CONFIG_IRQ_TIME_ACCOUNTING), and what forwarding costs \
         would be left out",
        MORE - SOME
    );
    Ok(())
}

/// Figures of what was measured in rounds, each set against plain routing, with a target where there is one.
fn figures(
    rounds: &Rounds,
    unit: Unit,
    name: impl Fn(Variant) -> (String, String),
    target: impl Fn(Variant) -> Option<&'static str>,
    report: &mut Report,
) -> Result<()> {
    for variant in rounds.variants() {
        let (id, what) = name(variant);
        let figure = Figure::new(id, what, rounds.median(variant)?, unit);
        report.add(match rounds.ratio(variant, PLAIN)? {
            Some(ratio) if variant.id != PLAIN.id => {
                figure.over(ratio, PLAIN.what).must(target(variant))
            }
            _ => figure,
        });
    }
    Ok(())
}
