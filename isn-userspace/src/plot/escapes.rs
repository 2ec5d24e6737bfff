//! A screen as text, with escape codes for its colours or without.

use std::fmt::Write as _;

use ratatui::{buffer::Buffer, style::Color};

/// The rows of `buffer`, each with a line feed and without spaces at its end.
pub fn text(buffer: &Buffer, color: bool) -> String {
    let area = buffer.area;
    let mut text = String::new();
    for y in area.rows().map(|row| row.y) {
        let cells: Vec<_> = (area.left()..area.right())
            .map(|x| &buffer[(x, y)])
            .collect();
        let end = cells
            .iter()
            .rposition(|cell| cell.symbol() != " ")
            .map_or(0, |last| last + 1);
        let mut now = Color::Reset;
        for cell in &cells[..end] {
            if color && cell.fg != now && cell.symbol() != " " {
                now = cell.fg;
                let _ = write!(text, "\x1b[{}m", code(now));
            }
            text.push_str(cell.symbol());
        }
        if now != Color::Reset {
            text.push_str("\x1b[0m");
        }
        text.push('\n');
    }
    text
}

/// The foreground colours that pictures have (ECMA-48 section 8.3.117 and its common extension by bright colours).
const fn code(color: Color) -> u8 {
    match color {
        Color::Cyan => 36,
        Color::LightRed => 91,
        Color::DarkGray => 90,
        _ => 0,
    }
}
