//! The numbers over time on two axes.

use std::fmt::Write as _;

use svg::node::element::{Circle, Group, Path, Rectangle};

use super::{
    super::{
        course::{Course, Mark},
        scale::{SPACE, decimal, grouped, multiples, real, step},
    },
    ink::{self, ALARM, Anchor, GRID, INK, MUTED, SAMPLE, tenth},
};

/// Height of the panel; it is [`super::COLUMN`] wide.
pub const HEIGHT: f64 = 470.0;
const LEFT: f64 = 112.0;
const RIGHT: f64 = super::COLUMN - 24.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = HEIGHT - 84.0;

fn place(right: f64, up: f64) -> (f64, f64) {
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

fn numbers(course: &Course) -> Group {
    let whole = course.window.height >= SPACE;
    let low = f64::from(course.window.low);
    let ticks: Vec<(f64, String)> = if whole {
        ["0", "2³⁰", "2³¹", "3·2³⁰", "2³²"]
            .into_iter()
            .zip(0..5)
            .map(|(name, n)| (0.25 * f64::from(n), name.into()))
            .collect()
    } else {
        let height = course.window.height;
        multiples(step(height, 6.0), low, low + height)
            .map(|number| ((number - low) / height, grouped(number % SPACE)))
            .collect()
    };
    let mut group = Group::new();
    for (up, name) in ticks {
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

fn lines(course: &Course) -> Path {
    let mut data = String::new();
    for line in &course.lines {
        for (index, (right, up)) in line.iter().enumerate() {
            let (x, y) = place(*right, *up);
            let _ = write!(
                data,
                "{}{} {}",
                if index == 0 { 'M' } else { 'L' },
                tenth(x),
                tenth(y)
            );
        }
    }
    if data.is_empty() {
        data.push_str("M0 0");
    }
    Path::new()
        .set("d", data)
        .set("fill", "none")
        .set("stroke", SAMPLE)
        .set("stroke-width", 1.2)
        .set("stroke-opacity", 0.45)
}

fn regressions(course: &Course) -> impl Iterator<Item = (&Mark, f64)> {
    course
        .marks
        .iter()
        .filter_map(|mark| mark.fallen_from.map(|from| (mark, from)))
}

fn drops(course: &Course) -> Group {
    let opacity = (60.0 / real(regressions(course).count().max(1))).clamp(0.12, 0.8);
    let mut group = Group::new()
        .set("class", "drops")
        .set("stroke-opacity", tenth(opacity));
    for (mark, from) in regressions(course) {
        group = group.add(ink::line(
            place(mark.right, from),
            place(mark.right, mark.up),
            ALARM,
            1.2,
        ));
    }
    group
}

/// Good ones first, so that no regression is covered.
fn marks(course: &Course) -> Group {
    let radius = if course.count > 1_500 { 1.5 } else { 2.4 };
    let mut good = Group::new()
        .set("class", "good")
        .set("fill", SAMPLE)
        .set("fill-opacity", 0.6);
    for mark in course
        .marks
        .iter()
        .filter(|mark| mark.fallen_from.is_none())
    {
        let (x, y) = place(mark.right, mark.up);
        good = good.add(
            Circle::new()
                .set("cx", tenth(x))
                .set("cy", tenth(y))
                .set("r", radius),
        );
    }
    let mut bad = Group::new().set("class", "bad").set("fill", ALARM);
    for (mark, _) in regressions(course) {
        bad = bad.add(arrow(place(mark.right, mark.up)));
    }
    Group::new().add(good).add(bad)
}

/// A triangle that points down to its place.
fn arrow((x, y): (f64, f64)) -> Path {
    Path::new().set("d", format!("M{} {}l-4.6 -8.4h9.2z", tenth(x), tenth(y)))
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
        .add(arrow((LEFT + 216.0, y)).set("fill", ALARM))
        .add(ink::text(
            words,
            (LEFT + 227.0, y),
            13.5,
            ALARM,
            Anchor::Start,
        ))
}
