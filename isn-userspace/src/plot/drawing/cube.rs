//! The phase space as a cube, seen from above and from the right.

use std::fmt::Write as _;

use svg::node::element::{Circle, Group, Polygon, Rectangle};

use super::{
    super::{
        phase::{AXES, FEWEST, Phase},
        projection::{HIGHEST, WALLS, WIDEST, project},
        scale::{HALF, grouped, real, signed},
    },
    COLUMN,
    ink::{self, Anchor, GRID, INK, MUTED, SHADES, tenth},
    points::{Points, RADIUS, weight},
};

/// Height of the panel; it is [`COLUMN`] wide.
pub const HEIGHT: f64 = 752.0;
/// Points beyond which shadows would only be grey walls.
const SHADOWS: usize = 2_500;

/// A place on the page for a cube.
#[derive(Clone, Copy)]
pub struct Frame {
    middle: (f64, f64),
    scale: f64,
}

impl Frame {
    /// Where (across, into the page, up), each from −1 to 1, is on the page.
    pub fn at(self, place: [f64; 3]) -> (f64, f64) {
        let seen = project(place);
        (
            self.middle.0 + seen.right * self.scale,
            self.middle.1 - seen.up * self.scale,
        )
    }
}

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
    let shadows = if phase.triples.len() <= SHADOWS {
        points.shadows()
    } else {
        Group::new()
    };
    let panel = panel
        .add(shadows)
        .add(axes(frame, phase.reach))
        .add(points.draw(RADIUS))
        .add(legend());
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

/// The place on a wall whose two other axes are at `first` and `second`.
fn on_wall((axis, end): (usize, f64), first: f64, second: f64) -> [f64; 3] {
    let mut place = [end; 3];
    place[(axis + 1) % 3] = first;
    place[(axis + 2) % 3] = second;
    place
}

fn walls(frame: Frame) -> Group {
    let mut group = Group::new();
    for wall in WALLS {
        let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
            .map(|(first, second)| frame.at(on_wall(wall, first, second)))
            .map(|(x, y)| format!("{},{}", tenth(x), tenth(y)));
        group = group.add(
            Polygon::new()
                .set("points", corners.join(" "))
                .set("fill", ink::WALL)
                .set("stroke", "#b8c2cc"),
        );
        for (at, color) in [(-0.5, GRID), (0.0, "#aab4bf"), (0.5, GRID)] {
            for ends in [[(at, -1.0), (at, 1.0)], [(-1.0, at), (1.0, at)]] {
                let [from, to] = ends.map(|(first, second)| frame.at(on_wall(wall, first, second)));
                group = group.add(ink::line(from, to, color, 1.0));
            }
        }
    }
    group
}

/// The edge of an axis that is nearest to the eye, which has its ticks.
fn edge(axis: usize, at: f64) -> [f64; 3] {
    match axis {
        0 => [at, -1.0, -1.0],
        1 => [-1.0, at, -1.0],
        _ => [-1.0, 1.0, at],
    }
}

fn axes(frame: Frame, reach: f64) -> Group {
    let mut group = Group::new();
    let outwards = [
        (Anchor::Start, (9.0, 20.0)),
        (Anchor::End, (-11.0, 19.0)),
        (Anchor::End, (-11.0, 3.0)),
    ];
    for (axis, (anchor, out)) in outwards.into_iter().enumerate() {
        group = group.add(ink::line(
            frame.at(edge(axis, -1.0)),
            frame.at(edge(axis, 1.0)),
            INK,
            1.3,
        ));
        // Two axes begin at one corner, and say there the same.
        for at in [-1.0, 0.0, 1.0].into_iter().skip(usize::from(axis == 1)) {
            let (x, y) = frame.at(edge(axis, at));
            group = group
                .add(ink::line(
                    (x, y),
                    (x + out.0 * 0.5, y + out.1 * 0.4),
                    INK,
                    1.3,
                ))
                .add(ink::text(
                    signed(at * reach),
                    (x + out.0, y + out.1),
                    13.0,
                    MUTED,
                    anchor,
                ));
        }
    }
    let names = [
        ((14.0, 46.0), Anchor::Start),
        ((-16.0, 50.0), Anchor::End),
        ((-58.0, -20.0), Anchor::Start),
    ];
    for (axis, ((x, y), anchor)) in names.into_iter().enumerate() {
        let place = frame.at(edge(axis, [0.45, 0.45, 1.0][axis]));
        group = group.add(ink::text(
            AXES[axis],
            (place.0 + x, place.1 + y),
            15.0,
            INK,
            anchor,
        ));
    }
    group
}

fn legend() -> Group {
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
        let radius = tenth(RADIUS * weight(times));
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
        middle: (COLUMN - 66.0, 112.0),
        scale: 44.0,
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
