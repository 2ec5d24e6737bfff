//! What the steps found, as one table.

use comfy_table::{Cell, ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};

/// Columns where there is no terminal that would say.
const WIDTH: u16 = 110;

/// One row: what was tried and what came of it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What was tried.
    pub step: String,
    /// How long the handshake took, or that there was none.
    pub handshake: String,
    /// How the data fared.
    pub data: String,
    /// What the captures show.
    pub seen: String,
}

/// All rows so far.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a row.
    pub fn add(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// The table for people.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table
            .load_style(UTF8_HORIZONTAL_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic);
        if table.width().is_none() {
            table.set_width(WIDTH);
        }
        table.set_header([
            "step",
            "second connection",
            "data each way",
            "seen in the captures of both sides",
        ]);
        for Finding {
            step,
            handshake,
            data,
            seen,
        } in &self.0
        {
            table.add_row([step, handshake, data, seen].map(Cell::new));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_where_there_is_no_terminal() {
        let mut findings = Findings::default();
        findings.add(Finding {
            step: "2  isnguard at xdp, lower number".into(),
            handshake: "connects in 0.4 ms".into(),
            data: "64 MiB each way intact in 412.0 ms (SHA-256 1a2b3c4d… and 5e6f7a8b…)".into(),
            seen: "the host starts at 1,000,000,000, the peer sees 3,456,789,012; 250000 checksums right".into(),
        });
        let mut table = findings.table();
        let lines: Vec<String> = table.set_width(WIDTH).lines().collect();
        assert!(
            lines
                .iter()
                .all(|line| line.chars().count() <= usize::from(WIDTH))
        );
        assert!(lines.iter().any(|line| line.contains("0.4 ms")));
    }
}
