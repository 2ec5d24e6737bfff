//! The phase space in Braille.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Color,
    symbols::Marker,
    text,
    widgets::{
        Widget as _,
        canvas::{Canvas, Context, Line, Points},
    },
};

use super::{
    super::{
        phase::{FEWEST, Phase},
        projection::{HIGHEST, WIDEST, project},
        scale::grouped,
    },
    ALARM, DOTS, FRAME, put, rows,
};

/// As many dots or less are drawn large.
const FEW: usize = 40;

/// The panel with its three rows: name, cube, what the axes are.
pub fn draw(phase: &Phase, area: Rect, buffer: &mut Buffer) {
    let [head, middle, foot] = rows(area);
    let reach = if phase.zoom() > 1.0 {
        format!("±{}", grouped(phase.reach))
    } else {
        "±2³¹".into()
    };
    let words = [
        format!("Phase space, x y z {reach}"),
        format!("Phase {reach}"),
        reach,
    ];
    put(&words, head, Color::Reset, buffer);
    if phase.count == 0 {
        let words = [
            format!("too few samples: {FEWEST} make a point"),
            "too few".into(),
        ];
        put(&words, foot, ALARM, buffer);
    } else {
        let names = "x s[n]−s[n−1]  y s[n−1]−s[n−2]  z s[n−2]−s[n−3]".into();
        put(
            &[names, "successive differences".into(), "differences".into()],
            foot,
            FRAME,
            buffer,
        );
    }
    let (dots, lines) = (
        f64::from(middle.width) * 2.0,
        f64::from(middle.height) * 4.0,
    );
    let scale = (dots / (2.0 * WIDEST))
        .min(lines / (2.0 * HIGHEST))
        .max(1.0);
    let (aside, above) = (dots / 2.0 / scale, lines / 2.0 / scale);
    let points: Vec<(f64, f64)> = phase.within(phase.reach).map(at).collect();
    let heaps = heaps(&points, scale);
    Canvas::default()
        .marker(Marker::Braille)
        .x_bounds([-aside, aside])
        .y_bounds([-above, above])
        .paint(|context| {
            axes(context);
            context.layer();
            context.draw(&Points::new(&points, DOTS));
            for (x, y) in &heaps {
                context.print(*x, *y, text::Line::styled("●", DOTS));
            }
        })
        .render(middle, buffer);
}

fn at(place: [f64; 3]) -> (f64, f64) {
    let seen = project(place);
    (seen.right, seen.up)
}

/// Where the points lie if those are only a few dots, which nobody would see.
fn heaps(points: &[(f64, f64)], scale: f64) -> Vec<(f64, f64)> {
    #[expect(clippy::cast_possible_truncation, reason = "within the terminal")]
    let dot = |(x, y): &(f64, f64)| ((x * scale).round() as i32, (y * scale).round() as i32);
    let mut places: Vec<_> = points.iter().map(dot).collect();
    places.sort_unstable();
    places.dedup();
    if places.len() > FEW {
        return Vec::new();
    }
    places
        .into_iter()
        .map(|(x, y)| (f64::from(x) / scale, f64::from(y) / scale))
        .collect()
}

/// The three edges that meet in the corner at the left, the lowest and the right, and the axes' names at their ends.
fn axes(context: &mut Context<'_>) {
    let edges = [
        ([1.0, -1.0, -1.0], "x"),
        ([-1.0, 1.0, -1.0], "y"),
        ([-1.0, 1.0, 1.0], "z"),
    ];
    let begins = [[-1.0; 3], [-1.0; 3], [-1.0, 1.0, -1.0]];
    for ((end, name), begin) in edges.into_iter().zip(begins) {
        let ((x1, y1), (x2, y2)) = (at(begin), at(end));
        context.draw(&Line {
            x1,
            y1,
            x2,
            y2,
            color: FRAME,
        });
        context.print(x2, y2, name);
    }
}
