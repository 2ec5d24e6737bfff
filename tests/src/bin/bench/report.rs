//! Figures as a table on standard output, and progress on standard error.

use std::time::Instant;

use comfy_table::{CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};

/// Figures so far.
pub struct Report {
    table: Table,
    started: Instant,
}

impl Report {
    /// No figures yet.
    pub fn new() -> Self {
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY);
        table.set_header(["figure", "value", "in proportion"]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        Self {
            table,
            started: Instant::now(),
        }
    }

    /// Says what is being done.
    pub fn doing(&self, what: &str) {
        eprintln!("{:6.1} s  {what}", self.started.elapsed().as_secs_f64());
    }

    /// Adds a figure.
    pub fn add(
        &mut self,
        figure: impl Into<String>,
        value: impl Into<String>,
        proportion: impl Into<String>,
    ) {
        self.table
            .add_row([figure.into(), value.into(), proportion.into()]);
    }

    /// Prints them all.
    pub fn print(&self) {
        println!("{}", self.table);
    }
}
