//! The points of a cube, with their depth, their weight and their shadows.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use svg::node::element::{Circle, Group, Path, Title};

use super::{
    super::{
        phase::Phase,
        projection::{WALLS, project},
        scale::{grouped, real, signed},
    },
    frame::Frame,
    ink::{self, SHADES, tenth},
};

/// The radius of a single point in the middle of the cube, larger where there are only a few.
pub const fn radius(points: usize) -> f64 {
    match points {
        0..=60 => 4.4,
        61..=300 => 3.2,
        _ => 2.4,
    }
}

/// All that fall on one half unit of the page.
struct Spot {
    at: (i64, i64),
    place: [f64; 3],
    depth: f64,
    times: usize,
}

/// The points that lie in a cube of the half edge `reach`.
pub struct Points {
    frame: Frame,
    reach: f64,
    /// From the farthest to the nearest.
    spots: Vec<Spot>,
}

impl Points {
    /// Those of `phase` in a cube of the half edge `reach`, drawn in `frame`.
    pub fn of(phase: &Phase, reach: f64, frame: Frame) -> Self {
        let mut spots: HashMap<(i64, i64), Spot> = HashMap::new();
        for place in phase.within(reach) {
            let (x, y) = frame.at(place);
            #[expect(clippy::cast_possible_truncation, reason = "on the page")]
            let at = ((x * 2.0) as i64, (y * 2.0) as i64);
            let depth = project(place).depth;
            spots
                .entry(at)
                .or_insert(Spot {
                    at,
                    place,
                    depth,
                    times: 0,
                })
                .times += 1;
        }
        let mut spots: Vec<_> = spots.into_values().collect();
        spots.sort_by(|a, b| b.depth.total_cmp(&a.depth).then(a.at.cmp(&b.at)));
        Self {
            frame,
            reach,
            spots,
        }
    }

    /// The colours go from the nearest point to the farthest: a small heap has its own near and far.
    pub fn draw(&self, radius: f64) -> Group {
        let far = self.spots.first().map_or(1.0, |spot| spot.depth);
        let near = self.spots.last().map_or(0.0, |spot| spot.depth);
        let mut group = Group::new()
            .set("class", "points")
            .set("fill-opacity", 0.75);
        for spot in &self.spots {
            let depth = (spot.depth - near) / (far - near).max(0.05);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0 to 16"
            )]
            let shade = ink::shade((depth * f64::from(SHADES)) as u8);
            let radius = radius * (1.35 - 0.7 * spot.depth) * weight(spot.times);
            group = group.add(self.circle(spot, radius).set("fill", shade));
        }
        group
    }

    fn circle(&self, spot: &Spot, radius: f64) -> Circle {
        let (x, y) = self.frame.at(spot.place);
        let circle = Circle::new()
            .set("cx", tenth(x))
            .set("cy", tenth(y))
            .set("r", tenth(radius));
        if spot.times == 1 {
            return circle;
        }
        let differences = spot.place.map(|part| signed(part * self.reach)).join(", ");
        circle.add(Title::new(format!(
            "{} times about ({differences})",
            grouped(real(spot.times))
        )))
    }

    /// What the points throw on the walls: one path for each width.
    pub fn shadows(&self) -> Group {
        let mut paths: BTreeMap<usize, String> = BTreeMap::new();
        for spot in &self.spots {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a few units"
            )]
            let path = paths
                .entry((weight(spot.times) * 2.0).round() as usize)
                .or_default();
            for (axis, end) in WALLS {
                let mut thrown = spot.place;
                thrown[axis] = end;
                let (x, y) = self.frame.at(thrown);
                let _ = write!(path, "M{} {}h0", tenth(x), tenth(y));
            }
        }
        let mut group = Group::new()
            .set("stroke", ink::SHADOW)
            .set("stroke-linecap", "round")
            .set("fill", "none");
        for (width, data) in paths {
            let path = Path::new()
                .set("d", data)
                .set("stroke-width", tenth(1.2 * real(width)));
            group = group.add(path);
        }
        group.set("class", "shadows")
    }
}

/// How much larger a point is for so many in one place.
pub fn weight(times: usize) -> f64 {
    1.0 + 1.1 * real(times).log10()
}
