//! The screen. On a small one what matters least is left away; nothing is ever drawn beyond it.

mod flows;
mod hosts;
mod overview;

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph},
};

use super::{App, Keys, Life, Tab};

/// Below this there is no room for anything.
const SMALLEST: (u16, u16) = (20, 4);

/// Draws all of it.
pub fn draw(frame: &mut Frame<'_>, app: &App) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return frame.render_widget(Paragraph::new("too small"), area);
    }
    let [top, tabs, view, bottom] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(area);
    title(frame, app, top);
    tab_line(frame, app, tabs);
    match app.tab {
        Tab::Overview => overview::draw(frame, app, view),
        Tab::Flows => flows::draw(frame, app, view),
        Tab::Hosts => hosts::draw(frame, app, view),
    }
    keys_line(frame, app, bottom);
    if app.keys == Keys::Help {
        help(frame, app, area);
    }
}

/// A colour, where colours are wanted.
fn paint(app: &App, color: Color) -> Style {
    if app.color {
        Style::new().fg(color)
    } else {
        Style::new()
    }
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

/// What is said of the instance as a whole.
fn title(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let mut spans = vec![Span::styled(format!("isnguard {}", app.instance), bold())];
    let mut add = |text: String, style| {
        spans.push(Span::raw("  "));
        spans.push(Span::styled(text, style));
    };
    match &app.asked {
        _ if app.life == Life::Gone => {
            add("not attached".into(), paint(app, Color::Red).patch(bold()));
        }
        None => add("looking".into(), Style::new()),
        Some(asked) => {
            add(asked.mode.into(), Style::new());
            match asked.problems.len() {
                0 => add("healthy".into(), paint(app, Color::Green)),
                1 => add("1 problem".into(), paint(app, Color::Red).patch(bold())),
                many => add(
                    format!("{many} problems"),
                    paint(app, Color::Red).patch(bold()),
                ),
            }
        }
    }
    if app.life == Life::Draining {
        add("draining".into(), paint(app, Color::Yellow));
    }
    if app.paused {
        add("PAUSED".into(), paint(app, Color::Yellow).patch(bold()));
    }
    if let Some(asked) = &app.asked {
        add(asked.attached.join(", "), Style::new());
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

fn tab_line(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let mut spans = Vec::new();
    for (nth, tab) in Tab::ALL.into_iter().enumerate() {
        let style = if tab == app.tab {
            bold().add_modifier(Modifier::REVERSED)
        } else {
            Style::new()
        };
        spans.push(Span::styled(format!(" {} {} ", nth + 1, tab.name()), style));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

fn keys_line(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let line = if app.keys == Keys::Filter {
        Line::from(format!("filter: {}_", app.filter))
    } else {
        let mut text = String::from("tab view  ");
        if app.tab != Tab::Overview {
            text.push_str("s sort  / filter  ");
        }
        text.push_str("p pause  ? help  q quit");
        if !app.filter.is_empty() {
            text = format!("filter: {}  (esc clears)", app.filter);
        }
        Line::from(Span::styled(text, Style::new().add_modifier(Modifier::DIM)))
    };
    frame.render_widget(Paragraph::new(line), area);
}

const HELP: &str = "\
tab, arrows, 1 2 3  another view
up, down, page      scroll
s                   another order
/                   filter: words that must all
                    stand in the line; enter
                    keeps it, esc clears it
p, space            pause, and go on
q, Ctrl-C           quit

Rates are of the last look. Tables and
flows are read a part a look, so
with very many flows a round takes some
looks; the view says how many. Hosts and
problems are asked for every few seconds.";

fn help(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let (width, height) = (46.min(area.width), 17.min(area.height));
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let block = Block::bordered()
        .title(" any key closes this ")
        .title_alignment(Alignment::Center)
        .border_style(paint(app, Color::Cyan));
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(HELP).block(block), place);
}
