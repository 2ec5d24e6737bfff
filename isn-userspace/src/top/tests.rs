//! Screens of three sizes, compared with those that were looked at; keys; and lines.
//!
//! `ISNGUARD_SCREENS=write` writes the screens anew: look at them.

use std::{fs, net::IpAddr, path::PathBuf, time::SystemTime};

use isn_common::{counter::Counter, flow::Vlan, tick::Tick};
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};

use super::{app::HostOrder, roll::Found, *};
use crate::hosts::HostId;

const SIZES: [(u16, u16); 3] = [(80, 24), (40, 12), (200, 50)];

fn rates() -> Rates {
    let mut counters = [0; Counter::COUNT];
    let mut rates = Rates::new(counters);
    for look in 0..120_u64 {
        counters[Counter::PacketsTranslatedOut.index()] += 1_000 * (look % 17);
        counters[Counter::PacketsTranslatedIn.index()] += 700 * (look % 13);
        counters[Counter::SynSeen.index()] += look % 5;
        counters[Counter::SynSafe.index()] += look % 3;
        counters[Counter::SynRewritten.index()] += look % 4;
        counters[Counter::TableFull.index()] += u64::from(look == 60);
        rates.look(counters, 1.0);
    }
    rates
}

fn listed(nth: u8, v6: bool) -> Listed {
    let address = |net: u8, node: u8| -> IpAddr {
        if v6 {
            [0x2001, 0xdb8, net.into(), 0, 0, 0, 0, node.into()].into()
        } else {
            [192, 0, net, node].into()
        }
    };
    Listed {
        host: (address(2, nth), 1_024 + u16::from(nth)).into(),
        peer: (address(9, nth), 502).into(),
        vlan: Vlan(0),
        state: "established",
        reason: "regressed",
        offset: 312_553_210 + u32::from(nth),
        age: Tick::in_seconds(u32::from(nth) * 70),
        idle: Tick::in_seconds(nth.into()),
    }
}

