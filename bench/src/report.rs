//! Figures as a table on standard output and as JSON, and progress on standard error.

use std::time::Instant;

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};

use crate::{
    figure::Figure,
    targets::{Target, Verdict},
};

/// Figures so far.
pub struct Report {
    figures: Vec<Figure>,
    missing: Vec<String>,
    started: Instant,
}

impl Report {
    /// No figures yet.
    pub fn new() -> Self {
        Self {
            figures: Vec::new(),
            missing: Vec::new(),
            started: Instant::now(),
        }
    }

    /// Says what is being done.
    pub fn doing(&self, what: &str) {
        eprintln!("{:6.1} s  {what}", self.started.elapsed().as_secs_f64());
    }

    /// Adds a figure.
    pub fn add(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// Notes that something cannot be measured on this machine.
    pub fn cannot(&mut self, what: &str, why: &str) {
        self.missing.push(format!("not measured: {what}: {why}"));
    }

    /// All of them.
    pub fn figures(&self) -> &[Figure] {
        &self.figures
    }

    /// All of them as JSON: an array of objects, in the order of the table.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(&self.figures)?)
    }

    /// Prints them all, what is missing among them, and which targets they meet.
    pub fn print(&self) {
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY);
        table.set_header(["figure", "value", "ratio", "against", "target", ""]);
        for column in table.column_iter_mut().skip(1).take(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for figure in &self.figures {
            table.add_row(row(figure));
        }
        println!("{table}");
        for line in &self.missing {
            println!("{line}");
        }
        println!("{}", self.summary());
    }

    fn summary(&self) -> String {
        let verdicts: Vec<_> = self.figures.iter().filter_map(Figure::verdict).collect();
        let of = |wanted| verdicts.iter().filter(|it| **it == wanted).count();
        format!(
            "{} figures with a target: {} reach the goal, {} hold the gate, {} miss it",
            verdicts.len(),
            of(Verdict::Goal),
            of(Verdict::Gate),
            of(Verdict::Missed)
        )
    }
}

fn row(figure: &Figure) -> [String; 6] {
    let target = |name| format!("{name} {}", Target::named(name).bounds());
    [
        figure.what.clone(),
        figure.unit.show(figure.value),
        figure
            .ratio
            .map(|it| format!("{it:.2}"))
            .unwrap_or_default(),
        figure.against.unwrap_or_default().to_owned(),
        figure.target.map(target).unwrap_or_default(),
        match figure.verdict() {
            Some(Verdict::Goal) => "goal",
            Some(Verdict::Gate) => "gate",
            Some(Verdict::Missed) => "MISSED",
            None => "",
        }
        .to_owned(),
    ]
}
