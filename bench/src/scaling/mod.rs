//! How far it goes: packets of realistic mixes of flows, measured up to a million flows, and computed beyond; and how many cores
//! receive-side scaling keeps busy where a few flows have most of the packets.

mod caches;
mod mix;
mod picture;
mod spread;

use anyhow::Result;

pub use self::picture::draw;
use self::{caches::Curve, mix::Mix};
use crate::{
    figure::{Figure, Unit},
    paths::{Effort, mix::Mixer},
    report::Report,
};

/// Flows in the tables.
const MOST: u32 = 1 << 20;
/// Active flows among which each packet is of any: what memory costs.
const ALIKE: [u32; 8] = [1, 1 << 6, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, MOST];
/// Exponents of popularity: what is seen of traffic lies between them.
pub const EXPONENTS: [f64; 3] = [0.8, 1.0, 1.2];
/// Active flows with these, and packets of a flow in succession.
const ACTIVE: [u32; 2] = [1 << 16, MOST];
const TRAINS: [f64; 2] = [1.0, 8.0];
/// Flows that no table of this benchmark holds.
const BEYOND: [u64; 2] = [10_000_000, 100_000_000];
/// Cores among which the flows of a million are spread.
pub const CORES: [u32; 5] = [4, 8, 16, 32, 64];
const SEEDS: u64 = 15;
/// Each mix takes seconds.
const ROUNDS: usize = 5;

/// All of it, for the picture.
pub struct Scaling {
    /// What memory costs.
    curve: Curve,
    /// Mixes that were measured, and nanoseconds for a packet.
    measured: Vec<(Mix, f64)>,
    /// Exponent, cores, and how many of these cores can be kept busy.
    busy: Vec<(f64, u32, f64)>,
}

/// Measures and computes.
pub fn measure(effort: Effort, report: &mut Report) -> Result<Scaling> {
    let effort = Effort {
        rounds: effort.rounds.min(ROUNDS),
        ..effort
    };
    report.doing(&format!("filling tables with {MOST} flows"));
    let mut mixer = Mixer::new(MOST)?;
    let mut points = Vec::new();
    for flows in ALIKE {
        let mix = Mix {
            flows,
            exponent: 0.0,
            train: 1.0,
        };
        let cost = measured(&mut mixer, mix, effort, report)?;
        points.push((f64::from(flows), cost));
    }
    let curve = Curve::new(points);
    let mut all = Vec::new();
    for flows in ACTIVE {
        for exponent in EXPONENTS {
            for train in TRAINS {
                let mix = Mix {
                    flows,
                    exponent,
                    train,
                };
                let cost = measured(&mut mixer, mix, effort, report)?;
                let computed = curve.cost(u64::from(flows), exponent, train);
                let (id, what) = mix.named();
                let figure = computed_figure(&id, &what, computed);
                report.add(figure.over(computed / cost, "measured"));
                all.push((mix, cost));
            }
        }
    }
    for flows in BEYOND {
        for exponent in [0.0].into_iter().chain(EXPONENTS) {
            let (id, what) = mix::named(flows, exponent, 1.0);
            report.add(computed_figure(
                &id,
                &what,
                curve.cost(flows, exponent, 1.0),
            ));
        }
    }
    Ok(Scaling {
        curve,
        measured: all,
        busy: busy(report)?,
    })
}

fn measured(mixer: &mut Mixer, mix: Mix, effort: Effort, report: &mut Report) -> Result<f64> {
    let (id, what) = mix.named();
    report.doing(&what);
    let cost = mixer.cost(&mix.order(), effort)?;
    let figure = Figure::new(
        format!("scaling-{id}"),
        format!("{what} (floor {:.0} ns)", cost.floor),
        cost.ours,
        Unit::NanosecondsAPacket,
    );
    report.add(figure.over(cost.ratio, "floor in the same mix"));
    Ok(cost.ours)
}

fn computed_figure(id: &str, what: &str, cost: f64) -> Figure {
    Figure::new(
        format!("scaling-computed-{id}"),
        format!("{what}, computed"),
        cost,
        Unit::NanosecondsAPacket,
    )
}

fn busy(report: &mut Report) -> Result<Vec<(f64, u32, f64)>> {
    let mut all = Vec::new();
    for exponent in EXPONENTS {
        for cores in CORES {
            let busy = spread::busy(MOST, exponent, cores, SEEDS)?;
            let what = format!("of {cores} cores, {MOST} flows with exponent {exponent:.1} use");
            let id = format!("scaling-cores-{exponent:.1}-{cores}");
            let figure = Figure::new(id, what, busy, Unit::Cores);
            report.add(figure.over(busy / f64::from(cores), "all cores"));
            all.push((exponent, cores, busy));
        }
    }
    Ok(all)
}
