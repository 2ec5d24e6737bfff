//! Both pictures in Braille characters, for a terminal.

mod chart;
mod cube;

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style},
};

use super::{course::Course, phase::Phase};
use crate::grading::{Class, Sample};

/// A terminal has no more room than this, whatever it says.
const LARGEST: (u16, u16) = (500, 200);
/// More than this would fill all of the cells.
const MOST: usize = 3_000;

const DOTS: Color = Color::Cyan;
const ALARM: Color = Color::LightRed;
const FRAME: Color = Color::DarkGray;

/// The phase space of `before` and its course over time in at most `width` by `height` characters, in lines that end with a
/// line feed; plain text without `color`. Regressions are marked with `▼`.
#[must_use]
pub fn in_terminal(before: &[Sample], width: u16, height: u16, color: bool) -> String {
    let area = Rect::new(0, 0, width.min(LARGEST.0), height.min(LARGEST.1));
    let mut buffer = Buffer::empty(area);
    render(before, area, &mut buffer);
    super::escapes::text(&buffer, color)
}

/// The same in a part of a screen. Side by side if that makes the cube larger, otherwise one above the other.
pub fn render(before: &[Sample], area: Rect, buffer: &mut Buffer) {
    let halves = if area.width / 2 >= area.height {
        Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(1)
    } else {
        Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)])
    };
    let [left, right] = halves.areas(area);
    cube::draw(&Phase::of(before, MOST), left, buffer);
    chart::draw(&Course::of(before, Class::Unknown, MOST), right, buffer);
}

/// The rows of a panel: its name, the picture, what is below.
fn rows(area: Rect) -> [Rect; 3] {
    Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area)
}

/// The first of the wordings that fits, or what fits of the last.
fn put(wordings: &[String], row: Rect, color: Color, buffer: &mut Buffer) {
    let fits = |words: &&String| words.chars().count() <= usize::from(row.width);
    if let Some(words) = wordings.iter().find(fits).or(wordings.last())
        && row.height > 0
    {
        buffer.set_stringn(
            row.x,
            row.y,
            words,
            row.width.into(),
            Style::new().fg(color),
        );
    }
}

#[cfg(test)]
#[path = "../tests/terminal.rs"]
mod tests;
