//! The samples of a chart: lines, points, and arrows for those that fell.

use std::fmt::Write as _;

use svg::node::element::{Circle, Group, Path};

use super::{
    super::{
        course::{Course, Mark},
        scale::real,
    },
    chart::place,
    ink::{self, ALARM, SAMPLE, tenth},
};

/// The lines through successive samples.
pub fn lines(course: &Course) -> Path {
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

/// From where the connection before had ended down to each regression.
pub fn drops(course: &Course) -> Group {
    let opacity = (80.0 / real(regressions(course).count().max(1))).clamp(0.2, 0.9);
    let mut group = Group::new()
        .set("class", "drops")
        .set("stroke-opacity", tenth(opacity));
    for (mark, from) in regressions(course) {
        group = group.add(ink::line(
            place(mark.right, from),
            place(mark.right, mark.up),
            ALARM,
            1.5,
        ));
    }
    group
}

/// Good ones first, so that no regression is covered.
pub fn marks(course: &Course) -> Group {
    let radius = match course.count {
        0..=60 => 3.6,
        61..=1_500 => 2.4,
        _ => 1.5,
    };
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
    let size = if regressions(course).count() > 120 {
        0.65
    } else {
        1.0
    };
    let mut bad = Group::new().set("class", "bad").set("fill", ALARM);
    for (mark, _) in regressions(course) {
        bad = bad.add(arrow(place(mark.right, mark.up), size));
    }
    Group::new().add(good).add(bad)
}

/// A triangle that points down to its place, 9 units wide times `size`.
pub fn arrow((x, y): (f64, f64), size: f64) -> Path {
    let [half, height, width] = [4.6, 8.4, 9.2].map(|length| tenth(length * size));
    let (x, y) = (tenth(x), tenth(y));
    Path::new().set("d", format!("M{x} {y}l-{half} -{height}h{width}z"))
}
