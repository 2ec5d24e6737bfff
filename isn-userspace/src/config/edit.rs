//! Rules added to a configuration file and taken out of it, with everything else left as it stands: order, spaces, comments.

use std::path::Path;

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, RawString, Table, TableLike, value};

use super::read::read;
use crate::{
    failure::{Explain as _, Failure},
    settings::{Ports, Protect, Treatment, prefix},
};

/// A change to the rules of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// This rule, in the place of the one for the same prefix and ports.
    Add(Protect),
    /// No rule for this prefix and these ports; without ports, none for this prefix. One that is not there is no error.
    Remove(Protect),
}

/// The text of a file after these changes, which is read again before it counts.
pub fn edited(path: &Path, text: &str, edits: &[Edit]) -> Result<String, Failure> {
    let what = || format!("cannot change the rules in {}", path.display());
    let by_hand =
        "nothing was changed; change the file by hand, and reload it (isnguard config reload)";
    let before = read(path, text).map_err(|it| Failure::from(super::Unread::Text(it)))?;
    let mut document: DocumentMut = text.parse().explain(what(), by_hand)?;
    if before.protect.is_empty() {
        document.remove("protect");
    }
    for edit in edits {
        match edit {
            Edit::Add(rule) => add(&mut document, rule),
            Edit::Remove(rule) => remove(&mut document, rule),
        }
        .map_err(|why| Failure::new(what(), why, by_hand))?;
    }
    let after = document.to_string();
    read(path, &after).map_err(|faults| Failure::new(what(), faults.in_one_line(), by_hand))?;
    Ok(after)
}

fn add(document: &mut DocumentMut, rule: &Protect) -> Result<(), String> {
    let existing = position(document, |it| {
        it.prefix == rule.prefix && it.ports == [rule.ports]
    })?;
    if let Some(at) = existing {
        return with_rule(document, at, |table| set_mode(table, rule.mode));
    }
    // Before the first that covers it, or it would never apply.
    let covered = position(document, |it| {
        it.prefix == rule.prefix && it.ports.iter().any(|ports| ports.cover(rule.ports))
    })?;
    let item = document
        .entry("protect")
        .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    match item {
        Item::ArrayOfTables(tables) => {
            let at = covered.unwrap_or(tables.len());
            tables.insert(at, table(rule));
            place(tables, at);
        }
        Item::Value(toml_edit::Value::Array(array)) => {
            let at = covered.unwrap_or(array.len());
            array.insert(at, table(rule).into_inline_table());
        }
        _ => return Err("`protect` is no array of tables".into()),
    }
    Ok(())
}

/// Tables are written in the order of their positions: a new one goes right before the one that it comes before.
fn place(tables: &mut ArrayOfTables, at: usize) {
    let there = |nth: usize| tables.get(nth).and_then(Table::position);
    let position = there(at + 1).or_else(|| at.checked_sub(1).and_then(there));
    if let Some(table) = tables.get_mut(at) {
        table.set_position(position);
    }
}

fn remove(document: &mut DocumentMut, rule: &Protect) -> Result<(), String> {
    let meant = |it: &Written| {
        it.prefix == rule.prefix && (rule.ports == Ports::ALL || it.ports.contains(&rule.ports))
    };
    while let Some(at) = position(document, meant)? {
        let several = all(document)?.get(at).is_some_and(|it| it.ports.len() > 1);
        if several && rule.ports != Ports::ALL {
            with_rule(document, at, |table| drop_ports(table, rule.ports))?;
            continue;
        }
        match document.get_mut("protect") {
            Some(Item::ArrayOfTables(tables)) => {
                let removed = tables.remove(at);
                let comment = removed.decor().prefix().and_then(RawString::as_str);
                let comment = comment.unwrap_or_default().to_owned();
                keep_comment(document, at, &comment);
            }
            Some(Item::Value(toml_edit::Value::Array(array))) => drop(array.remove(at)),
            _ => return Err("`protect` is no array of tables".into()),
        }
    }
    Ok(())
}

/// What was written above a rule that goes stays, above the next one or at the end: it may be about more than the rule.
fn keep_comment(document: &mut DocumentMut, at: usize, comment: &str) {
    if comment.trim().is_empty() {
        return;
    }
    if let Some(Item::ArrayOfTables(tables)) = document.get_mut("protect")
        && let Some(next) = tables.get_mut(at)
    {
        let own = next.decor().prefix().and_then(RawString::as_str);
        let both = format!("{comment}{}", own.unwrap_or_default());
        next.decor_mut().set_prefix(both);
        return;
    }
    let trailing = document.trailing().as_str().unwrap_or_default();
    let both = format!("{comment}{trailing}");
    document.set_trailing(both);
}

