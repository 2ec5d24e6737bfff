//! The hosts with their grades.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style},
    text::Line,
    widgets::{Paragraph, Row, Table, Wrap},
};

use super::{App, bold, paint};
use crate::top::HostRow;

pub fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let Some(hosts) = app.hosts() else {
        let text = if app.asked.is_some() {
            "No `isnguard run` stays with this instance, so nobody keeps the numbers of hosts. `isnguard hosts` shows what has \
             queued in the kernel."
        } else {
            "asking"
        };
        return frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
    };
    let [heading, list] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let text = format!("{} hosts, by {}", hosts.len(), app.host_order.name());
    frame.render_widget(Paragraph::new(Line::styled(text, bold())), heading);
    let shown: Vec<&HostRow> = hosts
        .into_iter()
        .skip(app.scrolled)
        .take(list.height.into())
        .collect();
    let columns = columns(&shown, list.width);
    let names = columns.iter().map(|column| column.name);
    let rows = shown.iter().map(|host| {
        let cells = columns.iter().map(|column| (column.cell)(host));
        Row::new(cells.collect::<Vec<String>>()).style(style(app, host))
    });
    let widths = columns
        .iter()
        .map(|column| Constraint::Length(column.width));
    let table = Table::new(rows.collect::<Vec<Row<'_>>>(), widths.collect::<Vec<_>>())
        .header(Row::new(names.collect::<Vec<_>>()).style(bold()))
        .column_spacing(1);
    frame.render_widget(table, list);
}

/// A host that is bad and goes out as it is.
fn style(app: &App, host: &HostRow) -> Style {
    match host.grades {
        [_, "D" | "F"] => paint(app, Color::Red),
        ["D" | "F", _] => paint(app, Color::Yellow),
        _ => Style::new(),
    }
}

struct Column {
    name: &'static str,
    width: u16,
    cell: fn(&HostRow) -> String,
}

fn number(number: Option<u32>) -> String {
    number.map_or("-".into(), |number| number.to_string())
}

/// The columns that fit; those that matter least go first.
fn columns(hosts: &[&HostRow], width: u16) -> Vec<Column> {
    let column = |name, width, cell| Column { name, width, cell };
    let longest = hosts.iter().map(|it| it.id.to_string().len()).max();
    let host = u16::try_from(longest.unwrap_or(0))
        .unwrap_or(u16::MAX)
        .max(9);
    let mut all: Vec<(u8, Column)> = vec![
        (0, column("HOST", host, |it| it.id.to_string())),
        (0, column("GRADE", 7, |it| it.grades[0].into())),
        (1, column("CLASS", 16, |it| it.class.into())),
        (5, column("DIFF", 4, |it| number(it.difficulties[0]))),
        (4, column("AFTER", 5, |it| number(it.difficulties[1]))),
        (3, column("REGR", 5, |it| it.regressions.to_string())),
        (7, column("SYNS", 8, |it| it.syns.to_string())),
        (8, column("REWRITTEN", 9, |it| it.rewritten.to_string())),
        (6, column("MODE", 11, |it| it.mode.into())),
        (2, column("ADVICE", 9, |it| it.advice.into())),
    ];
    let needed = |all: &[(u8, Column)]| -> u16 {
        all.iter()
            .fold(0, |sum, (_, column)| sum.saturating_add(column.width + 1))
    };
    while needed(&all) > width + 1 && all.len() > 2 {
        let least = all.iter().map(|(rank, _)| *rank).max().unwrap_or(0);
        all.retain(|(rank, _)| *rank != least);
    }
    all.into_iter().map(|(_, column)| column).collect()
}
