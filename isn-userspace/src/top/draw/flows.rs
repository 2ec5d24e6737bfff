//! The flows.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::{Paragraph, Row, Table},
};

use super::{App, bold};
use crate::top::Listed;

pub fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let [heading, list] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let Some(found) = &app.roll.found else {
        return frame.render_widget(Paragraph::new("looking"), heading);
    };
    let all: usize = found.tables.iter().sum();
    let first = found.flows.len();
    let cut = if first < found.matching {
        format!(", the first {first}")
    } else {
        String::new()
    };
    let looks = match found.looks {
        _ if !found.is_whole => "; as far as they were read".into(),
        0 | 1 => String::new(),
        looks => format!("; read in {looks} looks"),
    };
    let order = app.order.name();
    let text = format!("{} of {all} flows, by {order}{cut}{looks}", found.matching);
    frame.render_widget(Paragraph::new(Line::styled(text, bold())), heading);
    let shown = found
        .flows
        .iter()
        .skip(app.scrolled)
        .take(list.height.into());
    let ends = widest(shown.clone());
    let columns = columns(ends, list.width);
    let widths = columns
        .iter()
        .map(|column| Constraint::Length(column.width));
    let names = columns.iter().map(|column| column.name);
    let rows = shown.map(|flow| {
        let cells = columns.iter().map(|column| (column.cell)(flow));
        Row::new(cells.collect::<Vec<String>>())
    });
    let table = Table::new(rows.collect::<Vec<Row<'_>>>(), widths.collect::<Vec<_>>())
        .header(Row::new(names.collect::<Vec<_>>()).style(bold()))
        .column_spacing(1);
    frame.render_widget(table, list);
}

struct Column {
    name: &'static str,
    width: u16,
    cell: fn(&Listed) -> String,
}

/// Room for the two ends.
fn widest<'a>(flows: impl Iterator<Item = &'a Listed>) -> [u16; 2] {
    flows.fold([9, 9], |[host, peer], flow| {
        let length = |text: String| u16::try_from(text.len()).unwrap_or(u16::MAX);
        [
            host.max(length(flow.host.to_string())),
            peer.max(length(flow.peer.to_string())),
        ]
    })
}

/// The columns that fit; those that matter least go first.
fn columns([host, peer]: [u16; 2], width: u16) -> Vec<Column> {
    let column = |name, width, cell| Column { name, width, cell };
    // In the order of the screen, each with what it matters.
    let mut all: Vec<(u8, Column)> = vec![
        (0, column("HOST", host, |it| it.host.to_string())),
        (0, column("PEER", peer, |it| it.peer.to_string())),
        (1, column("STATE", 11, |it| it.state.into())),
        (3, column("REASON", 11, |it| it.reason.into())),
        (4, column("OFFSET", 10, |it| it.offset.to_string())),
        (5, column("AGE", 6, |it| App::span(it.age))),
        (2, column("IDLE", 6, |it| App::span(it.idle))),
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
