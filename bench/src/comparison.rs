//! What a change did: figures beside those that another version wrote with `--json`.
//!
//! Ratios are compared where both versions have them, since only those hold from one run to another.

use std::{collections::HashMap, fs, path::Path};

use anyhow::{Context as _, Result};
use comfy_table::{CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::Deserialize;

use crate::figure::Figure;

/// What counts of a figure of another version.
#[derive(Clone, Debug, Deserialize)]
struct Before {
    id: String,
    value: f64,
    ratio: Option<f64>,
}

/// Figures of another version, by their names.
pub struct Comparison(HashMap<String, Before>);

impl Comparison {
    /// Reads what another version wrote.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let figures: Vec<Before> = serde_json::from_str(&text)
            .with_context(|| format!("{} holds no figures of this benchmark", path.display()))?;
        let by_name = figures.into_iter().map(|it| (it.id.clone(), it));
        Ok(Self(by_name.collect()))
    }

    /// Prints every figure that both versions have.
    pub fn print(&self, figures: &[Figure]) {
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY);
        table.set_header(["figure", "before", "now", "change"]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for figure in figures {
            if let Some(row) = self.row(figure) {
                table.add_row(row);
            }
        }
        println!("{table}");
    }

    fn row(&self, figure: &Figure) -> Option<[String; 4]> {
        let before = self.0.get(&figure.id)?;
        let (before, now, shown): (f64, f64, fn(f64) -> String) = match (before.ratio, figure.ratio)
        {
            (Some(before), Some(now)) => (before, now, |it| format!("{it:.2} ×")),
            _ => (before.value, figure.value, |it| format!("{it:.1}")),
        };
        let change = (now / before - 1.0) * 100.0;
        Some([
            figure.what.clone(),
            shown(before),
            shown(now),
            format!("{change:+.0} %"),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Unit;

    #[test]
    fn ratios_are_compared_and_what_is_new_is_left_out() {
        let figure = |id: &str| Figure::new(id, id, 30.0, Unit::NanosecondsAPacket);
        let before = Before {
            id: "known".to_owned(),
            value: 99.0,
            ratio: Some(2.0),
        };
        let comparison = Comparison(HashMap::from([("known".to_owned(), before)]));
        let row = comparison.row(&figure("known").over(1.5, "floor")).unwrap();
        assert_eq!(row, ["known", "2.00 ×", "1.50 ×", "-25 %"]);
        assert!(comparison.row(&figure("new")).is_none());
    }
}
