//! The numbers over time: a clock is a line or a sawtooth, a fixed step a stair, and a number that lies below what the
//! connection before had reached is a drop.

use super::{
    scale::{SPACE, Unit},
    thinning::chosen,
};
use crate::grading::{Class, Sample};

/// What moves forward by less is joined by a line to the one before, if most do: for others it would be a thicket.
const NEAR: u32 = 1 << 28;

/// The part of the circle of sequence numbers that is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// The number at the bottom.
    pub low: u32,
    /// How many numbers there are up to the top; 2³² for the whole circle, which is then cut at 0.
    pub height: f64,
}

impl Window {
    /// All numbers.
    pub const WHOLE: Self = Self {
        low: 0,
        height: SPACE,
    };

    /// The least part that holds all, with some room around it; all numbers if that would be a quarter of them or more, or if
    /// there is only one.
    fn of(samples: &[Sample]) -> Self {
        let mut isns: Vec<u32> = samples.iter().map(|sample| sample.isn).collect();
        isns.sort_unstable();
        isns.dedup();
        let next = isns.iter().cycle().skip(1);
        let Some((gap, first)) = isns
            .iter()
            .zip(next)
            .map(|(isn, next)| (next.wrapping_sub(*isn), *next))
            .max()
        else {
            return Self::WHOLE;
        };
        let held = 0_u32.wrapping_sub(gap);
        if gap == 0 || held > u32::MAX / 4 {
            return Self::WHOLE;
        }
        let room = held / 20 + 1;
        Self {
            low: first.wrapping_sub(room),
            height: f64::from(held + 2 * room),
        }
    }

    /// Where a number lies: 0 is the bottom, 1 the top.
    pub fn position(self, isn: u32) -> f64 {
        f64::from(isn.wrapping_sub(self.low)) / self.height
    }

    /// How many times larger than the whole circle the window shows its part.
    pub fn zoom(self) -> f64 {
        SPACE / self.height
    }
}

/// A sample in the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// From 0, the first sample's time, to 1, the last one's.
    pub right: f64,
    /// From 0, the bottom of the window, to 1, its top.
    pub up: f64,
    /// For a regression, where the connection before had ended, no higher than the top.
    pub fallen_from: Option<f64>,
}

/// The numbers of one host over time.
#[derive(Debug, PartialEq)]
pub struct Course {
    /// The numbers that the upright axis shows.
    pub window: Window,
    /// What time is told in.
    pub unit: Unit,
    /// From the first sample to the last one, in that unit.
    pub span: f64,
    /// Samples in order of time, at most as many as are to be shown.
    pub marks: Vec<Mark>,
    /// Lines through successive samples, as (right, up).
    pub lines: Vec<Vec<(f64, f64)>>,
    /// How many samples there were before they were thinned out.
    pub count: usize,
    /// And how many of them were regressions.
    pub regressions: usize,
}

impl Course {
    /// The course of samples in order of time, thinned out to `most` of them; a fixed step is shown as a stair.
    pub fn of(samples: &[Sample], class: Class, most: usize) -> Self {
        let time = |sample: &Sample| sample.at.as_secs_f64();
        let begin = samples.first().map_or(0.0, time);
        let seconds = samples
            .last()
            .map_or(0.0, |last| time(last) - begin)
            .max(0.0);
        let (window, unit) = (Window::of(samples), Unit::of(seconds));
        let mark = |sample: &Sample| {
            let up = window.position(sample.isn);
            let fall = sample
                .ahead
                .filter(|ahead| *ahead <= 0)
                .map(|ahead| f64::from(ahead.unsigned_abs()));
            Mark {
                right: if seconds > 0.0 {
                    ((time(sample) - begin) / seconds).clamp(0.0, 1.0)
                } else {
                    0.5
                },
                up,
                fallen_from: fall.map(|fall| (up + fall / window.height).min(1.0)),
            }
        };
        let marks: Vec<Mark> = shown(samples, most).map(mark).collect();
        Self {
            lines: if marks.len() == samples.len() {
                lines(samples, &marks, window, class)
            } else {
                Vec::new()
            },
            marks,
            window,
            unit,
            span: seconds / unit.seconds,
            count: samples.len(),
            regressions: samples.iter().filter(|sample| regresses(sample)).count(),
        }
    }
}

fn regresses(sample: &Sample) -> bool {
    sample.ahead.is_some_and(|ahead| ahead <= 0)
}

/// Regressions are seldom, and what matters: a fifth of the places is theirs before they are thinned out too.
fn shown(samples: &[Sample], most: usize) -> impl Iterator<Item = &Sample> {
    let mut indices = chosen(samples.len(), most);
    if indices.len() < samples.len() {
        let (bad, good): (Vec<_>, Vec<_>) =
            (0..samples.len()).partition(|index| regresses(&samples[*index]));
        let places = bad.len().min(most / 5);
        indices = chosen(bad.len(), places)
            .into_iter()
            .map(|n| bad[n])
            .collect();
        indices.extend(
            chosen(good.len(), most - places)
                .into_iter()
                .map(|n| good[n]),
        );
        indices.sort_unstable();
    }
    indices.into_iter().map(|index| &samples[index])
}

fn lines(samples: &[Sample], marks: &[Mark], window: Window, class: Class) -> Vec<Vec<(f64, f64)>> {
    let steps = || {
        samples
            .windows(2)
            .map(|pair| pair[1].isn.wrapping_sub(pair[0].isn))
    };
    let near = steps().filter(|step| *step < NEAR).count();
    if near * 10 < samples.len().saturating_sub(1) * 7 {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut line: Vec<(f64, f64)> = Vec::new();
    for (pair, step) in marks.windows(2).zip(steps()) {
        let (from, to) = (pair[0], pair[1]);
        if line.is_empty() {
            line.push((from.right, from.up));
        }
        if step >= NEAR {
            lines.push(std::mem::take(&mut line));
            continue;
        }
        let reached = from.up + f64::from(step) / window.height;
        if class == Class::FixedStep {
            line.push((to.right, from.up));
        }
        if reached >= 1.0 {
            let begin = if class == Class::FixedStep {
                to.right
            } else {
                from.right
            };
            let at = begin + (to.right - begin) * (1.0 - from.up) / (reached - from.up);
            line.push((at, 1.0));
            lines.push(std::mem::replace(&mut line, vec![(at, 0.0)]));
        }
        line.push((to.right, to.up));
    }
    lines.push(line);
    lines.retain(|line| line.len() > 1);
    lines
}

#[cfg(test)]
#[path = "tests/course.rs"]
mod tests;
