//! Colours and lettering. The colours are apart for people who do not see red or green too, and dark enough for white paper;
//! the alarming one comes with a shape of its own.

use svg::node::element::{Group, Line, Rectangle, Text};

use super::super::scale::real;
use crate::grading::Grade;

/// Text and frames.
pub const INK: &str = "#1f2933";
/// What explains.
pub const MUTED: &str = "#52606d";
/// What leads the eye.
pub const GRID: &str = "#d9dfe5";
/// The walls of the cube.
pub const WALL: &str = "#f6f8fa";
/// What the points throw on the walls.
pub const SHADOW: &str = "#cbd5df";
/// A sample, from Okabe and Ito's palette.
pub const SAMPLE: &str = "#0072b2";
/// A regression, from the same.
pub const ALARM: &str = "#d55e00";

/// From the nearest depth to the farthest: viridis, but for its yellow end, which is not seen on white.
const DEPTHS: [(u8, u8, u8); 6] = [
    (0x44, 0x01, 0x54),
    (0x41, 0x44, 0x87),
    (0x2a, 0x78, 0x8e),
    (0x22, 0xa8, 0x84),
    (0x6c, 0xc6, 0x5c),
    (0xa5, 0xd3, 0x3a),
];

/// How many colours the depth is told in.
pub const SHADES: u8 = 16;

/// The colour of a depth from 0, near, to [`SHADES`] − 1, far.
pub fn shade(step: u8) -> String {
    let position = f64::from(step.min(SHADES - 1)) / f64::from(SHADES - 1) * 4.999;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 4"
    )]
    let below = position as usize;
    let mix =
        |from: u8, to: u8| f64::from(from) + (f64::from(to) - f64::from(from)) * position.fract();
    let (from, to) = (DEPTHS[below], DEPTHS[below + 1]);
    format!(
        "rgb({:.0},{:.0},{:.0})",
        mix(from.0, to.0),
        mix(from.1, to.1),
        mix(from.2, to.2)
    )
}

/// The colour of a school mark, from good to alarming.
pub const fn of_grade(grade: Grade) -> &'static str {
    match grade {
        Grade::A | Grade::B => SAMPLE,
        Grade::C | Grade::D => "#a86a00",
        Grade::E | Grade::F => ALARM,
        Grade::Unknown => MUTED,
    }
}

/// A length of the page, with a tenth of its unit.
pub fn tenth(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

/// Where a text lies about its place.
#[derive(Clone, Copy)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// It is centred.
    Middle,
    /// It ends there.
    End,
}

/// A line of text of so many units height.
pub fn text(
    words: impl Into<String>,
    (x, y): (f64, f64),
    size: f64,
    color: &str,
    anchor: Anchor,
) -> Text {
    let anchor = match anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    // What XML 1.0 has no way to write would make the whole picture unreadable.
    let words: String = words
        .into()
        .chars()
        .filter(|letter| !letter.is_control())
        .collect();
    Text::new(words)
        .set("x", tenth(x))
        .set("y", tenth(y))
        .set("font-size", size)
        .set("fill", color)
        // The embedded letters are thin.
        .set("stroke", color)
        .set("stroke-width", tenth(size / 40.0))
        .set("text-anchor", anchor)
}

/// The size at which so many letters fit into a width, but no more than `most`.
pub fn fitting(words: &str, width: f64, most: f64) -> f64 {
    // An average letter is less than half of its height wide.
    tenth((width * 2.0 / real(words.chars().count().max(1))).min(most))
}

/// Words in so many lines of at most so many letters; what is more is left out.
pub fn wrapped(words: &str, letters: usize, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= letters => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        lines
            .iter_mut()
            .skip(most - 1)
            .for_each(|line| line.push('…'));
    }
    lines
}

/// A straight line.
pub fn line(from: (f64, f64), to: (f64, f64), color: &str, width: f64) -> Line {
    Line::new()
        .set("x1", tenth(from.0))
        .set("y1", tenth(from.1))
        .set("x2", tenth(to.0))
        .set("y2", tenth(to.1))
        .set("stroke", color)
        .set("stroke-width", width)
}

/// A school mark on a field of its colour, 40 units wide.
pub fn badge(grade: Grade, (x, y): (f64, f64)) -> Group {
    let field = Rectangle::new()
        .set("x", x)
        .set("y", y)
        .set("width", 44)
        .set("height", 44)
        .set("rx", 7)
        .set("fill", of_grade(grade));
    Group::new().add(field).add(text(
        grade.name(),
        (x + 22.0, y + 32.0),
        28.0,
        "#fff",
        Anchor::Middle,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_and_what_is_too_much_is_seen_to_be_missing() {
        assert_eq!(wrapped("a clock of 250,000", 40, 2), ["a clock of 250,000"]);
        assert_eq!(wrapped("one two three", 7, 2), ["one two", "three"]);
        assert_eq!(wrapped("one two three four", 7, 2), ["one two", "three…"]);
        assert_eq!(wrapped("", 7, 2), [""]);
    }

    #[test]
    fn a_long_title_is_smaller() {
        assert!((fitting("10.0.0.1", 700.0, 33.0) - 33.0).abs() < 1e-9);
        assert!(fitting(&"x".repeat(200), 700.0, 33.0) < 8.0);
    }

    #[test]
    fn near_and_far_are_apart_and_no_shade_is_lost_on_white() {
        assert_eq!(shade(0), "rgb(68,1,84)");
        assert_eq!(shade(SHADES - 1), shade(u8::MAX));
        assert_ne!(shade(0), shade(SHADES - 1));
    }
}
