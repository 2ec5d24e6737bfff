//! Rates with their past, SYNs by verdict, how full the tables are, and what is wrong.

use isn_common::counter::Counter;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style},
    text::{Line, Span},
    widgets::{Paragraph, Sparkline, Wrap},
};

use super::{App, bold, paint};
use crate::top::{VERDICTS, lines::TABLES, rates::short};

const LABEL: u16 = 23;
/// Below this height, sparklines are of one row and headings are left away.
const ROOMY: u16 = 18;
/// Below this width, verdicts stand in one column.
const WIDE: u16 = 74;
/// Rows of the tables.
const TABLE_ROWS: u16 = 3;

pub fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let is_roomy = area.height >= ROOMY;
    let (rows, heading) = if is_roomy { (2, 1) } else { (1, 0) };
    let columns = if area.width >= WIDE { 2 } else { 1 };
    let tables = TABLE_ROWS + heading;
    let all = u16::try_from(VERDICTS.len().div_ceil(columns)).unwrap_or(u16::MAX) + heading;
    // A line for a problem, at least.
    let left = area.height.saturating_sub(3 * rows + tables + 1);
    let [sparks, syns, tables, problems] = Layout::vertical([
        Constraint::Length(3 * rows),
        Constraint::Length(all.min(left)),
        Constraint::Length(tables),
        Constraint::Min(1),
    ])
    .areas(area);
    spark_lines(frame, app, sparks, rows);
    syn_lines(frame, app, syns, columns, is_roomy);
    table_lines(frame, app, tables, is_roomy);
    problem_lines(frame, app, problems);
}

fn spark_lines(frame: &mut Frame<'_>, app: &App, area: Rect, rows: u16) {
    let shown = [
        (
            "translated out",
            Counter::PacketsTranslatedOut,
            Color::Green,
        ),
        ("translated in", Counter::PacketsTranslatedIn, Color::Cyan),
        ("SYNs of hosts", Counter::SynSeen, Color::Yellow),
    ];
    let places = Layout::vertical([Constraint::Length(rows); 3]).split(area);
    for (which, ((name, counter, color), place)) in shown.into_iter().zip(places.iter()).enumerate()
    {
        let [label, spark] =
            Layout::horizontal([Constraint::Length(LABEL), Constraint::Min(1)]).areas(*place);
        let rate = short(app.rates.per_second(counter));
        let text = format!("{name:14} {rate:>5}/s");
        frame.render_widget(Paragraph::new(text), label);
        let past = app.rates.past(which, spark.width.into());
        let line = Sparkline::default().data(&past).style(paint(app, color));
        frame.render_widget(line, spark);
    }
}

/// As many verdicts as there is room for, those first that were given.
fn syn_lines(frame: &mut Frame<'_>, app: &App, area: Rect, columns: usize, is_roomy: bool) {
    let mut lines = Vec::new();
    if is_roomy {
        lines.push(Line::styled("SYNs by verdict, a second and in all", bold()));
    }
    let cell = |counter: Counter| {
        let count = app.rates.count(counter);
        let text = format!(
            "{:18} {:>5} {count:>10}  ",
            counter.name(),
            short(app.rates.per_second(counter))
        );
        let alarming = matches!(counter, Counter::TableFull | Counter::DroppedTableFull);
        let style = if alarming && count > 0 {
            paint(app, Color::Red).patch(bold())
        } else {
            Style::new()
        };
        Span::styled(text, style)
    };
    let rows = usize::from(area.height).saturating_sub(lines.len());
    let mut shown = VERDICTS.to_vec();
    if rows * columns < shown.len() {
        shown.sort_by_key(|counter| app.rates.count(*counter) == 0);
        shown.truncate(rows * columns);
    }
    let rows = shown.len().div_ceil(columns);
    for nth in 0..rows {
        let of_row = shown.iter().skip(nth).step_by(rows.max(1));
        lines.push(Line::from(of_row.map(|it| cell(*it)).collect::<Vec<_>>()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn table_lines(frame: &mut Frame<'_>, app: &App, area: Rect, is_roomy: bool) {
    let found = app.roll.found.as_ref();
    let heading = match found {
        Some(found) if !found.is_whole => "tables, as far as they were read".into(),
        Some(found) if found.looks > 1 => {
            format!("tables, as of the last round of {} looks", found.looks)
        }
        _ => "tables".into(),
    };
    let top = Constraint::Length(is_roomy.into());
    let [top, rest] = Layout::vertical([top, Constraint::Min(0)]).areas(area);
    frame.render_widget(Paragraph::new(Line::styled(heading, bold())), top);
    let rows = Layout::vertical([Constraint::Length(1); 3]).split(rest);
    for (nth, name) in TABLES.into_iter().enumerate() {
        let halves = Layout::horizontal([Constraint::Fill(1); 2])
            .spacing(2)
            .split(rows[nth / 2]);
        let entries = found.map_or(0, |found| found.tables[nth]);
        gauge(
            frame,
            app,
            halves[nth % 2],
            name,
            entries,
            app.capacities[nth],
        );
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a line"
)]
fn gauge(frame: &mut Frame<'_>, app: &App, area: Rect, name: &str, entries: usize, capacity: u32) {
    let full = (entries as f64 / f64::from(capacity.max(1))).clamp(0.0, 1.0);
    let label = format!("{name:13} ");
    let share = format!(" {:>3.0}%", full * 100.0);
    let bar = usize::from(area.width).saturating_sub(label.len() + share.len());
    let filled = ((bar as f64 * full).ceil() as usize).min(bar);
    let color = match full {
        0.9.. => Color::Red,
        0.7.. => Color::Yellow,
        _ => Color::Green,
    };
    let line = Line::from(vec![
        Span::raw(label),
        Span::styled("#".repeat(filled), paint(app, color)),
        Span::raw(".".repeat(bar - filled)),
        Span::raw(share),
    ]);
    frame.render_widget(Paragraph::new(line), area);
}

fn problem_lines(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let Some(asked) = &app.asked else {
        return;
    };
    let lines: Vec<Line<'_>> = asked
        .problems
        .iter()
        .map(|problem| Line::styled(format!("! {problem}"), paint(app, Color::Red)))
        .collect();
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
}
