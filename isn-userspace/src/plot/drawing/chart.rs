//! The numbers over time on two axes.

use std::fmt::Write as _;

use svg::node::element::{Circle, Group, Rectangle};

use super::{
    super::{
        course::{Course, Window},
        scale::{SPACE, decimal, grouped, multiples, real, step},
    },
    ink::{self, ALARM, Anchor, GRID, INK, MUTED, SAMPLE},
    samples::{arrow, drops, lines, marks},
};

/// Height of the panel; it is [`super::COLUMN`] wide.
pub const HEIGHT: f64 = 470.0;
const LEFT: f64 = 112.0;
const RIGHT: f64 = super::COLUMN - 24.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = HEIGHT - 84.0;

/// Where (right, up), each from 0 to 1, is on the page.
pub fn place(right: f64, up: f64) -> (f64, f64) {
    // Half a point's room, so that what lies at an end is not cut in two by the frame.
    (
        LEFT + 5.0 + right * (RIGHT - LEFT - 10.0),
        BOTTOM - up * (BOTTOM - TOP),
    )
}

/// The panel, its upper left corner at the origin.
pub fn draw(course: &Course) -> Group {
    let frame = Rectangle::new()
        .set("x", LEFT)
        .set("y", TOP)
        .set("width", RIGHT - LEFT)
        .set("height", BOTTOM - TOP)
        .set("fill", "none")
        .set("stroke", "#8a96a3");
    let panel = Group::new()
        .set("class", "course")
        .add(ink::text(
            "Initial sequence numbers over time",
            (0.0, 18.0),
            19.0,
            INK,
            Anchor::Start,
        ))
        .add(ink::text(
            caption(course),
            (0.0, 41.0),
            14.5,
            MUTED,
            Anchor::Start,
        ))
        .add(numbers(course))
        .add(times(course))
        .add(frame);
    if course.count == 0 {
        let (x, y) = place(0.5, 0.5);
        return panel.add(ink::text("no samples", (x, y), 17.0, INK, Anchor::Middle));
    }
    panel
        .add(lines(course))
        .add(drops(course))
        .add(marks(course))
        .add(legend(course))
}

fn caption(course: &Course) -> String {
    let mut words = match course.count {
        1 => "1 sample".into(),
        count => format!("{} samples", grouped(real(count))),
    };
    if course.marks.len() < course.count {
        let _ = write!(
            words,
            ", thinned out to {}",
            grouped(real(course.marks.len()))
        );
    }
    if course.window.zoom() > 1.0 {
        let _ = write!(
            words,
            "  ·  magnified {} times",
            grouped(course.window.zoom())
        );
    }
    words
}

/// Numbers and where they stand, from 0 to 1. Round ones, also beyond the place where they begin anew.
fn rounds(window: Window) -> Vec<(f64, String)> {
    if window.height >= SPACE {
        let quarters = ["0", "2³⁰", "2³¹", "3·2³⁰", "2³²"].into_iter().zip(0..);
        return quarters
            .map(|(name, n)| (0.25 * f64::from(n), name.into()))
            .collect();
    }
    let (low, step) = (f64::from(window.low), step(window.height, 6.0));
    let high = low + window.height;
    let below = multiples(step, low, high.min(SPACE - 1.0))
        .filter(|number| high < SPACE || SPACE - number > step / 2.0);
    let above = multiples(step, 0.0, high - SPACE).map(|number| number + SPACE);
    below
        .chain(above)
        .map(|number| ((number - low) / window.height, grouped(number % SPACE)))
        .collect()
}

fn numbers(course: &Course) -> Group {
    let mut group = Group::new();
    for (up, name) in rounds(course.window) {
        let y = place(0.0, up).1;
        group = group
            .add(ink::line((LEFT, y), (RIGHT, y), GRID, 1.0))
            .add(ink::text(
                name,
                (LEFT - 9.0, y + 4.5),
                13.0,
                MUTED,
                Anchor::End,
            ));
    }
    group
}

fn times(course: &Course) -> Group {
    let ticks: Vec<(f64, String)> = if course.span > 0.0 {
        let step = step(course.span, 8.0);
        multiples(step, 0.0, course.span)
            .map(|time| (time / course.span, decimal(time, step)))
            .collect()
    } else {
        vec![(0.5, "0".into())]
    };
    let mut group = Group::new();
    for (right, name) in ticks {
        let x = place(right, 0.0).0;
        group = group
            .add(ink::line((x, TOP), (x, BOTTOM), GRID, 1.0))
            .add(ink::text(
                name,
                (x, BOTTOM + 19.0),
                13.0,
                MUTED,
                Anchor::Middle,
            ));
    }
    let name = format!("{} since the first sample", course.unit.name);
    group.add(ink::text(
        name,
        (f64::midpoint(LEFT, RIGHT), BOTTOM + 42.0),
        15.0,
        INK,
        Anchor::Middle,
    ))
}

fn legend(course: &Course) -> Group {
    let y = HEIGHT - 16.0;
    let good = Circle::new()
        .set("cx", LEFT + 6.0)
        .set("cy", y - 5.0)
        .set("r", 3.2)
        .set("fill", SAMPLE);
    let group = Group::new().add(good).add(ink::text(
        "a connection's first number",
        (LEFT + 17.0, y),
        13.5,
        MUTED,
        Anchor::Start,
    ));
    if course.regressions == 0 {
        return group;
    }
    let words = match course.regressions {
        1 => "1 regression: not above what the last connection had sent".into(),
        count => format!(
            "{} regressions: not above what the last connection had sent",
            grouped(real(count))
        ),
    };
    group
        .add(arrow((LEFT + 216.0, y), 1.0).set("fill", ALARM))
        .add(ink::text(
            words,
            (LEFT + 227.0, y),
            13.5,
            ALARM,
            Anchor::Start,
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_before_and_after_the_numbers_begin_anew() {
        let names = |low, height| {
            rounds(Window { low, height })
                .into_iter()
                .map(|(_, name)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(3_990_000_000, 800_000_000.0),
            ["4,000,000,000", "0", "200,000,000", "400,000,000"]
        );
        assert_eq!(
            names(900, 250.0),
            ["900", "950", "1,000", "1,050", "1,100", "1,150"]
        );
        assert_eq!(names(0, SPACE).len(), 5);
        let window = Window {
            low: u32::MAX - 99,
            height: 200.0,
        };
        assert!(
            rounds(window)
                .iter()
                .all(|(up, _)| (0.0..=1.0).contains(up))
        );
    }
}
