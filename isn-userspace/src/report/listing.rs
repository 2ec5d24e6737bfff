//! Rows and columns: aligned, and narrowed to the terminal, for people; a header line and tabs for
//! programs, every column always there.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table, presets::NOTHING};

use super::{Style, visible};

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Heading, in lower case with underscores, as plain output shows it.
    pub name: &'static str,
    /// Heading on a terminal, where the name is too wide for it.
    pub heading: Option<&'static str>,
    /// Whether it is a number, to be aligned on the right.
    pub number: bool,
    /// 0: always shown; else left away on a narrow terminal, the highest first.
    pub rank: u8,
}

/// Space between two columns.
const GAP: usize = 2;

impl Column {
    /// A column of words that is always shown.
    #[must_use]
    pub const fn text(name: &'static str) -> Self {
        Self {
            name,
            heading: None,
            number: false,
            rank: 0,
        }
    }

    /// A column of numbers that is always shown.
    #[must_use]
    pub const fn number(name: &'static str) -> Self {
        Self {
            name,
            heading: None,
            number: true,
            rank: 0,
        }
    }

    /// The same, but left away on a narrow terminal.
    #[must_use]
    pub const fn ranked(self, rank: u8) -> Self {
        Self { rank, ..self }
    }

    /// The same, with another heading on a terminal.
    #[must_use]
    pub const fn headed(self, heading: &'static str) -> Self {
        Self {
            heading: Some(heading),
            ..self
        }
    }

    fn heading(&self) -> String {
        let name = self.heading.unwrap_or(self.name);
        name.replace('_', " ").to_uppercase()
    }
}

/// A table.
#[derive(Debug)]
pub struct Listing {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Listing {
    /// An empty table.
    #[must_use]
    pub fn new(columns: &[Column]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row: one cell a column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| visible(&cell)).collect();
        assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows.push(cells);
    }

    /// Writes the table.
    pub fn write(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        match style {
            Style::Plain => self.write_plain(out),
            Style::Terminal { width, color } => self.write_terminal(out, width, color),
        }
    }

    fn write_plain(&self, out: &mut impl Write) -> io::Result<()> {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        writeln!(out, "{}", names.join("\t"))?;
        for row in &self.rows {
            writeln!(out, "{}", row.join("\t"))?;
        }
        Ok(())
    }

    fn write_terminal(&self, out: &mut impl Write, width: u16, color: bool) -> io::Result<()> {
        let shown = self.shown(width.into());
        let mut table = Table::new();
        table
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width).force_no_tty();
        if color {
            table.enforce_styling();
        }
        let heading = |index: &usize| {
            Cell::new(self.columns[*index].heading()).add_attribute(Attribute::Bold)
        };
        table.set_header(shown.iter().map(heading).collect::<Vec<Cell>>());
        for row in &self.rows {
            table.add_row(
                shown
                    .iter()
                    .map(|index| Cell::new(&row[*index]))
                    .collect::<Vec<Cell>>(),
            );
        }
        for (position, index) in shown.iter().enumerate() {
            if let Some(column) = table.column_mut(position) {
                column.set_padding((0, u16::try_from(GAP).unwrap_or(2)));
                if self.columns[*index].number {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        for line in table.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Indices of the columns that fit.
    fn shown(&self, width: usize) -> Vec<usize> {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        while self.natural_width(&shown) > width {
            let dispensable = shown
                .iter()
                .copied()
                .filter(|index| self.columns[*index].rank > 0);
            let Some(least) = dispensable.max_by_key(|index| self.columns[*index].rank) else {
                break;
            };
            shown.retain(|index| *index != least);
        }
        shown
    }

    fn natural_width(&self, shown: &[usize]) -> usize {
        let column = |index: &usize| {
            let cells = self.rows.iter().map(|row| row[*index].chars().count());
            cells
                .chain([self.columns[*index].heading().len()])
                .max()
                .unwrap_or(0)
                + GAP
        };
        shown.iter().map(column).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Listing {
        let mut listing = Listing::new(&[
            Column::text("host"),
            Column::number("host_isn").ranked(2),
            Column::number("age").ranked(1),
        ]);
        listing.row(["192.0.2.1:80".into(), "4294967295".into(), "5s".into()]);
        listing.row(["192.0.2.17:8080".into(), "7".into(), "10m00s".into()]);
        listing
    }

    fn written(style: Style) -> String {
        let mut out = Vec::new();
        sample().write(&mut out, style).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_output_has_a_header_tabs_and_every_column() {
        assert_eq!(
            written(Style::Plain),
            "host\thost_isn\tage\n192.0.2.1:80\t4294967295\t5s\n192.0.2.17:8080\t7\t10m00s\n"
        );
    }

    #[test]
    fn a_wide_terminal_shows_all_aligned() {
        assert_eq!(
            written(Style::Terminal {
                width: 80,
                color: false
            }),
            "HOST               HOST ISN     AGE\n\
             192.0.2.1:80     4294967295      5s\n\
             192.0.2.17:8080           7  10m00s\n"
        );
    }

    #[test]
    fn a_narrow_terminal_leaves_away_what_matters_least() {
        let narrow = written(Style::Terminal {
            width: 27,
            color: false,
        });
        assert!(narrow.starts_with("HOST"), "{narrow}");
        assert!(
            !narrow.contains("HOST ISN") && narrow.contains("AGE"),
            "{narrow}"
        );
        let tiny = written(Style::Terminal {
            width: 18,
            color: false,
        });
        assert!(!tiny.contains("AGE"), "{tiny}");
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        assert!(
            written(Style::Terminal {
                width: 80,
                color: true
            })
            .contains("\x1b[")
        );
        assert!(
            !written(Style::Terminal {
                width: 80,
                color: false
            })
            .contains("\x1b[")
        );
    }
}
