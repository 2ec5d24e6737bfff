//! What the page on troubles mentions is there.

use std::collections::BTreeSet;

use isn_common::counter::Counter;

use super::Check;

const PAGE: &str = include_str!("../../../docs/troubleshooting.md");
/// Counters that are made of others.
const MADE: [&str; 3] = ["packets_seen", "half_open_evicted", "history_evicted"];

/// Words in backticks behind this word.
fn behind(word: &str) -> BTreeSet<&'static str> {
    let page = PAGE.split("```").step_by(2);
    let pieces = page.flat_map(|text| text.match_indices(word).map(move |(at, _)| &text[at..]));
    let quoted = pieces.filter_map(|piece| {
        let (before, rest) = piece.split_once('`')?;
        let (name, _) = rest.split_once('`')?;
        (before.trim_end() == word).then_some(name)
    });
    quoted.collect()
}

#[test]
fn every_check_is_on_the_page_and_no_other() {
    let mut named = behind("check");
    named.extend(behind("Check"));
    let there: BTreeSet<&str> = Check::ALL.iter().map(|it| it.name()).collect();
    assert_eq!(named, there);
}

#[test]
fn every_counter_on_the_page_is_counted() {
    let quoted = PAGE.split('`').skip(1).step_by(2);
    let is_counter =
        |it: &&str| it.contains('_') && it.chars().all(|it| it == '_' || it.is_ascii_lowercase());
    let mut named: BTreeSet<&str> = quoted.filter(is_counter).collect();
    named.extend(behind("counter"));
    named.extend(behind("Counter"));
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let counted = Counter::ALL.iter().any(|it| it.name() == name);
        assert!(
            counted || MADE.contains(&name),
            "no counter is called {name}"
        );
    }
}
