//! The numbers over time in Braille.

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    style::Color,
    symbols::Marker,
    text,
    widgets::{
        Widget as _,
        canvas::{Canvas, Line, Points},
    },
};

use super::{
    super::{
        course::{Course, Mark},
        scale::{SPACE, decimal, grouped, real},
    },
    ALARM, DOTS, FRAME, put, rows,
};

/// The panel: name, chart, the time it takes; with room enough, the numbers at its left.
pub fn draw(course: &Course, area: Rect, buffer: &mut Buffer) {
    let window = course.window;
    let low = f64::from(window.low);
    let ends = [low + window.height, low].map(|number| match number {
        whole if whole >= SPACE && window.height >= SPACE => "2³²".to_owned(),
        number => grouped(number % SPACE),
    });
    let widest = ends
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    let gutter = u16::try_from(widest)
        .ok()
        .filter(|widest| area.width >= widest * 3)
        .map_or(0, |widest| widest + 1);
    let [names, picture] =
        Layout::horizontal([Constraint::Length(gutter), Constraint::Fill(1)]).areas(area);
    let ([head, middle, foot], [_, names, _]) = (rows(picture), rows(names));
    let [top, bottom] = ends.clone().map(|name| format!("{name:>widest$}"));
    put(
        &heads(course, gutter > 0, &ends),
        head,
        if course.regressions > 0 {
            ALARM
        } else {
            Color::Reset
        },
        buffer,
    );
    put(
        &[top],
        Rect {
            height: names.height.min(1),
            ..names
        },
        FRAME,
        buffer,
    );
    if let Some(last) = names.rows().next_back().filter(|last| last.y > names.y) {
        put(&[bottom], last, FRAME, buffer);
    }
    put(&feet(course), foot, FRAME, buffer);
    chart(course, middle, buffer);
}

fn heads(course: &Course, gutter: bool, [top, bottom]: &[String; 2]) -> Vec<String> {
    let ends = if gutter {
        String::new()
    } else {
        format!(", {bottom} to {top}")
    };
    let mut words = vec![
        format!("Number over time{ends}"),
        "Number over time".into(),
        "Over time".into(),
    ];
    if course.regressions > 0 {
        let fallen = grouped(real(course.regressions));
        let plural = if course.regressions == 1 { "" } else { "s" };
        words.push(format!("▼ {fallen}"));
        words.insert(
            0,
            format!("Number over time{ends}, ▼ {fallen} regression{plural}"),
        );
        words.insert(1, format!("▼ {fallen} regression{plural}"));
    }
    words
}

fn feet(course: &Course) -> [String; 3] {
    let span = decimal(course.span, course.span / 20.0 + 1e-9);
    let (unit, count) = (course.unit.name, grouped(real(course.count)));
    [
        format!("0 to {span} {unit}, {count} samples"),
        format!("{span} {unit}"),
        format!("{span} {}", &unit[..3]),
    ]
}

fn chart(course: &Course, area: Rect, buffer: &mut Buffer) {
    let (bad, good): (Vec<&Mark>, Vec<&Mark>) = course
        .marks
        .iter()
        .partition(|mark| mark.fallen_from.is_some());
    let good: Vec<_> = good.iter().map(|mark| (mark.right, mark.up)).collect();
    let line = |(x1, y1), (x2, y2), color| Line {
        x1,
        y1,
        x2,
        y2,
        color,
    };
    Canvas::default()
        .marker(Marker::Braille)
        .x_bounds([-0.03, 1.0])
        .y_bounds([-0.04, 1.0])
        .paint(|context| {
            context.draw(&line((-0.03, -0.04), (1.0, -0.04), FRAME));
            context.draw(&line((-0.03, -0.04), (-0.03, 1.0), FRAME));
            context.layer();
            for pair in course.lines.iter().flat_map(|whole| whole.windows(2)) {
                context.draw(&line(pair[0], pair[1], DOTS));
            }
            context.draw(&Points::new(&good, DOTS));
            context.layer();
            for mark in &bad {
                let from = mark.fallen_from.unwrap_or(mark.up);
                context.draw(&line((mark.right, from), (mark.right, mark.up), ALARM));
                context.print(mark.right, mark.up, text::Line::styled("▼", ALARM));
            }
        })
        .render(area, buffer);
}
