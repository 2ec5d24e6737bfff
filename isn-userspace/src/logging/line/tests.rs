//! Lines as they are written.

use std::sync::{Arc, Mutex};

use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt as _};

use super::*;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn written(format: LogFormat, journal: bool, work: impl FnOnce()) -> String {
    let written = Written::default();
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(written.clone())
        .with_ansi(false)
        .event_format(Line::new(format, journal));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    let octets = written.0.lock().unwrap().clone();
    String::from_utf8(octets).unwrap()
}

const EVIL: &str = "eth0\u{1b}[2J\nERROR forged \u{202e}\u{9b}31m";

#[test]
fn what_comes_from_outside_stays_on_its_line() {
    let line = written(LogFormat::Text, false, || {
        tracing::warn!(interface = EVIL, count = 3, "`{EVIL}` is gone");
    });
    let evil = r"eth0\u{1b}[2J\nERROR forged \u{202e}\u{9b}31m";
    assert_eq!(
        line,
        format!(" WARN `{evil}` is gone count=3 interface={evil}\n")
    );
}

#[test]
fn an_object_a_line_with_everything_in_it() {
    let line = written(LogFormat::Json, false, || {
        tracing::info!(interface = EVIL, count = 3, ok = true, "`{EVIL}` is gone");
    });
    assert_eq!(line.matches('\n').count(), 1);
    let shown = line.trim_end();
    assert_eq!(visible(shown), shown, "nothing acts on a terminal");
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(object["message"], format!("`{EVIL}` is gone"));
    assert_eq!(
        (&object["level"], &object["count"]),
        (&"info".into(), &3.into())
    );
    assert_eq!(
        (&object["interface"], &object["ok"]),
        (&EVIL.into(), &true.into())
    );
    assert!(
        object["target"]
            .as_str()
            .unwrap()
            .starts_with("isnguard::logging")
    );
    assert!(
        object["timestamp"].as_str().unwrap().ends_with('Z'),
        "{object}"
    );
}

#[test]
fn the_journal_is_told_how_important_a_line_is() {
    let lines = written(LogFormat::Text, true, || {
        tracing::error!("a");
        tracing::warn!("b");
        tracing::info!("c");
        tracing::debug!("d");
    });
    assert_eq!(lines, "<3>ERROR a\n<4> WARN b\n<6> INFO c\n<7>DEBUG d\n");
}
