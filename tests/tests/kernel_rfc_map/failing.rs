//! The check can fail: pages and sources with one mistake each.

use super::*;

/// The problems of the page after a change to it.
fn after(change: impl FnOnce(&str) -> String) -> Vec<String> {
    let text = text();
    let changed = change(&text);
    assert_ne!(changed, text, "nothing was changed");
    problems(&changed, &sources::tests(root()))
}

fn only(problems: &[String], wanted: &str) {
    assert_eq!(problems, [wanted.to_owned()]);
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
    let problems = after(|text| without(text, "| S21 "));
    assert!(
        problems.contains(&"rule S21: 0 lines".to_owned()),
        "{problems:?}"
    );
}

#[test]
fn a_packet_case_that_is_gone_or_doubled_is_noticed() {
    only(
        &after(|text| without(text, "| 70 ")),
        "packet case 70: 0 lines",
    );
    let doubled = after(|text| {
        let line = text.lines().find(|line| line.starts_with("| 70 "));
        let line = line.expect("case 70");
        text.replace(line, &format!("{line}\n{line}"))
    });
    only(&doubled, "packet case 70: 2 lines");
}

#[test]
fn a_misspelt_test_is_noticed() {
    let problems = after(|text| text.replace("frames_cut_at_every_length", "frames_cut"));
    let missing = "case 70: there is no test kernel_runts::frames_cut".to_owned();
    assert!(problems.contains(&missing), "{problems:?}");
}

#[test]
fn a_misspelt_file_is_noticed() {
    let wanted = "isn-common/src/previous.rs";
    let problems = after(|text| text.replace(wanted, "isn-common/src/preceding.rs"));
    let missing = "S14: there is no isn-common/src/preceding.rs".to_owned();
    assert!(problems.contains(&missing), "{problems:?}");
}

#[test]
fn a_test_that_is_not_listed_is_noticed() {
    let problems = after(|text| text.replace("`kernel_runts::frames_cut_at_every_length`", ""));
    let missing = "case 70: frames_cut_at_every_length is not listed";
    let missing = missing.replace("frames", "kernel_runts::frames");
    assert!(problems.contains(&missing), "{problems:?}");
}

#[test]
fn a_rule_that_is_cited_but_not_on_the_page_is_noticed() {
    let stray = Test {
        file: "tests/tests/kernel_stray".to_owned(),
        function: "strays".to_owned(),
        cases: vec!["S26: nothing (88)".to_owned(), "no rule".to_owned()],
        header: String::new(),
    };
    let mut all = sources::tests(root());
    all.push(stray);
    let found = problems(&text(), &all);
    assert_eq!(
        found,
        [
            "kernel_stray::strays cites S26, which is no rule",
            "kernel_stray::strays cites 88, which is no packet case",
            "kernel_stray::strays: \"no rule\" begins with no rule",
        ]
    );
}

#[test]
fn ranges_of_rules_are_read() {
    let found: Vec<_> = labels("(S9 to S11, S25; RFC 791)").into_iter().collect();
    assert_eq!(found, ["S10", "S11", "S25", "S9"]);
}
