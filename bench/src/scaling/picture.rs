//! Two pictures beside each other: what a packet costs by the number of active flows, and how many cores are of use.

use svg::{
    Document,
    node::element::{Circle, Group, Line, Polyline, Rectangle, Text},
};

use super::{CORES, EXPONENTS, Scaling};

/// Heights and widths, in pixels.
const HEIGHT: f64 = 420.0;
const WIDTH: f64 = 980.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 350.0;
/// Blue, orange, green and purple that are told apart in grey, too.
const ALIKE: &str = "#333333";
const COLOURS: [&str; EXPONENTS.len()] = ["#1f5f99", "#e8833a", "#9a4fb0"];

/// A frame with logarithmic axes.
struct Axes {
    left: f64,
    right: f64,
    x: (f64, f64),
    y: (f64, f64),
}

impl Axes {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let part = |value: f64, (from, to): (f64, f64)| (value / from).ln() / (to / from).ln();
        (
            self.left + part(x, self.x) * (self.right - self.left),
            BOTTOM - part(y, self.y) * (BOTTOM - TOP),
        )
    }

    /// Lines across, and what they stand for.
    fn grid(&self, x: &[(f64, String)], y: &[(f64, String)]) -> Group {
        let mut grid = Group::new();
        for (value, label) in x {
            let (at, _) = self.at(*value, self.y.0);
            grid = grid
                .add(stroke((at, TOP), (at, BOTTOM), "#e4e4e4", 1))
                .add(text((at, BOTTOM + 18.0), label, "middle"));
        }
        for (value, label) in y {
            let (_, at) = self.at(self.x.0, *value);
            grid = grid
                .add(stroke((self.left, at), (self.right, at), "#e4e4e4", 1))
                .add(text((self.left - 8.0, at + 4.0), label, "end"));
        }
        grid.add(stroke(
            (self.left, BOTTOM),
            (self.right, BOTTOM),
            "#000000",
            1,
        ))
        .add(stroke((self.left, TOP), (self.left, BOTTOM), "#000000", 1))
    }

    fn curve(&self, points: &[(f64, f64)], colour: &str) -> Polyline {
        let points = points.iter().map(|(x, y)| {
            let (x, y) = self.at(*x, *y);
            format!("{x:.1},{y:.1}")
        });
        Polyline::new()
            .set("points", points.collect::<Vec<_>>().join(" "))
            .set("fill", "none")
            .set("stroke", colour)
            .set("stroke-width", 2)
    }

    fn dot(&self, (x, y): (f64, f64), colour: &str, filled: bool) -> Circle {
        let (x, y) = self.at(x, y);
        Circle::new()
            .set("cx", x)
            .set("cy", y)
            .set("r", 4)
            .set("fill", if filled { colour } else { "#ffffff" })
            .set("stroke", colour)
            .set("stroke-width", 1.5)
    }
}

/// Draws both.
pub fn draw(scaling: &Scaling) -> String {
    Document::new()
        .set("viewBox", (0.0, 0.0, WIDTH, HEIGHT))
        .set("width", WIDTH)
        .set("font-family", "sans-serif")
        .set("font-size", 12)
        .add(
            Rectangle::new()
                .set("width", WIDTH)
                .set("height", HEIGHT)
                .set("fill", "#ffffff"),
        )
        .add(costs(scaling))
        .add(cores(scaling))
        .add(legend())
        .to_string()
}

fn costs(scaling: &Scaling) -> Group {
    let axes = Axes {
        left: 60.0,
        right: 520.0,
        x: (1e3, 1e8),
        y: (10.0, 1000.0),
    };
    let x = [
        "1,000",
        "10,000",
        "100,000",
        "1 million",
        "10 million",
        "100 million",
    ];
    let x = x
        .into_iter()
        .zip(3..)
        .map(|(label, power)| (10_f64.powi(power), label.into()));
    let y = [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0].map(|it| (it, format!("{it} ns")));
    let mut group = Group::new()
        .add(axes.grid(&x.collect::<Vec<_>>(), &y))
        .add(text(
            (60.0, 24.0),
            "processor time for a packet, by the number of active flows",
            "start",
        ))
        .add(text(
            (60.0, 40.0),
            "lines: computed; dots: measured (hollow: trains of 8)",
            "start",
        ));
    let exponents = [0.0].into_iter().chain(EXPONENTS);
    for (exponent, colour) in exponents.zip([ALIKE].into_iter().chain(COLOURS)) {
        let points = (0..=50).map(|step| {
            let flows = 10_f64.powf(3.0 + f64::from(step) / 10.0);
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between a thousand and a hundred million"
            )]
            let number = flows.round() as u64;
            (flows, scaling.curve.cost(number, exponent, 1.0))
        });
        group = group.add(axes.curve(&points.collect::<Vec<_>>(), colour));
    }
    let within = |it: &&(f64, f64)| it.0 >= axes.x.0;
    for (flows, cost) in scaling.curve.points().iter().filter(within) {
        group = group.add(axes.dot((*flows, *cost), ALIKE, true));
    }
    for (mix, cost) in &scaling.measured {
        let nth = EXPONENTS
            .iter()
            .position(|it| (it - mix.exponent).abs() < 1e-9);
        let colour = nth.map_or(ALIKE, |nth| COLOURS[nth]);
        group = group.add(axes.dot((mix.flows.into(), *cost), colour, mix.train <= 1.0));
    }
    group
}

