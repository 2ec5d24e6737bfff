//! The ratios as a picture: a bar for each figure that has one, with the gate and the goal of its target.

use svg::{
    Document,
    node::element::{Group, Line, Rectangle, Text, Title},
};

use crate::{
    figure::Figure,
    targets::{Target, Verdict},
};

/// Widths and heights, in pixels.
const ROW: f64 = 22.0;
const LABELS: f64 = 510.0;
const BARS: f64 = 420.0;
const NUMBERS: f64 = 60.0;
const MARGIN: f64 = 12.0;
const HEADER: f64 = 34.0;
/// A ratio beyond this is cut off, and its number says so.
const MOST: f64 = 3.5;

/// Draws all figures that have a ratio.
pub fn ratios(figures: &[Figure]) -> String {
    let shown: Vec<_> = figures
        .iter()
        .filter_map(|figure| figure.ratio.map(|ratio| (figure, ratio)))
        .collect();
    let width = LABELS + BARS + NUMBERS + 2.0 * MARGIN;
    let height = HEADER + ROW * as_f64(shown.len()) + 2.0 * MARGIN;
    let mut document = Document::new()
        .set("viewBox", (0.0, 0.0, width, height))
        .set("width", width)
        .set("font-family", "sans-serif")
        .set("font-size", 12)
        .add(
            Rectangle::new()
                .set("width", width)
                .set("height", height)
                .set("fill", "#ffffff"),
        )
        .add(
            Text::new("ratio to what it is set against; the lines are gate (grey) and goal (black) of its target")
                .set("x", MARGIN)
                .set("y", MARGIN + 12.0),
        );
    for (number, (figure, ratio)) in shown.into_iter().enumerate() {
        document = document.add(row(figure, ratio, HEADER + MARGIN + ROW * as_f64(number)));
    }
    document.to_string()
}

fn row(figure: &Figure, ratio: f64, top: f64) -> Group {
    let middle = top + ROW * 0.65;
    let label = format!("{} ÷ {}", figure.what, figure.against.unwrap_or_default());
    let mut row = Group::new()
        .add(
            Text::new(label.clone())
                .set("x", LABELS)
                .set("y", middle)
                .set("text-anchor", "end"),
        )
        .add(
            Rectangle::new()
                .set("x", LABELS + MARGIN)
                .set("y", top + 3.0)
                .set("width", at(ratio))
                .set("height", ROW - 6.0)
                .set("fill", colour(figure.verdict()))
                .add(Title::new(format!("{label}: {ratio:.2}"))),
        )
        .add(
            Text::new(format!("{ratio:.2}"))
                .set("x", LABELS + BARS + 2.0 * MARGIN)
                .set("y", middle),
        );
    if let Some(target) = figure.target.map(Target::named) {
        for (bound, stroke) in [(target.gate, "#888888"), (target.goal, "#000000")] {
            let x = LABELS + MARGIN + at(bound);
            row = row.add(
                Line::new()
                    .set("x1", x)
                    .set("x2", x)
                    .set("y1", top + 1.0)
                    .set("y2", top + ROW - 1.0)
                    .set("stroke", stroke)
                    .set("stroke-width", 2),
            );
        }
    }
    row
}

fn at(ratio: f64) -> f64 {
    ratio.clamp(0.0, MOST) / MOST * BARS
}

/// Blue, orange and grey are told apart by every eye.
const fn colour(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Goal) => "#1f77b4",
        Some(Verdict::Gate) => "#7fb3d8",
        Some(Verdict::Missed) => "#e8833a",
        None => "#bbbbbb",
    }
}

#[allow(clippy::cast_precision_loss, reason = "there are few figures")]
const fn as_f64(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Unit;

    #[test]
    fn every_ratio_has_a_bar_as_long_as_it_is_and_what_has_none_is_left_out() {
        let figure = |what: &str| Figure::new("id", what, 10.0, Unit::NanosecondsAPacket);
        let figures = [
            figure("half").over(MOST / 2.0, "floor").must(Some("P1")),
            figure("too much").over(MOST * 2.0, "floor"),
            figure("alone"),
        ];
        let drawn = ratios(&figures);
        assert!(drawn.contains("half ÷ floor") && !drawn.contains("alone"));
        assert!(
            drawn.contains(&format!("width=\"{}\"", BARS / 2.0)),
            "{drawn}"
        );
        assert!(drawn.contains(&format!("width=\"{BARS}\"")), "{drawn}");
        assert_eq!(drawn.matches("stroke-width").count(), 2);
    }
}
