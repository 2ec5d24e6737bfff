//! Pictures of a host's initial sequence numbers: their phase space and their course over time, on paper and in a terminal.

mod course;
mod drawing;
mod escapes;
mod file;
mod phase;
mod projection;
mod scale;
mod terminal;
mod thinning;

use std::path::Path;

pub use terminal::{in_terminal, render as on_screen};

use self::{drawing::Side, file::Format};
use crate::{
    failure::Failure,
    grading::{Sample, assess},
};

/// Draws `before`, the numbers that a host chose, and at its right `after`, what isnguard made or would make of them, both in
/// order of time. `title` names the host; how many samples there are, their class and grade stand below it.
///
/// `file` is SVG or PNG by its extension. It appears whole, in place of one that was there, or not at all.
pub fn picture(
    title: &str,
    before: &[Sample],
    after: Option<&[Sample]>,
    file: &Path,
) -> Result<(), Failure> {
    let format = Format::of(file)?;
    let graded = after.map(assess);
    let after = after
        .zip(graded.as_ref())
        .map(|(samples, assessment)| Side {
            samples,
            assessment,
        });
    let before = Side {
        samples: before,
        assessment: &assess(before),
    };
    let svg = drawing::draw(title, &before, after.as_ref()).to_string();
    file::write(file, &format.octets(file, svg)?)
}

#[cfg(test)]
mod tests;
