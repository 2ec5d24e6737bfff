//! What is wrong with a configuration file, shown as compilers show it: place, line, caret, and what to do.

use std::{fmt, ops::Range, path::PathBuf};

use serde::Serialize;

/// Columns of a line that are shown.
const SHOWN: usize = 100;

/// One thing that is wrong, at octets of the text.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Where.
    pub span: Range<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Fault {
    /// `what` is wrong at `span`; both texts without a final full stop.
    pub fn new(span: Range<usize>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            span,
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

/// One thing that is wrong, with its place as a person counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line's text, without control characters.
    pub text: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// First character of `text` that the caret stands under, from 0, and how many.
    #[serde(skip)]
    caret: (usize, usize),
}

/// Everything that is wrong with one file, in the order of its text; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// The file.
    pub file: PathBuf,
    /// What is wrong.
    pub errors: Vec<Placed>,
}

impl Faults {
    /// Places faults in the text of a file.
    #[must_use]
    pub fn new(file: PathBuf, text: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.span.start);
        let errors = faults.into_iter().map(|it| Placed::new(text, it)).collect();
        Self { file, errors }
    }

    /// All on one line, for a log.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let Some(first) = self.errors.first() else {
            return self.file.display().to_string();
        };
        let more = match self.errors.len() - 1 {
            0 => String::new(),
            more => format!(
                " (and {more} more: isnguard config check {})",
                self.file.display()
            ),
        };
        let Placed {
            line,
            column,
            message,
            remedy,
            ..
        } = first;
        format!(
            "{}:{line}:{column}: {message}; {remedy}{more}",
            self.file.display()
        )
    }
}

impl Placed {
    fn new(text: &str, fault: Fault) -> Self {
        let at = floor(text, fault.span.start);
        let begins = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let ends = text[at..]
            .find('\n')
            .map_or(text.len(), |newline| at + newline);
        let whole = text[begins..ends].trim_end_matches('\r');
        let before = text[begins..at].chars().count();
        let stop = floor(text, fault.span.end).clamp(at, ends);
        let marked = text[at..stop].trim_end().chars().count().max(1);
        let (shown, indent) = window(whole, before);
        Self {
            line: line_of(text, at),
            column: before + 1,
            caret: (
                indent,
                marked.min(shown.chars().count().saturating_sub(indent).max(1)),
            ),
            text: shown,
            message: fault.what,
            remedy: fault.remedy,
        }
    }
}

/// The line in which an octet lies, from 1.
#[must_use]
pub fn line_of(text: &str, at: usize) -> usize {
    text[..floor(text, at)].matches('\n').count() + 1
}

/// The octet where a character begins, at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|it| text.is_char_boundary(*it))
        .unwrap_or(0)
}

/// What is shown of a line around a character, and where that character is in it. A terminal must not obey what is in a file.
fn window(line: &str, around: usize) -> (String, usize) {
    let safe = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    let count = line.chars().count();
    let first = if count <= SHOWN {
        0
    } else {
        around.saturating_sub(SHOWN / 2)
    };
    let shown: String = line.chars().skip(first).take(SHOWN).map(safe).collect();
    if first == 0 {
        return (shown, around);
    }
    (format!("…{shown}"), around - first + 1)
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, error) in self.errors.iter().enumerate() {
            if nth > 0 {
                writeln!(f)?;
            }
            let Placed { line, column, .. } = error;
            write!(f, "{}:{line}:{column}: {error}", self.file.display())?;
        }
        Ok(())
    }
}

impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (indent, marked) = self.caret;
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "{}", self.message)?;
        writeln!(f, "  {number} | {}", self.text)?;
        writeln!(
            f,
            "  {margin} | {}{}",
            " ".repeat(indent),
            "^".repeat(marked)
        )?;
        write!(f, "  what to do: {}", self.remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Range<usize>) -> String {
        let fault = Fault::new(span, "it is wrong", "put it right");
        Faults::new("/etc/f.toml".into(), text, vec![fault]).to_string()
    }

    #[test]
    fn the_place_is_shown_with_a_caret() {
        assert_eq!(
            shown("a = 1\nmod = 'x'\n", 6..9),
            "/etc/f.toml:2:1: it is wrong\n  2 | mod = 'x'\n    | ^^^\n  what to do: put it right"
        );
    }

    #[test]
    fn columns_are_characters_and_control_characters_are_not_obeyed() {
        let shown = shown("k = '\u{e9}\u{1b}[2Jx'\n", 7..8);
        assert!(shown.starts_with("/etc/f.toml:1:7:"), "{shown}");
        assert!(shown.contains("k = '\u{e9}\u{fffd}[2Jx'") && !shown.contains('\u{1b}'));
    }

    #[test]
    fn a_fault_at_the_end_and_one_over_lines_stay_in_their_line() {
        let at_end = shown("a = [1,\n", 8..8);
        assert!(at_end.starts_with("/etc/f.toml:2:1:"), "{at_end}");
        let over = shown("a = [1,\n 2]\n", 4..11);
        assert!(over.contains("\n    |     ^^^\n"), "{over}");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}!{}", "x".repeat(300), "y".repeat(300));
        let shown = shown(&text, 300..301);
        let lines: Vec<&str> = shown.lines().collect();
        let caret = lines[2].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[1].chars().nth(caret), Some('!'));
        assert!(lines[1].chars().count() < 120 && shown.contains(":1:301:"));
    }

    #[test]
    fn a_log_gets_one_line() {
        let faults = [0..1, 6..7].map(|it| Fault::new(it, "wrong", "right"));
        let faults = Faults::new("f".into(), "a = 1\nb = 2\n", faults.to_vec());
        assert_eq!(
            faults.in_one_line(),
            "f:1:1: wrong; right (and 1 more: isnguard config check f)"
        );
    }
}