/// A rule as it is written, with all its ports.
struct Written {
    prefix: ipnet::IpNet,
    ports: Vec<Ports>,
}

fn all(document: &DocumentMut) -> Result<Vec<Written>, String> {
    let tables: Vec<&dyn TableLike> = match document.get("protect") {
        None => Vec::new(),
        Some(Item::ArrayOfTables(tables)) => {
            tables.iter().map(|table| table as &dyn TableLike).collect()
        }
        Some(Item::Value(toml_edit::Value::Array(array))) => array
            .iter()
            .filter_map(|one| one.as_inline_table())
            .map(|table| table as &dyn TableLike)
            .collect(),
        Some(_) => return Err("`protect` is no array of tables".into()),
    };
    tables.into_iter().map(written).collect()
}

fn written(table: &dyn TableLike) -> Result<Written, String> {
    let network = table.get("prefix").and_then(Item::as_str);
    let ports = match table.get("ports") {
        None => vec![Ports::ALL],
        Some(Item::Value(toml_edit::Value::Array(array))) => {
            array.iter().map(ports_of).collect::<Result<_, _>>()?
        }
        Some(item) => vec![ports_of(item.as_value().ok_or("`ports` is no value")?)?],
    };
    Ok(Written {
        prefix: prefix(network.unwrap_or_default())?,
        ports,
    })
}

fn ports_of(value: &toml_edit::Value) -> Result<Ports, String> {
    match value.as_integer() {
        Some(port) => port.to_string().parse(),
        None => value.as_str().unwrap_or_default().parse(),
    }
}

fn position(
    document: &DocumentMut,
    meant: impl Fn(&Written) -> bool,
) -> Result<Option<usize>, String> {
    Ok(all(document)?.iter().position(meant))
}

fn with_rule(
    document: &mut DocumentMut,
    at: usize,
    change: impl FnOnce(&mut dyn TableLike),
) -> Result<(), String> {
    match document.get_mut("protect") {
        Some(Item::ArrayOfTables(tables)) => tables.get_mut(at).map(|it| change(it)),
        Some(Item::Value(toml_edit::Value::Array(array))) => {
            let table = array.get_mut(at).and_then(|it| it.as_inline_table_mut());
            table.map(|it| change(it))
        }
        _ => None,
    }
    .ok_or_else(|| "the rule is gone".into())
}

fn set_mode(table: &mut dyn TableLike, mode: Option<Treatment>) {
    match (mode, table.get_mut("mode")) {
        (None, _) => drop(table.remove("mode")),
        (Some(mode), Some(Item::Value(old))) => {
            let decor = old.decor().clone();
            *old = mode.name().into();
            *old.decor_mut() = decor;
        }
        (Some(mode), _) => drop(table.insert("mode", value(mode.name()))),
    }
}

fn drop_ports(table: &mut dyn TableLike, gone: Ports) {
    if let Some(Item::Value(toml_edit::Value::Array(array))) = table.get_mut("ports") {
        array.retain(|it| ports_of(it) != Ok(gone));
    }
}

