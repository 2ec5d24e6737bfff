//! What a gateway costs: plain routing, any XDP program, isnguard, and peers, each in a namespace of its own, beside each other in
//! the same rounds, all on one CPU.
//!
//! `forwarding` and `newcomers` send frames without stacks: what a packet costs. `bulk` and `connects` are real TCP at both ends.

mod bulk;
mod connects;
mod conntrack;
mod forwarding;
mod ground;
mod handshakes;
mod injector;
mod lines;
mod newcomers;
mod rounds;
mod stacks;
mod stage;
mod traffic;
mod trains;
mod variant;

use anyhow::{Context as _, Result, ensure};

use self::{
    ground::Ground,
    injector::{Sending, Sent},
    rounds::Rounds,
    stage::Stage,
    variant::{CONNTRACK, FORWARD, MASQUERADE, PASS, PLAIN, SYNPROXY, TC, Variant, XDP},
};
use crate::{
    cpu::{Pinned, Softirqs},
    figure::{Figure, Unit},
    report::Report,
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
    /// Octets that are moved each way in one measurement.
    pub octets: u64,
    /// Connections in one measurement.
    pub connections: u32,
}

impl Effort {
    /// For figures that are published.
    pub const THOROUGH: Self = Self {
        rounds: 13,
        frames: 100_000,
        openings: 12_000,
        octets: 256 << 20,
        connections: 3_000,
    };
    /// For a look.
    pub const QUICK: Self = Self {
        rounds: 5,
        frames: 50_000,
        openings: 12_000,
        octets: 32 << 20,
        connections: 1_500,
    };
}

/// All that is measured, in the order of every table; the first is what the others are set against.
const VARIANTS: &[Variant] = &[
    PLAIN, PASS, XDP, TC, FORWARD, CONNTRACK, MASQUERADE, SYNPROXY,
];

/// Measures packets without stacks.
pub fn packets(effort: Effort, report: &mut Report) -> Result<()> {
    let pinned = pinned(report)?;
    let softirqs = pinned.softirqs();
    report.doing("gateways for packets");
    let grounds = VARIANTS.iter().map(|_| Ground::new());
    let grounds: Vec<Ground> = grounds.collect::<Result<_>>()?;
    let mut stages = Vec::new();
    for (ground, variant) in grounds.iter().zip(VARIANTS.iter().copied()) {
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
    lines::measure(effort, &mut stages, softirqs, report)?;
    newcomers::measure(effort, &mut stages, softirqs, report)
}

/// Measures which hook is the cheaper one for which traffic.
pub fn hooks(effort: Effort, report: &mut Report) -> Result<()> {
    let pinned = pinned(report)?;
    trains::measure(effort, pinned.softirqs(), report)
}

/// Measures real TCP.
pub fn tcp(effort: Effort, report: &mut Report) -> Result<()> {
    let pinned = pinned(report)?;
    let softirqs = pinned.softirqs();
    report.doing("gateways for TCP");
    let labs = stacks::grounds(VARIANTS)?;
    let stacks = stacks::all(&labs, VARIANTS, report)?;
    bulk::measure(effort, &stacks, softirqs, report)?;
    connects::measure(effort, &stacks, softirqs, report)
}

fn pinned(report: &mut Report) -> Result<Pinned> {
    let pinned = Pinned::to_one()?;
    if !pinned.softirqs().is_visible() {
        report.cannot("the share of ksoftirqd", "this process does not see it");
    }
    Ok(pinned)
}

/// Numbers of frames that are compared, and how often.
const SOME: u32 = 5_000;
const MORE: u32 = 305_000;
const LOOKS: usize = 5;
/// A thread that does all the work of a call has nearly all of its time; without softirqs, it would have a third of that.
const NEARLY_ALL: f64 = 0.8;

/// Fails if the time of a call does not hold what the kernel does in softirqs for its frames, which is then elsewhere. A call
/// also waits, a long time, but not longer for more frames.
fn is_time_of_this_thread(stages: &mut [Stage], softirqs: &Softirqs) -> Result<()> {
    let plain = stages.first_mut().context("no stage")?;
    let mut least = |frames| -> Result<Sent> {
        let mut sent = Vec::new();
        for _ in 0..LOOKS {
            sent.push(plain.send(Sending::Established(256), frames, softirqs)?);
        }
        let least = sent.into_iter().min_by_key(|sent| sent.own);
        least.context("no look was taken")
    };
    let (some, more) = (least(SOME)?, least(MORE)?);
    let work = more.work.saturating_sub(some.work).as_secs_f64();
    let own = more.own.saturating_sub(some.own).as_secs_f64();
    ensure!(
        work > NEARLY_ALL * own,
        "{} frames more took a call {own:.4} s longer, and its thread {work:.4} s of work: this kernel accounts softirqs apart \
         (CONFIG_IRQ_TIME_ACCOUNTING), and what forwarding costs would be left out",
        MORE - SOME
    );
    Ok(())
}

/// Figures of what was measured in rounds: each set against another variant, with a target where there is one.
fn figures(
    rounds: &Rounds,
    unit: Unit,
    name: impl Fn(Variant) -> (String, String),
    against: impl Fn(Variant) -> (Variant, Option<&'static str>),
    report: &mut Report,
) -> Result<()> {
    for variant in rounds.variants() {
        let (id, what) = name(variant);
        let figure = Figure::new(id, what, rounds.median(variant)?, unit);
        let (other, target) = against(variant);
        report.add(match rounds.ratio(variant, other)? {
            Some(ratio) if variant.id != other.id => figure.over(ratio, other.what).must(target),
            _ => figure,
        });
    }
    Ok(())
}
