//! Rules of a configuration file, `[[protect]]`: a prefix, ports, a mode; and what they are worth together.

use std::ops::Range;

use toml::{Spanned, de::DeTable};

use super::{
    fault::{Fault, line_of},
    given::{Given, Origin, Said},
    keys::{RULE_KEYS, suggestion},
    value::{Reader, Value, whole},
};
use crate::settings::{Mode, Ports, Protect, Treatment, prefix};

/// Rules that fit into one prefix.
const MOST_RULES: usize = isn_common::abi::policy::Policy::MOST_RULES;

/// A rule and the octets of the value that it is about.
struct Rule {
    span: Range<usize>,
    protect: Protect,
}

/// Reads all rules.
pub fn rules(reader: &mut Reader<'_>, text: &str, at: &Value<'_>, given: &mut Given) {
    let mut all = Vec::new();
    for one in Reader::each(at) {
        match one.get_ref().as_table() {
            Some(table) => rule(reader, one.span(), table, &mut all),
            None => reader.wrong(
                one,
                "a rule must be a table",
                "write it like: [[protect]], and prefix = \"192.0.2.0/24\" in the next line",
            ),
        }
    }
    together(reader, text, &all);
    given.protect = all
        .iter()
        .map(|rule| Said {
            value: rule.protect,
            origin: Origin::Line(line_of(text, rule.span.start)),
        })
        .collect();
}

fn rule(reader: &mut Reader<'_>, span: Range<usize>, table: &DeTable<'_>, all: &mut Vec<Rule>) {
    let (mut network, mut ports, mut mode) = (None, vec![Ports::ALL], None);
    let mut has_prefix = false;
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "prefix" => {
                has_prefix = true;
                let said = reader.parsed(&RULE_KEYS, "prefix", value, prefix);
                network = said.map(|it| (value.span(), it.value));
            }
            "ports" => ports = port_ranges(reader, value),
            "mode" => mode = treatment(reader, value),
            unknown => unknown_key(reader, key, unknown),
        }
    }
    if !has_prefix {
        let span = span.start..span.end.min(span.start + "[[protect]]".len());
        let remedy =
            "name the hosts: prefix = \"192.0.2.0/24\" (0.0.0.0/0 and ::/0 are every host)";
        let fault = Fault::new(span, "this rule has no `prefix`", remedy);
        reader.faults.push(fault);
    }
    if let Some((span, prefix)) = network {
        all.extend(ports.into_iter().map(|ports| Rule {
            span: span.clone(),
            protect: Protect {
                prefix,
                ports,
                mode,
            },
        }));
    }
}

fn treatment(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Treatment> {
    let words = Treatment::ALL.map(|it| (it.name(), it));
    let said = reader.word(&RULE_KEYS, "mode", value, &words);
    said.map(|it| it.value)
}

fn unknown_key(reader: &mut Reader<'_>, key: &Spanned<toml::de::DeString<'_>>, unknown: &str) {
    let what = format!("unknown key `{}` in a rule", unknown.escape_debug());
    let fault = Fault::new(key.span(), what, suggestion(&RULE_KEYS, unknown));
    reader.faults.push(fault);
}

/// One port or range, or several of them.
fn port_ranges(reader: &mut Reader<'_>, at: &Value<'_>) -> Vec<Ports> {
    let mut ranges = Vec::new();
    for one in Reader::each(at) {
        let number = one.get_ref().as_integer().map(|it| match whole(it) {
            Some(port) => port.to_string(),
            None => it.to_string(),
        });
        let Some(text) = number.or_else(|| one.get_ref().as_str().map(str::to_owned)) else {
            reader.type_of(
                &RULE_KEYS,
                "ports",
                one,
                "a port, a range, or an array of these",
            );
            continue;
        };
        match text.parse::<Ports>() {
            Ok(range) => ranges.push(range),
            Err(_) => reader.wrong(
                one,
                format!("`{}` is neither a port nor a range", text.escape_debug()),
                "write a port from 1 to 65535, or a range such as \"1000-2000\", the lower end first",
            ),
        }
    }
    if ranges.is_empty() && Reader::each(at).is_empty() {
        reader.wrong(at, "no port is named", "leave `ports` away for all ports");
    }
    ranges
}

/// What rules are worth together: each must be able to apply, and one must guard.
fn together(reader: &mut Reader<'_>, text: &str, all: &[Rule]) {
    for (nth, rule) in all.iter().enumerate() {
        let mut earlier = all[..nth]
            .iter()
            .filter(|it| it.protect.prefix == rule.protect.prefix);
        let Protect { prefix, ports, .. } = rule.protect;
        if earlier.clone().count() == MOST_RULES {
            let what = format!("more than {MOST_RULES} port ranges for {prefix}");
            let remedy = "merge ranges, or split the prefix";
            reader
                .faults
                .push(Fault::new(rule.span.clone(), what, remedy));
        }
        let Some(first) = earlier.find(|it| it.protect.ports.cover(ports)) else {
            continue;
        };
        let line = line_of(text, first.span.start);
        let fault = if first.protect.ports == ports {
            Fault::new(
                rule.span.clone(),
                format!("{prefix} is named twice for ports {ports}: in line {line} already"),
                "leave one of them away; for several modes give each rule its own `ports`",
            )
        } else {
            Fault::new(
                rule.span.clone(),
                format!(
                    "this rule for ports {ports} of {prefix} would never apply: the one in line {line} covers ports {}",
                    first.protect.ports
                ),
                "put the narrower range first, or leave one away",
            )
        };
        reader.faults.push(fault);
    }
    let guards = |it: &Rule| it.protect.mode != Some(Treatment::Exempt);
    if let Some(first) = all.first().filter(|_| !all.iter().any(guards)) {
        let what = "every rule takes hosts out, and none guards any";
        let remedy = "name what is guarded too (0.0.0.0/0 and ::/0 are every host)";
        reader
            .faults
            .push(Fault::new(first.span.clone(), what, remedy));
    }
}

/// Whether any connection is keyed by these rules.
pub fn is_keyed(given: &Given) -> bool {
    let keyed = Treatment::Guard(Mode::Keyed);
    let general = given.mode.as_ref().map(|it| Treatment::Guard(it.value));
    let mode = |it: &Said<Protect>| it.value.mode.or(general);
    given.protect.iter().any(|it| mode(it) == Some(keyed))
        || given.protect.is_empty() && general == Some(keyed)
}