fn table(rule: &Protect) -> Table {
    let mut table = Table::new();
    table.insert("prefix", value(rule.prefix.to_string()));
    if rule.ports != Ports::ALL {
        let ports: Array = [rule.ports.to_string()].into_iter().collect();
        table.insert("ports", value(ports));
    }
    if let Some(mode) = rule.mode {
        table.insert("mode", value(mode.name()));
    }
    table.decor_mut().set_prefix("\n");
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Gateway of the plant\n\
        inside = [\"eth1\"] # the hosts\n\
        \n\
        # The PLCs, see ticket 7\n\
        [[protect]]\n\
        prefix = \"10.0.0.0/8\" # all\n\
        \n\
        # The printers\n\
        [[protect]]\n\
        prefix = \"192.0.2.0/24\"\n\
        ports = [80, \"1000-2000\"]\n\
        mode = \"observe\" # for now\n\
        # the end\n";

    fn edit(text: &str, edits: &[&str]) -> Result<String, Failure> {
        let edits: Vec<Edit> = edits
            .iter()
            .map(|it| match it.split_at(1) {
                ("+", rule) => Edit::Add(rule.parse().unwrap()),
                (_, rule) => Edit::Remove(rule.parse().unwrap()),
            })
            .collect();
        edited(Path::new("f.toml"), text, &edits)
    }

    fn comments(text: &str) -> Vec<String> {
        let comment = |line: &str| line.split_once('#').map(|it| it.1.to_owned());
        text.lines().filter_map(comment).collect()
    }

    fn rules(text: &str) -> Vec<String> {
        let given = read(Path::new("f.toml"), text).unwrap();
        given
            .protect
            .iter()
            .map(|it| it.value.to_string())
            .collect()
    }

    #[test]
    fn a_rule_is_added_behind_the_others_and_nothing_else_changes() {
        let after = edit(FILE, &["+2001:db8::/32,mode=keyed"]).unwrap();
        let (before, end) = FILE.split_at(FILE.find("# the end").unwrap());
        assert!(after.starts_with(before), "{after}");
        assert!(
            after.contains("\n[[protect]]\nprefix = \"2001:db8::/32\"\nmode = \"keyed\"\n"),
            "{after}"
        );
        assert_eq!(comments(&after), comments(FILE));
        assert!(after.contains(end.trim()), "{after}");
    }

    #[test]
    fn a_narrower_rule_is_put_before_the_one_that_covers_it() {
        let after = edit(FILE, &["+10.0.0.0/8,port=102,mode=off"]).unwrap();
        assert_eq!(
            rules(&after),
            [
                "10.0.0.0/8,port=102,mode=off",
                "10.0.0.0/8",
                "192.0.2.0/24,port=80,mode=observe",
                "192.0.2.0/24,port=1000-2000,mode=observe"
            ],
            "{after}"
        );
        assert_eq!(comments(&after), comments(FILE));
    }

    #[test]
    fn a_mode_is_changed_where_it_stands() {
        let one = "[[protect]]\nprefix = \"10.0.0.0/8\"\nmode = \"keyed\" # why\n";
        assert_eq!(
            edit(one, &["+10.0.0.0/8,mode=observe"]).unwrap(),
            one.replace("keyed", "observe")
        );
    }

    #[test]
    fn what_goes_leaves_the_comments() {
        let after = edit(FILE, &["-10.0.0.0/8"]).unwrap();
        assert_eq!(rules(&after).len(), 2);
        assert!(
            after.contains("# The PLCs, see ticket 7") && after.contains("# Gateway"),
            "{after}"
        );
        let after = edit(FILE, &["-192.0.2.0/24,port=80"]).unwrap();
        assert_eq!(
            rules(&after),
            ["10.0.0.0/8", "192.0.2.0/24,port=1000-2000,mode=observe"]
        );
        assert_eq!(comments(&after), comments(FILE));
        let after = edit(&after, &["-192.0.2.0/24,port=1000-2000"]).unwrap();
        assert_eq!(rules(&after), ["10.0.0.0/8"]);
        assert!(
            after.contains("# The printers") && after.contains("# the end"),
            "{after}"
        );
    }

    #[test]
    fn rules_in_one_line_stay_there() {
        let text = "inside = \"eth1\"\nprotect = [{ prefix = \"10.0.0.0/8\" }] # short\n";
        let after = edit(text, &["+192.0.2.0/24", "+10.0.0.0/8,port=80,mode=off"]).unwrap();
        assert_eq!(
            rules(&after),
            ["10.0.0.0/8,port=80,mode=off", "10.0.0.0/8", "192.0.2.0/24"],
            "{after}"
        );
        let after = edit(&after, &["-10.0.0.0/8,port=80", "-192.0.2.0/24"]).unwrap();
        assert_eq!(rules(&after), ["10.0.0.0/8"]);
        assert!(after.contains("# short"), "{after}");
    }

    #[test]
    fn what_is_not_there_need_not_go() {
        assert_eq!(edit(FILE, &["-10.9.0.0/16"]).unwrap(), FILE);
        assert_eq!(edit(FILE, &["-10.0.0.0/8,port=80"]).unwrap(), FILE);
    }

    #[test]
    fn a_file_without_rules_gets_its_first() {
        let after = edit("# nothing yet\n", &["+10.0.0.0/8"]).unwrap();
        assert_eq!(rules(&after), ["10.0.0.0/8"]);
        assert_eq!(comments(&after), [" nothing yet"]);
    }

    #[test]
    fn what_would_not_be_a_configuration_is_refused() {
        let refused = |text: &str, edits: &[&str]| edit(text, edits).unwrap_err().to_string();
        assert!(refused("mod = 1\n", &["+10.0.0.0/8"]).contains("unknown key `mod`"));
        let nine: Vec<String> = (1..=9)
            .map(|port| format!("+10.9.0.0/16,port={port}"))
            .collect();
        let nine: Vec<&str> = nine.iter().map(String::as_str).collect();
        assert!(refused(FILE, &nine).contains("more than 8 port ranges"));
    }
}
