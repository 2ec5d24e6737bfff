//! The picture as SVG: a column for the host's own numbers and, if asked for, one for what isnguard makes of them.

mod chart;
mod cube;
mod frame;
mod ink;
mod points;
mod samples;

use svg::{
    Document,
    node::element::{Group, Rectangle, Title},
};

use self::ink::{Anchor, INK, MUTED};
use super::{
    course::Course,
    phase::Phase,
    scale::{grouped, real},
};
use crate::grading::{Assessment, Sample};

/// Width of a column, in the units of the page.
const COLUMN: f64 = 740.0;
const MARGIN: f64 = 36.0;
const BETWEEN: f64 = 56.0;
/// Where the panels begin, below the titles.
const BELOW_TITLES: f64 = 212.0;
/// Letters in a line that explains.
const LETTERS: usize = 92;
/// Points beyond which a panel is thinned out.
pub const MOST: usize = 4_000;

/// The families that a reader of SVG may have; a PNG has the first of them in any case.
pub const FAMILY: &str = "Ubuntu Light";

/// One host's numbers at one side of isnguard.
pub struct Side<'a> {
    /// In order of time.
    pub samples: &'a [Sample],
    /// What grading says of them.
    pub assessment: &'a Assessment,
}

/// The whole picture.
pub fn draw(title: &str, before: &Side<'_>, after: Option<&Side<'_>>) -> Document {
    let columns = if after.is_some() { 2.0 } else { 1.0 };
    let width = 2.0 * MARGIN + COLUMN * columns + BETWEEN * (columns - 1.0);
    let height = BELOW_TITLES + cube::HEIGHT + chart::HEIGHT + 2.0 * MARGIN;
    let paper = Rectangle::new()
        .set("width", "100%")
        .set("height", "100%")
        .set("fill", "#fff");
    let name: String = title
        .chars()
        .filter(|letter| !letter.is_control())
        .collect();
    let mut document = Document::new()
        .set("viewBox", (0.0, 0.0, width, height))
        .set("width", width)
        .set("height", height)
        .set(
            "font-family",
            format!("'{FAMILY}', Ubuntu, 'Helvetica Neue', Arial, sans-serif"),
        )
        .add(Title::new(name))
        .add(paper)
        .add(ink::text(
            title,
            (MARGIN, 62.0),
            ink::fitting(title, width - 2.0 * MARGIN, 33.0),
            INK,
            Anchor::Start,
        ));
    let heading = if after.is_some() {
        "Before: as the host chooses them"
    } else {
        "As the host chooses them"
    };
    document = document.add(column(heading, before, MARGIN));
    if let Some(after) = after {
        document = document.add(column(
            "After: as isnguard shows them to the peers",
            after,
            MARGIN + COLUMN + BETWEEN,
        ));
    }
    document
}

fn column(heading: &str, side: &Side<'_>, left: f64) -> Group {
    let assessment = side.assessment;
    let count = match assessment.samples {
        1 => "1 sample".into(),
        count => format!("{} samples", grouped(real(count))),
    };
    let verdict = format!(
        "{count}  ·  {}  ·  grade {}",
        assessment.class, assessment.grade
    );
    let mut head = Group::new()
        .add(ink::badge(assessment.grade, (0.0, 92.0)))
        .add(ink::text(heading, (58.0, 109.0), 21.0, INK, Anchor::Start))
        .add(ink::text(verdict, (58.0, 133.0), 16.0, INK, Anchor::Start));
    for (row, words) in ink::wrapped(&assessment.detail, LETTERS, 2)
        .into_iter()
        .enumerate()
    {
        let place = (58.0, 155.0 + 19.0 * real(row));
        head = head.add(ink::text(words, place, 15.0, MUTED, Anchor::Start));
    }
    let chart = chart::draw(&Course::of(side.samples, assessment.class, MOST));
    Group::new()
        .set("transform", format!("translate({left} 0)"))
        .add(head)
        .add(
            cube::draw(&Phase::of(side.samples, MOST))
                .set("transform", format!("translate(0 {BELOW_TITLES})")),
        )
        .add(chart.set(
            "transform",
            format!("translate(0 {})", BELOW_TITLES + cube::HEIGHT + MARGIN),
        ))
}
