//! Text that comes from outside, names of interfaces and files above all, made safe for terminals and logs.

use std::fmt::Write as _;

/// Text in which nothing acts on a terminal or pretends to be another line: control characters, and those that change the
/// direction of writing, are written as Rust writes them (`\n`, `\u{1b}`).
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_invisible(c) {
            // Writing to a string does not fail.
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The same of text that is meant to have lines.
#[must_use]
pub fn visible_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(visible).collect();
    lines.join("\n")
}

/// Control characters; and line ends, marks and overrides of direction that Unicode has besides (UAX #9).
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_shown_instead() {
        assert_eq!(visible("eth0\u{1b}[31m\u{7}"), r"eth0\u{1b}[31m\u{7}");
        assert_eq!(visible("a\nready: b\r\u{9b}2J"), r"a\nready: b\r\u{9b}2J");
        assert_eq!(visible("a\u{202e}b\u{2028}c"), r"a\u{202e}b\u{2028}c");
    }

    #[test]
    fn words_stay_as_they_are() {
        for text in ["", "inside0 ─► 192.0.2.1", r"C:\tmp", "größer als \"a\""] {
            assert_eq!(visible(text), text);
        }
        assert_eq!(visible_lines("a\u{1b}\nb"), "a\\u{1b}\nb");
    }
}
