//! The empty cube: its walls, its axes and where a place in it is on the page.

use svg::node::element::{Group, Polygon};

use super::{
    super::{
        phase::AXES,
        projection::{WALLS, project},
        scale::signed,
    },
    ink::{self, Anchor, GRID, INK, MUTED, tenth},
};

/// A place on the page for a cube.
#[derive(Clone, Copy)]
pub struct Frame {
    /// The middle of the cube as it is seen.
    pub middle: (f64, f64),
    /// Units of the page for half an edge.
    pub scale: f64,
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

/// The place on a wall whose two other axes are at `first` and `second`.
fn on_wall((axis, end): (usize, f64), first: f64, second: f64) -> [f64; 3] {
    let mut place = [end; 3];
    place[(axis + 1) % 3] = first;
    place[(axis + 2) % 3] = second;
    place
}

/// The three walls behind the points, with lines at the quarters.
pub fn walls(frame: Frame) -> Group {
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

/// Three axes from minus `reach` to plus `reach`.
pub fn axes(frame: Frame, reach: f64) -> Group {
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
