//! One event, one line.

#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
};

use super::{LogFormat, damper};
use crate::report::visible;

/// How events are written.
pub struct Line {
    format: LogFormat,
    journal: bool,
}

impl Line {
    /// In this form; for the journal, with a priority before each line.
    pub const fn new(format: LogFormat, journal: bool) -> Self {
        Self { format, journal }
    }
}

/// A level as syslog numbers it (RFC 5424 section 6.2.1).
const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// What an event says.
#[derive(Default)]
pub struct Said {
    /// Its sentence.
    pub message: String,
    /// Its other fields.
    pub fields: Map<String, Value>,
}

impl Said {
    /// What `event` says.
    pub fn by(event: &Event) -> Self {
        let mut said = Self::default();
        event.record(&mut said);
        said
    }

    fn put(&mut self, field: &Field, value: Value) {
        // Where a line of the `log` crate came from is in its metadata.
        if !field.name().starts_with("log.") {
            self.fields.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.put(field, text.into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.put(field, value.into());
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut said = Said::by(event);
        let repeated = damper::left_out();
        if repeated > 0 {
            said.fields.insert("repeated".into(), repeated.into());
        }
        let normal = event.normalized_metadata();
        let about = normal.as_ref().unwrap_or_else(|| event.metadata());
        if self.journal {
            write!(out, "<{}>", priority(*about.level()))?;
        }
        match self.format {
            LogFormat::Text => text(&mut out, about, &said),
            LogFormat::Json => json(&mut out, about, said),
        }
    }
}

fn text(out: &mut Writer<'_>, about: &Metadata<'_>, said: &Said) -> fmt::Result {
    let level = about.level();
    if out.has_ansi_escapes() {
        let color = match *level {
            Level::ERROR => 31,
            Level::WARN => 33,
            Level::INFO => 32,
            Level::DEBUG => 34,
            Level::TRACE => 35,
        };
        write!(out, "\x1b[{color}m{level:>5}\x1b[0m ")?;
    } else {
        write!(out, "{level:>5} ")?;
    }
    out.write_str(&visible(&said.message))?;
    for (name, value) in &said.fields {
        let value = match value {
            Value::String(text) => visible(text),
            other => other.to_string(),
        };
        write!(out, " {name}={value}")?;
    }
    out.write_char('\n')
}

fn json(out: &mut Writer<'_>, about: &Metadata<'_>, said: Said) -> fmt::Result {
    let mut timestamp = String::new();
    SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
    let mut line = said.fields;
    let level = about.level().as_str().to_ascii_lowercase();
    for (name, value) in [
        ("timestamp", timestamp),
        ("level", level),
        ("target", about.target().to_owned()),
        ("message", said.message),
    ] {
        line.insert(name.into(), value.into());
    }
    writeln!(out, "{}", escaped(&Value::Object(line).to_string()))
}

/// JSON leaves some characters as they are that act on terminals; outside its strings there are none.
fn escaped(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if visible(c.encode_utf8(&mut [0; 4])).chars().eq([c]) {
            shown.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
    }
    shown
}
