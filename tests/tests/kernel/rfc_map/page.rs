//! The page's two tables, read from its Markdown.

/// A line of the first table.
pub struct Rule {
    /// `S9`, `PAWS`.
    pub label: String,
    /// What is said of RFCs.
    pub rfcs: String,
    /// Sources, relative to the workspace or to `isn-common/src`.
    pub files: Vec<String>,
    /// Tests.
    pub tests: Vec<String>,
    /// What is said beside the tests.
    pub remark: String,
}

/// A line of the second table.
pub struct PacketCase {
    /// Number of the case.
    pub number: String,
    /// What is said of rules.
    pub rules: String,
    /// Tests.
    pub tests: Vec<String>,
    /// What is said beside the tests.
    pub remark: String,
}

/// Both tables.
pub struct Page {
    /// By rule.
    pub rules: Vec<Rule>,
    /// By packet case.
    pub cases: Vec<PacketCase>,
}

const RULES: [&str; 5] = ["rule", "what it says", "RFC", "files", "tests"];
const CASES: [&str; 4] = ["case", "packets", "rules", "tests"];

/// Reads the page.
pub fn read(text: &str) -> Page {
    let rule = |cells: Vec<&str>| Rule {
        label: cells[0].trim_matches('*').to_owned(),
        rfcs: cells[2].to_owned(),
        files: quoted(cells[3]),
        tests: quoted(cells[4]),
        remark: plain(cells[4]),
    };
    let case = |cells: Vec<&str>| PacketCase {
        number: cells[0].to_owned(),
        rules: cells[2].to_owned(),
        tests: quoted(cells[3]),
        remark: plain(cells[3]),
    };
    Page {
        rules: table(text, &RULES).map(rule).collect(),
        cases: table(text, &CASES).map(case).collect(),
    }
}

/// The lines of the table with these headings, split into as many cells.
fn table<'a>(text: &'a str, headings: &'a [&str]) -> impl Iterator<Item = Vec<&'a str>> {
    let cells = |line: &'a str| -> Vec<&'a str> {
        let inside = line.trim().trim_start_matches('|').trim_end_matches('|');
        inside.split('|').map(str::trim).collect()
    };
    text.lines()
        .skip_while(move |line| cells(line) != headings)
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(move |line| {
            let cells = cells(line);
            assert_eq!(cells.len(), headings.len(), "cells in \"{line}\"");
            cells
        })
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    let parts = cell.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

/// What stands outside of them.
fn plain(cell: &str) -> String {
    let parts: String = cell.split('`').step_by(2).collect();
    parts.trim_matches([',', ' ']).to_owned()
}