fn cores(scaling: &Scaling) -> Group {
    let (first, last) = (f64::from(CORES[0]), f64::from(CORES[CORES.len() - 1]));
    let axes = Axes {
        left: 600.0,
        right: 950.0,
        x: (first, last),
        y: (1.0, last),
    };
    let x = CORES.map(|it| (f64::from(it), it.to_string()));
    let y = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0].map(|it| (it, it.to_string()));
    let mut group = Group::new()
        .add(axes.grid(&x, &y))
        .add(axes.curve(&[(first, first), (last, last)], "#bbbbbb"))
        .add(text(
            (600.0, 24.0),
            "cores that are of use, by the number of cores",
            "start",
        ))
        .add(text(
            (600.0, 40.0),
            "a million flows, spread by a hash; grey: all of them",
            "start",
        ));
    for (exponent, colour) in EXPONENTS.into_iter().zip(COLOURS) {
        let of_it = scaling
            .busy
            .iter()
            .filter(|it| (it.0 - exponent).abs() < 1e-9);
        let points: Vec<_> = of_it
            .map(|(_, cores, busy)| (f64::from(*cores), *busy))
            .collect();
        group = group.add(axes.curve(&points, colour));
        for point in points {
            group = group.add(axes.dot(point, colour, true));
        }
    }
    group
}

fn legend() -> Group {
    let mut legend = Group::new();
    let names = EXPONENTS.map(|it| format!("Zipf {it:.1}"));
    let names = ["all flows alike".to_owned()].into_iter().chain(names);
    for ((name, colour), nth) in names.zip([ALIKE].into_iter().chain(COLOURS)).zip(0..) {
        let x = 60.0 + 150.0 * f64::from(nth);
        legend = legend
            .add(stroke((x, 396.0), (x + 24.0, 396.0), colour, 3))
            .add(text((x + 32.0, 400.0), &name, "start"));
    }
    legend
}

fn stroke(from: (f64, f64), to: (f64, f64), colour: &str, width: u32) -> Line {
    Line::new()
        .set("x1", from.0)
        .set("y1", from.1)
        .set("x2", to.0)
        .set("y2", to.1)
        .set("stroke", colour)
        .set("stroke-width", width)
}

fn text(at: (f64, f64), what: &str, anchor: &str) -> Text {
    Text::new(what)
        .set("x", at.0)
        .set("y", at.1)
        .set("text-anchor", anchor)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{caches::Curve, mix::Mix},
        *,
    };

    #[test]
    fn every_measurement_has_a_dot_and_every_exponent_two_lines() {
        let mix = |train| Mix {
            flows: 1 << 16,
            exponent: 1.0,
            train,
        };
        let scaling = Scaling {
            curve: Curve::new(vec![(1e3, 25.0), (1e6, 250.0)]),
            measured: vec![(mix(1.0), 60.0), (mix(8.0), 30.0)],
            busy: vec![(0.8, 4, 3.9), (1.0, 4, 3.5), (1.2, 4, 2.5)],
        };
        let drawn = draw(&scaling);
        assert_eq!(drawn.matches("<circle").count(), 2 + 2 + 3);
        assert_eq!(drawn.matches("<polyline").count(), 4 + 3 + 1);
        assert_eq!(drawn.matches("fill=\"#ffffff\" r=").count(), 1, "{drawn}");
        assert!(drawn.contains("Zipf 1.2"));
    }
}
