//! The effective configuration, value by value, with where each came from.

use serde::Serialize;

use super::{
    given::{Origin, Said},
    source::{Loaded, completed},
};
use crate::{
    dataplane::Capacities,
    key::KeyFile,
    settings::{OnFull, Placement, Protect, TcFlavour, mode_name},
};

/// A key and its value, as JSON and TOML both write it.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// The value; `null` where nothing is set.
    pub value: serde_json::Value,
    /// `file`, `command-line` or `default`.
    pub origin: &'static str,
    /// The line of the file.
    pub line: Option<usize>,
}

/// A rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleLine {
    /// The prefix.
    pub prefix: String,
    /// `all`, a port, or a range.
    pub ports: String,
    /// The mode, that of the file if the rule names none.
    pub mode: &'static str,
    /// As that of a setting.
    pub origin: &'static str,
    /// The line of the file.
    pub line: Option<usize>,
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// The file, if there is one.
    pub file: Option<String>,
    /// Values.
    pub settings: Vec<Setting>,
    /// Rules.
    pub protect: Vec<RuleLine>,
}

impl Shown {
    /// What a configuration comes to.
    #[must_use]
    pub fn new(loaded: &Loaded) -> Self {
        Self {
            file: loaded.file.as_ref().map(|it| it.display().to_string()),
            settings: settings(loaded),
            protect: rules(loaded),
        }
    }
}

fn origin(said: Option<Origin>) -> (&'static str, Option<usize>) {
    match said {
        Some(Origin::Line(line)) => ("file", Some(line)),
        Some(Origin::CommandLine) => ("command-line", None),
        None => ("default", None),
    }
}

fn setting(
    key: &'static str,
    said: Option<Origin>,
    value: impl Into<serde_json::Value>,
) -> Setting {
    let (origin, line) = origin(said);
    Setting {
        key,
        value: value.into(),
        origin,
        line,
    }
}

fn settings(loaded: &Loaded) -> Vec<Setting> {
    fn by<T>(said: Option<&Said<T>>) -> Option<Origin> {
        said.map(|it| it.origin)
    }
    // Without a file, what is not said is kept where an instance is there; a new one gets the defaults.
    let (given, request) = (&loaded.given, &completed(loaded.request.clone()));
    let place = &request.place;
    let room = Capacities::wanted(request);
    let key_file = KeyFile::choose(request.key_file.as_deref(), &place.instance);
    let metrics: Vec<String> = given
        .metrics
        .iter()
        .map(|it| it.value.to_string())
        .collect();
    let mut all = vec![
        setting(
            "instance",
            by(given.instance.as_ref()),
            place.instance.as_str(),
        ),
        setting("bpffs", by(given.bpffs.as_ref()), shown(&place.bpffs)),
    ];
    all.extend([Placement::Inside, Placement::Outside].map(|side| {
        let placed = || given.placed.iter().filter(|it| it.value.placement == side);
        let names: Vec<&str> = placed().map(|it| it.value.interface.as_str()).collect();
        setting(side.name(), by(placed().next()), names)
    }));
    all.extend([
        setting("forward", by(given.forward.as_ref()), request.forwards()),
        setting(
            "forward-past-rules",
            by(given.forward_past_rules.as_ref()),
            request.forward_past_rules == Some(true),
        ),
        setting(
            "mode",
            by(given.mode.as_ref()),
            request.mode.map_or("monotonic", mode_name),
        ),
        setting(
            "hook",
            by(given.hook.as_ref()),
            request.hook.map_or("auto", |it| it.name()),
        ),
        setting(
            "tc-flavour",
            by(given.tc_flavour.as_ref()),
            request.tc_flavour.map(TcFlavour::name),
        ),
        setting("history", by(given.history.as_ref()), request.history),
        setting("idle", by(given.idle.as_ref()), request.idle),
        setting("closing", by(given.closing.as_ref()), request.closing),
        setting("max-flows", by(given.max_flows.as_ref()), room.flows),
        setting(
            "max-half-open",
            by(given.max_half_open.as_ref()),
            room.half_open,
        ),
        setting("max-history", by(given.max_history.as_ref()), room.history),
        setting(
            "on-full",
            by(given.on_full.as_ref()),
            match request.on_full {
                Some(OnFull::Drop) => "drop",
                _ => "pass",
            },
        ),
        setting("samples", by(given.samples.as_ref()), request.samples),
        setting(
            "key-file",
            by(given.key_file.as_ref()),
            shown(key_file.path()),
        ),
        setting("adopt", by(given.adopt.as_ref()), request.adopt),
        setting("metrics", by(given.metrics.first()), metrics),
    ]);
    all
}

fn shown(path: &std::path::Path) -> String {
    path.display().to_string()
}

fn rules(loaded: &Loaded) -> Vec<RuleLine> {
    let general = loaded.request.mode.map_or("monotonic", mode_name);
    let line = |rule: &Protect, said: Option<Origin>| {
        let (origin, line) = origin(said);
        RuleLine {
            prefix: rule.prefix.to_string(),
            ports: rule.ports.to_string(),
            mode: rule.mode.map_or(general, |it| it.name()),
            origin,
            line,
        }
    };
    if loaded.given.protect.is_empty() {
        return Protect::everything()
            .iter()
            .map(|rule| line(rule, None))
            .collect();
    }
    let said = loaded.given.protect.iter();
    said.map(|it| line(&it.value, Some(it.origin))).collect()
}
