//! What is written about the configuration says what the code says.

use std::path::Path;

use super::{
    Given, Shown, Source,
    keys::{KEYS, Key, RULE_KEYS},
    read,
};
use crate::settings::Place;

const MANUAL: &str = include_str!("../../../docs/configuration.md");
const EXAMPLE: &str = include_str!("../../../packaging/isnguard.toml");

/// First and last-but-`behind` cell of the rows of a table below a heading.
fn rows(heading: &str, default_at: usize) -> Vec<(String, String)> {
    let section = MANUAL.split(heading).nth(1).expect("the heading is there");
    let lines = section.lines().skip_while(|line| !line.starts_with("|---"));
    let table = lines.skip(1).take_while(|line| line.starts_with('|'));
    table
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (
                cells[1].trim_matches('`').to_owned(),
                cells[default_at].to_owned(),
            )
        })
        .collect()
}

fn ensure_all_there(documented: &[(String, String)], keys: &[Key]) {
    for key in keys {
        let found = documented.iter().find(|(name, _)| name == key.name);
        let (_, default) = found.unwrap_or_else(|| panic!("`{}` is not documented", key.name));
        assert_eq!(default, key.default, "default of `{}`", key.name);
    }
    assert_eq!(documented.len(), keys.len(), "{documented:?}");
}

#[test]
fn every_key_is_documented_with_its_default() {
    ensure_all_there(&rows("## Keys", 3), &KEYS);
    ensure_all_there(&rows("## Rules", 3), &RULE_KEYS);
}

#[test]
fn defaults_are_those_that_apply() {
    let source = Source {
        file: None,
        said: Given::default(),
        place: Place {
            instance: "default".parse().unwrap(),
            bpffs: "/sys/fs/bpf".into(),
        },
        verbose: false,
    };
    let shown = Shown::new(&source.with(Given::default()).unwrap());
    for setting in shown.settings {
        let key = KEYS.iter().find(|key| key.name == setting.key).unwrap();
        let said = key.default.trim_matches('`');
        let applies = match &setting.value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match key.name {
            "inside" | "outside" => assert_eq!((said, applies.as_str()), ("none", "[]")),
            "metrics" => assert_eq!((said, applies.as_str()), ("off", "[]")),
            "tc-flavour" | "adopt" => assert!(setting.value.is_null()),
            "key-file" => {
                assert!(applies.ends_with("isnguard/default.key") && said.contains("INSTANCE.key"));
            }
            _ => assert_eq!(applies, said, "{}", key.name),
        }
        assert_eq!(setting.origin, "default");
    }
    assert_eq!(shown.protect.len(), 2);
}

#[test]
fn the_example_of_the_manual_is_valid() {
    let toml = MANUAL
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let given = read(Path::new("manual"), toml).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(given.protect.len(), 2);
}

#[test]
fn the_example_file_is_valid_and_has_every_key() {
    let path = Path::new("packaging/isnguard.toml");
    assert_eq!(
        read(path, EXAMPLE).unwrap(),
        Given::default(),
        "it says nothing by itself"
    );
    let on = |line: &str| {
        let code = line
            .strip_prefix('#')
            .filter(|it| it.starts_with(|c: char| c.is_ascii_lowercase() || c == '['));
        code.unwrap_or(line).to_owned()
    };
    let lines: Vec<String> = EXAMPLE.lines().map(on).collect();
    // Keys of the file itself come before the first rule; one side is enough; and `adopt` is for keyed mode.
    let rule_at = lines.iter().position(|line| line == "[[protect]]").unwrap();
    let is_rule = |nth: &usize| (rule_at..rule_at + 4).contains(nth);
    let of = |wanted: bool| -> String {
        let kept = (0..lines.len()).filter(|nth| is_rule(nth) == wanted);
        let kept: Vec<&str> = kept.map(|nth| lines[nth].as_str()).collect();
        kept.join("\n") + "\n"
    };
    let whole = of(false)
        .replace("outside =", "# outside =")
        .replace("mode = \"monotonic\"", "mode = \"keyed\"")
        + &of(true).replace("observe", "keyed");
    let given = read(path, &whole).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(given.protect.len(), 2);
    for key in KEYS {
        let is_there = lines.iter().any(|line| {
            line.starts_with(&format!("{} =", key.name)) || line == &format!("[[{}]]", key.name)
        });
        assert!(is_there, "`{}` is not in the example", key.name);
    }
}