fn host(node: u8, grades: [&'static str; 2]) -> HostRow {
    HostRow {
        id: HostId {
            address: [192, 0, 2, node].into(),
            vlan: 0,
        },
        grades,
        class: "fixed-step",
        difficulties: [Some(24), Some(260)],
        regressions: 3,
        syns: 100 - u64::from(node),
        rewritten: node.into(),
        mode: "monotonic",
        advice: "keyed",
    }
}

fn app() -> App {
    let mut app = App::new(
        "plant",
        [65_536, 65_536, 65_536, 65_536, 262_144, 262_144],
        rates(),
    );
    app.roll.found = Some(Found {
        flows: (1..60).map(|nth| listed(nth, nth == 3)).collect(),
        matching: 3_000,
        tables: [60_000, 12, 50_000, 0, 100_000, 3],
        looks: 4,
        is_whole: true,
    });
    app.asked = Some(Asked {
        mode: "monotonic",
        attached: vec!["eth1 xdp".into()],
        problems: vec![
            "`eth1`: the program for leaving packets is missing; attach again to put it back"
                .into(),
        ],
        hosts: Some(vec![
            host(10, ["F", "A"]),
            host(11, ["C", "B"]),
            host(40, ["A", "A"]),
        ]),
    });
    app
}

fn screen(app: &App, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, app)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| {
        let cells = (0..width).map(|x| buffer[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned() + "\n"
    };
    (0..height).map(line).collect()
}

/// Compares a screen with the one that was looked at.
fn is_as_before(name: &str, screen: &str) {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/top/screens");
    let file = dir.join(format!("{name}.txt"));
    if std::env::var_os("ISNGUARD_SCREENS").is_some_and(|it| it == "write") {
        fs::create_dir_all(&dir).unwrap();
        fs::write(&file, screen).unwrap();
    }
    let before = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(screen, before, "{} is\n{screen}", file.display());
}

#[test]
fn every_view_at_every_size() {
    for tab in Tab::ALL {
        for size in SIZES {
            let mut app = app();
            app.tab = tab;
            let name = format!("{}-{}x{}", tab.name().to_lowercase(), size.0, size.1);
            is_as_before(&name, &screen(&app, size));
        }
    }
}

#[test]
fn help_lies_over_the_view_and_any_key_closes_it() {
    let mut app = app();
    tap(&mut app, KeyCode::Char('?'));
    is_as_before("help-80x24", &screen(&app, (80, 24)));
    assert_eq!(tap(&mut app, KeyCode::Char('q')), Reply::Draw);
    assert_eq!(app.keys, Keys::View);
}

#[test]
fn before_the_first_answers_and_without_anybody_who_keeps_hosts() {
    let mut app = app();
    (app.asked, app.roll) = (None, Roll::default());
    for tab in Tab::ALL {
        app.tab = tab;
        assert!(screen(&app, (80, 24)).contains("looking"));
    }
    app.asked = Some(Asked::default());
    app.tab = Tab::Hosts;
    assert!(screen(&app, (80, 24)).contains("No `isnguard run` stays"));
    app.life = Life::Gone;
    assert!(screen(&app, (80, 24)).contains("not attached"));
}

#[test]
fn no_size_is_too_small_or_too_odd() {
    for tab in Tab::ALL {
        for keys in [Keys::View, Keys::Help, Keys::Filter] {
            let mut app = app();
            (app.tab, app.keys) = (tab, keys);
            for size in [
                (1, 1),
                (5, 3),
                (20, 4),
                (21, 5),
                (33, 7),
                (500, 3),
                (20, 200),
            ] {
                screen(&app, size);
            }
        }
    }
}

fn tap(app: &mut App, code: KeyCode) -> Reply {
    press(app, KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn keys_do_what_help_says() {
    let mut app = app();
    for (key, tab) in [
        (KeyCode::Tab, Tab::Flows),
        (KeyCode::Right, Tab::Hosts),
        (KeyCode::Right, Tab::Overview),
        (KeyCode::Left, Tab::Hosts),
        (KeyCode::BackTab, Tab::Flows),
        (KeyCode::Char('1'), Tab::Overview),
        (KeyCode::Char('3'), Tab::Hosts),
    ] {
        tap(&mut app, key);
        assert_eq!(app.tab, tab, "{key:?}");
    }
    tap(&mut app, KeyCode::Char('s'));
    assert_eq!(app.host_order, HostOrder::Syns);
    tap(&mut app, KeyCode::Char('2'));
    tap(&mut app, KeyCode::Char('s'));
    assert_eq!(app.order, Order::Age);
    tap(&mut app, KeyCode::Char('p'));
    assert!(app.paused && screen(&app, (80, 24)).contains("PAUSED"));
    tap(&mut app, KeyCode::End);
    assert_eq!(app.scrolled, 58);
    tap(&mut app, KeyCode::PageUp);
    assert_eq!(app.scrolled, 48);
    tap(&mut app, KeyCode::Home);
    assert_eq!(app.scrolled, 0);
    let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(press(&mut app, control), Reply::Quit);
    assert_eq!(tap(&mut app, KeyCode::Char('q')), Reply::Quit);
}

#[test]
fn a_filter_is_written_kept_and_cleared() {
    let mut app = app();
    app.tab = Tab::Hosts;
    tap(&mut app, KeyCode::Char('/'));
    for letter in "2.11q".chars() {
        assert_eq!(tap(&mut app, KeyCode::Char(letter)), Reply::Draw);
    }
    tap(&mut app, KeyCode::Backspace);
    assert!(screen(&app, (80, 24)).contains("filter: 2.11_"));
    tap(&mut app, KeyCode::Enter);
    assert_eq!(app.hosts().unwrap().len(), 1);
    tap(&mut app, KeyCode::Esc);
    assert_eq!(app.hosts().unwrap().len(), 3);
    app.host_order = HostOrder::Rewritten;
    assert_eq!(app.hosts().unwrap()[0].rewritten, 40);
}

#[test]
fn lines_have_the_rates_and_the_tables() {
    let summary = Summary::new(&app(), SystemTime::UNIX_EPOCH);
    let mut out = Vec::new();
    summary.json(&mut out).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["time"], "1970-01-01T00:00:00.000Z");
    assert!((json["rates"]["packets_translated_in"].as_f64().unwrap() - 1_400.0).abs() < 1e-9);
    assert_eq!(json["tables"][0]["name"], "translated_v4");
    assert_eq!(json["tables"][0]["entries"], 60_000);
    assert_eq!(json["tables_complete"], true);
    assert_eq!(json["problems"].as_array().unwrap().len(), 1);
    let mut line = Vec::new();
    summary.text(&mut line).unwrap();
    let line = String::from_utf8(line).unwrap();
    assert_eq!(
        line.trim_end().split('\t').count(),
        Summary::columns().split('\t').count()
    );
}

#[test]
fn a_mode_that_is_not_known_is_null() {
    let mut app = app();
    let mode = |app: &App| {
        let mut out = Vec::new();
        Summary::new(app, SystemTime::UNIX_EPOCH)
            .json(&mut out)
            .unwrap();
        serde_json::from_slice::<serde_json::Value>(&out).unwrap()["mode"].clone()
    };
    assert!(mode(&app).is_string());
    app.asked = Some(Asked {
        problems: vec!["the pins cannot be trusted".into()],
        ..Asked::default()
    });
    assert!(mode(&app).is_null());
}
