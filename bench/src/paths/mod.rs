//! What one packet costs on each path: the real programs in the real kernel (`BPF_PROG_TEST_RUN`), beside the floor, on the same
//! frames in the same round.
//!
//! A program changes its frame, so the next run finds other numbers: offsets of one and of less one keep it on the same path. Where
//! each run is to meet another flow, a program before it makes the frame one of that: what that takes, measured on the same
//! frame with a program that only passes, is taken off.

mod cases;
mod frames;
mod lab;
pub mod mix;
mod pair;
mod wakeups;

use anyhow::{Result, ensure};
use isn_tests::test_run::Hook;

use self::{
    cases::{Against, Case},
    lab::{Lab, Subject},
};
use crate::{
    figure::{Figure, Unit},
    report::Report,
    stopwatch::least_and_median,
};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds, in each of which everything is measured once.
    pub rounds: usize,
    /// Runs of a program in one measurement.
    pub runs: u32,
}

impl Effort {
    /// For figures that are published.
    pub const THOROUGH: Self = Self {
        rounds: 9,
        runs: 300_000,
    };
    /// For a look.
    pub const QUICK: Self = Self {
        rounds: 5,
        runs: 100_000,
    };
}

/// Flows in tables that are not to be large.
const HOT: u32 = 1024;

/// Measures all paths at both hooks.
pub fn measure(effort: Effort, report: &mut Report) -> Result<()> {
    for hook in [Hook::Xdp, Hook::Tc] {
        report.doing(&format!("paths at {hook:?}"));
        let mut lab = Lab::new(hook, HOT)?;
        rounds(&mut lab, &cases::hot(hook), effort, report)?;
        lab.go_keyed()?;
        rounds(&mut lab, &cases::keyed::all(hook), effort, report)?;
    }
    pair::measure(effort, report)?;
    wakeups::measure(report)
}

/// Flows at random among many.
pub fn among(flows: u32, effort: Effort, report: &mut Report) -> Result<()> {
    report.doing(&format!("filling tables with {flows} flows"));
    let mut lab = Lab::new(Hook::Xdp, flows)?;
    report.doing(&format!("flows at random among {flows}"));
    rounds(&mut lab, &cases::random(flows), effort, report)
}

/// What was measured of one case in one round, nanoseconds.
#[derive(Clone, Copy)]
struct Measured {
    cost: f64,
    ratio: f64,
}

fn rounds(lab: &mut Lab, cases: &[Case], effort: Effort, report: &mut Report) -> Result<()> {
    let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); cases.len()];
    for _ in 0..effort.rounds {
        let bare = lab.bare(effort.runs)?;
        for (case, measured) in cases.iter().zip(&mut measured) {
            measured.push(once(lab, case, bare, effort.runs)?);
        }
    }
    for (case, measured) in cases.iter().zip(measured) {
        report.add(figure(case, &measured)?);
    }
    Ok(())
}

fn once(lab: &mut Lab, case: &Case, bare: f64, runs: u32) -> Result<Measured> {
    let runs = runs / case.seldom;
    let cost = cost(lab, case, bare, runs)?;
    let ratio = match case.against {
        Against::Nothing => 1.0,
        Against::Floor => {
            // The floor knows IPv4 alone, and everything is set against it: it has a frame of its own.
            let floor = self::cost(lab, &cases::floor(case.flows), bare, runs)?;
            ensure!(floor > 0.0, "the floor took no time");
            if case.above_pass {
                (cost - bare) / floor
            } else {
                cost / floor
            }
        }
    };
    Ok(Measured { cost, ratio })
}

fn cost(lab: &mut Lab, case: &Case, bare: f64, runs: u32) -> Result<f64> {
    let whole = lab.run(case.subject, case, runs)?;
    Ok(match case.stimulus {
        Some(_) => whole - lab.run(Subject::Pass, case, runs)? + bare,
        None => whole,
    })
}

fn figure(case: &Case, measured: &[Measured]) -> Result<Figure> {
    let costs: Vec<f64> = measured.iter().map(|it| it.cost).collect();
    let ratios: Vec<f64> = measured.iter().map(|it| it.ratio).collect();
    let (_, cost) = least_and_median(&costs)?;
    let (_, ratio) = least_and_median(&ratios)?;
    let figure = Figure::new(
        case.id.clone(),
        case.what.clone(),
        cost,
        Unit::NanosecondsAPacket,
    );
    let against = match (case.above_pass, case.hook) {
        (false, Hook::Xdp) => "floor",
        (false, Hook::Tc) => "floor at TC",
        (true, Hook::Xdp) => "floor, less XDP_PASS",
        (true, Hook::Tc) => "floor at TC, less passing",
    };
    Ok(match case.against {
        Against::Nothing => figure,
        Against::Floor => figure.over(ratio, against),
    }
    .must(case.target))
}
