//! The phase space as a cube, seen from above and from the right.

use std::fmt::Write as _;

use svg::node::element::{Circle, Group, Rectangle};

use super::{
    super::{
        phase::{FEWEST, Phase},
        projection::{HIGHEST, WIDEST},
        scale::{HALF, grouped, real},
    },
    COLUMN,
    frame::{Frame, axes, walls},
    ink::{self, Anchor, INK, MUTED, SHADES, tenth},
    points::{Points, radius, weight},
};

/// Height of the panel; it is [`COLUMN`] wide.
pub const HEIGHT: f64 = 752.0;
/// Points beyond which shadows would only be grey walls.
const SHADOWS: usize = 2_500;

/// The panel, its upper left corner at the origin.
pub fn draw(phase: &Phase) -> Group {
    let scale = ((HEIGHT - 150.0) / (2.0 * HIGHEST)).min((COLUMN - 150.0) / (2.0 * WIDEST));
    let frame = Frame {
        middle: (COLUMN / 2.0 + 12.0, 72.0 + HIGHEST * scale),
        scale,
    };
    let panel = Group::new()
        .set("class", "phase")
        .add(ink::text(
            "Phase space of successive differences",
            (0.0, 18.0),
            19.0,
            INK,
            Anchor::Start,
        ))
        .add(ink::text(
            caption(phase),
            (0.0, 41.0),
            14.5,
            MUTED,
            Anchor::Start,
        ))
        .add(walls(frame));
    if phase.count == 0 {
        let words = format!("too few samples: it takes {FEWEST} to make a point");
        return panel.add(axes(frame, phase.reach)).add(ink::text(
            words,
            frame.at([0.0; 3]),
            17.0,
            INK,
            Anchor::Middle,
        ));
    }
    let points = Points::of(phase, phase.reach, frame);
    let single = radius(phase.triples.len());
    let shadows = if phase.triples.len() <= SHADOWS {
        points.shadows()
    } else {
        Group::new()
    };
    let panel = panel
        .add(shadows)
        .add(axes(frame, phase.reach))
        .add(points.draw(single))
        .add(legend(single));
    if phase.zoom() > 1.0 {
        panel.add(inset(phase))
    } else {
        panel
    }
}

fn caption(phase: &Phase) -> String {
    let mut words = match phase.count {
        0 => return "no points".into(),
        1 => "1 point".into(),
        count => format!("{} points", grouped(real(count))),
    };
    let shown = phase.triples.len();
    if shown < phase.count {
        let _ = write!(words, ", thinned out to {}", grouped(real(shown)));
    }
    if phase.zoom() > 1.0 {
        let _ = write!(words, "  ·  magnified {} times", grouped(phase.zoom()));
    }
    if phase.outside > 0 {
        let _ = write!(
            words,
            ", {} outside of this cube",
            grouped(real(phase.outside))
        );
    }
    if phase.triples.iter().all(|triple| *triple == [0; 3]) {
        words.push_str("  ·  every difference is 0");
    }
    words
}

fn legend(single: f64) -> Group {
    let (x, y) = (COLUMN - 158.0, HEIGHT - 18.0);
    let mut group = Group::new()
        .add(ink::text(
            "near",
            (x - 6.0, y + 5.0),
            13.0,
            MUTED,
            Anchor::End,
        ))
        .add(ink::text(
            "far",
            (x + 102.0, y + 5.0),
            13.0,
            MUTED,
            Anchor::Start,
        ));
    for step in 0..SHADES {
        let swatch = Rectangle::new()
            .set("x", x + 6.0 * f64::from(step))
            .set("y", y - 5.0)
            .set("width", 6.4)
            .set("height", 10)
            .set("fill", ink::shade(step));
        group = group.add(swatch);
    }
    for (at, times) in [(8.0, 1), (60.0, 10), (118.0, 100), (185.0, 1_000)] {
        let radius = tenth(single * weight(times));
        let dot = Circle::new()
            .set("cx", at)
            .set("cy", y)
            .set("r", radius)
            .set("fill", MUTED);
        let words = if times == 1_000 {
            "1,000 in one place".into()
        } else {
            times.to_string()
        };
        group = group.add(dot).add(ink::text(
            words,
            (at + radius + 6.0, y + 5.0),
            13.0,
            MUTED,
            Anchor::Start,
        ));
    }
    group.set("class", "legend")
}

/// The whole space, in which the magnified cube is a dot.
fn inset(phase: &Phase) -> Group {
    let frame = Frame {
        middle: (COLUMN - 58.0, 97.0),
        scale: 35.0,
    };
    let points = Points::of(phase, HALF, frame);
    let mut group = walls(frame).add(points.draw(1.6)).set("class", "inset");
    for (words, y) in [("the same in the", 20.0), ("whole space, ±2³¹", 36.0)] {
        group = group.add(ink::text(
            words,
            (frame.middle.0, y),
            13.0,
            MUTED,
            Anchor::Middle,
        ));
    }
    group
}
