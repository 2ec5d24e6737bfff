//! Keys, and what they do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{App, Keys, Tab};

/// What follows from a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The screen is drawn again.
    Draw,
    /// It is over.
    Quit,
}

/// Lines that a page moves by.
const PAGE: usize = 10;

/// Does what a key says.
pub fn press(app: &mut App, key: KeyEvent) -> Reply {
    if key.kind == KeyEventKind::Release {
        return Reply::Draw;
    }
    // In raw mode the terminal sends no signal for it.
    if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
        return Reply::Quit;
    }
    if app.keys == Keys::Filter {
        write(app, key.code);
        return Reply::Draw;
    }
    if app.keys == Keys::Help {
        app.keys = Keys::View;
        return Reply::Draw;
    }
    match key.code {
        KeyCode::Char('q') => return Reply::Quit,
        KeyCode::Char('?' | 'h') => app.keys = Keys::Help,
        KeyCode::Char('p' | ' ') => app.paused = !app.paused,
        KeyCode::Char('s') => sort(app),
        KeyCode::Char('/') if app.tab != Tab::Overview => app.keys = Keys::Filter,
        KeyCode::Esc => app.filter.clear(),
        KeyCode::Tab | KeyCode::Right => show(app, app.tab.moved(1)),
        KeyCode::BackTab | KeyCode::Left => show(app, app.tab.moved(2)),
        KeyCode::Char(number @ '1'..='3') => {
            show(app, Tab::Overview.moved(number as usize - '1' as usize));
        }
        KeyCode::Down => scroll(app, app.scrolled + 1),
        KeyCode::Up => scroll(app, app.scrolled.saturating_sub(1)),
        KeyCode::PageDown => scroll(app, app.scrolled + PAGE),
        KeyCode::PageUp => scroll(app, app.scrolled.saturating_sub(PAGE)),
        KeyCode::Home => scroll(app, 0),
        KeyCode::End => scroll(app, usize::MAX),
        _ => {}
    }
    Reply::Draw
}

fn write(app: &mut App, key: KeyCode) {
    match key {
        KeyCode::Enter => app.keys = Keys::View,
        KeyCode::Esc => {
            app.filter.clear();
            app.keys = Keys::View;
        }
        KeyCode::Backspace => {
            app.filter.pop();
        }
        KeyCode::Char(letter) if !letter.is_control() => app.filter.push(letter),
        _ => {}
    }
    app.scrolled = 0;
}

fn show(app: &mut App, tab: Tab) {
    app.tab = tab;
    app.scrolled = 0;
}

fn sort(app: &mut App) {
    match app.tab {
        Tab::Overview => {}
        Tab::Flows => app.order = app.order.next(),
        Tab::Hosts => app.host_order = app.host_order.next(),
    }
    app.scrolled = 0;
}

fn scroll(app: &mut App, to: usize) {
    app.scrolled = to.min(app.lines().saturating_sub(1));
}
