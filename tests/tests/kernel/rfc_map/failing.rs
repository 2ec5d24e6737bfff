//! The check can fail: pages and sources with one mistake each.

use super::*;

/// The problems of the page after a change to it.
fn after(change: impl FnOnce(&str) -> String) -> Vec<String> {
    let text = text();
    let changed = change(&text);
    assert!(changed != text, "nothing was changed");
    problems(&changed, &sources::tests(root()))
}

fn among(problems: &[String], wanted: &str) {
    assert!(
        problems.iter().any(|problem| problem == wanted),
        "\"{wanted}\" is not among {problems:#?}"
    );
}

/// The page without its first line that begins so.
fn without(text: &str, beginning: &str) -> String {
    let mut gone = false;
    let mut kept = |line: &&str| {
        gone || {
            gone = line.starts_with(beginning);
            !gone
        }
    };
    let lines: Vec<&str> = text.lines().filter(|line| kept(line)).collect();
    lines.join("\n")
}

#[test]
fn a_rule_that_is_gone_is_missed() {
    let problems = after(|text| without(text, "| **S21** "));
    among(&problems, "rule S21: 0 lines");
    let cited =
        "connection::s21_a_forged_far_ahead_segment_moves_nothing cites S21, which is no rule";
    among(&problems, cited);
}

#[test]
fn a_packet_case_that_is_gone_or_doubled_is_noticed() {
    let gone = after(|text| without(text, "| 70 "));
    among(&gone, "packet case 70: 0 lines");
    let doubled = after(|text| {
        let line = text.lines().find(|line| line.starts_with("| 70 "));
        let line = line.expect("case 70");
        text.replace(line, &format!("{line}\n{line}"))
    });
    among(&doubled, "packet case 70: 2 lines");
}

#[test]
fn a_misspelt_test_is_noticed() {
    let problems = after(|text| text.replace("`kernel/runts`", "`kernel/rnuts`"));
    among(&problems, "case 70: there is no test kernel/rnuts");
}

#[test]
fn a_rule_without_a_test_or_an_rfc_is_noticed() {
    let problems = after(|text| {
        let line = text.lines().find(|line| line.starts_with("| **S6** "));
        let line = line.expect("S6");
        let cells: Vec<&str> = line.split('|').collect();
        text.replace(
            line,
            &format!("| **S6** |{}| | `opening.rs` | soon |", cells[2]),
        )
    });
    among(&problems, "S6: no test");
    among(&problems, "S6: \"soon\" is no test");
    among(&problems, "S6: names no RFC, nor says none");
}

#[test]
fn a_misspelt_file_is_noticed() {
    let problems = after(|text| text.replace("`previous.rs`", "`preceding.rs`"));
    among(&problems, "S14: there is no preceding.rs");
}

#[test]
fn a_test_that_is_not_listed_is_noticed() {
    let problems = after(|text| text.replace("`kernel/runts`", ""));
    among(
        &problems,
        "case 70: kernel/runts::frames_cut_at_every_length is not listed",
    );
}

#[test]
fn a_rule_that_is_cited_but_not_on_the_page_is_noticed() {
    let stray = Test {
        file: "tests/tests/kernel/stray".to_owned(),
        function: "strays".to_owned(),
        cases: vec!["S26: nothing (88)".to_owned(), "no rule".to_owned()],
        header: String::new(),
    };
    let mut all = sources::tests(root());
    all.push(stray);
    let found = problems(&text(), &all);
    among(&found, "kernel/stray::strays cites S26, which is no rule");
    among(
        &found,
        "kernel/stray::strays cites 88, which is no packet case",
    );
    among(
        &found,
        "kernel/stray::strays: \"no rule\" begins with no rule",
    );
}

#[test]
fn ranges_of_rules_are_read() {
    let found: Vec<_> = labels("(S9 to S11, S25; RFC 791)").into_iter().collect();
    assert_eq!(found, ["S10", "S11", "S25", "S9"]);
}
