//! `docs/rfc-map.md` says which RFC rules what, where it is done, and which test shows it: held against the sources.
//!
//! It needs no root and no kernel.

mod failing;
mod page;
mod sources;

use std::{collections::BTreeSet, fs, path::Path};

use self::{
    page::{PacketCase, Page, Rule},
    sources::{Test, labels},
};

const PAGE: &str = "docs/rfc-map.md";
/// How the page begins what no test shows yet.
const LATER: &str = "later: ";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace")
}

fn text() -> String {
    fs::read_to_string(root().join(PAGE)).expect("the page is there")
}

#[test]
fn the_page_agrees_with_the_sources() {
    let problems = problems(&text(), &sources::tests(root()));
    assert!(
        problems.is_empty(),
        "{PAGE} disagrees with the sources:\n  {}",
        problems.join("\n  ")
    );
}

/// A file of tests that its program does not name would never run, and nobody would miss it.
#[test]
fn every_file_of_tests_is_part_of_its_program() {
    for program in ["kernel", "net"] {
        let directory = root().join("tests/tests").join(program);
        let main = fs::read_to_string(directory.join("main.rs")).expect("a program");
        let entries = fs::read_dir(&directory).expect("the program's files");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let files: BTreeSet<String> = paths
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .filter(|name| name != "main")
            .collect();
        let modules = main
            .lines()
            .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
        let modules: BTreeSet<String> = modules.map(str::to_owned).collect();
        assert_eq!(modules, files, "{program}");
    }
}

/// What is wrong with the page.
fn problems(text: &str, tests: &[Test]) -> Vec<String> {
    let page = page::read(text);
    let mut problems = whole(&page);
    for rule in &page.rules {
        problems.extend(of_rule(rule, tests));
    }
    for case in &page.cases {
        problems.extend(of_case(case, &page, tests));
    }
    problems.extend(of_names(&page, tests));
    problems
}

/// Every rule and every packet case has exactly one line.
fn whole(page: &Page) -> Vec<String> {
    let numbered = (1..=25).map(|number| format!("S{number}"));
    let rules: Vec<String> = numbered.chain(["PAWS".to_owned()]).collect();
    let labels: Vec<String> = page.rules.iter().map(|rule| rule.label.clone()).collect();
    let mut problems = once_each("rule", &rules, &labels);
    let cases: Vec<String> = (1..=87).map(|number| number.to_string()).collect();
    let numbers: Vec<String> = page.cases.iter().map(|case| case.number.clone()).collect();
    problems.extend(once_each("packet case", &cases, &numbers));
    problems
}

fn once_each(what: &str, wanted: &[String], got: &[String]) -> Vec<String> {
    let times = |list: &[String], item: &String| list.iter().filter(|it| *it == item).count();
    let all: BTreeSet<&String> = wanted.iter().chain(got).collect();
    all.into_iter()
        .filter(|item| times(got, item) != times(wanted, item))
        .map(|item| format!("{what} {item}: {} lines", times(got, item)))
        .collect()
}

fn of_rule(rule: &Rule, tests: &[Test]) -> Vec<String> {
    let label = &rule.label;
    let mut problems = Vec::new();
    let numbered = rule.rfcs.split("RFC ").skip(1).all(|rest| {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        (3..=4).contains(&digits)
    });
    if !(rule.rfcs.contains("RFC ") && numbered || rule.rfcs == "none") {
        problems.push(format!("{label}: names no RFC, nor says none"));
    }
    if rule.files.is_empty() {
        problems.push(format!("{label}: no file"));
    }
    if rule.tests.is_empty() {
        problems.push(format!("{label}: no test"));
    }
    if !rule.remark.is_empty() && !is_later(&rule.remark) {
        problems.push(format!("{label}: \"{}\" is no test", rule.remark));
    }
    let missing = rule.files.iter().filter(|file| !is_there(file));
    problems.extend(missing.map(|file| format!("{label}: there is no {file}")));
    for reference in &rule.tests {
        let meant: Vec<&Test> = meant(tests, reference);
        if meant.is_empty() {
            problems.push(format!("{label}: there is no test {reference}"));
        } else if has_tables(&meant) && !meant.iter().any(|test| cites(test, label)) {
            problems.push(format!("{label}: {reference} does not name the rule"));
        }
    }
    let unlisted = tests.iter().filter(|test| test.rules().contains(label));
    let unlisted = unlisted.filter(|test| !is_listed(test, &rule.tests));
    problems.extend(unlisted.map(|test| format!("{label}: {} is not listed", test.name())));
    problems
}

/// A source, of the data plane's crate unless it says another.
fn is_there(file: &str) -> bool {
    let crates = ["", "isn-common/src"].map(|crate_name| root().join(crate_name).join(file));
    crates.iter().any(|path| path.is_file())
}

fn meant<'a>(tests: &'a [Test], reference: &str) -> Vec<&'a Test> {
    let meant = tests.iter().filter(|test| test.is_meant_by(reference));
    meant.collect()
}

/// Whether these tests play cases, which cite what they show.
fn has_tables(tests: &[&Test]) -> bool {
    tests.iter().any(|test| !test.cases.is_empty())
}

fn is_listed(test: &Test, references: &[String]) -> bool {
    let mut references = references.iter();
    references.any(|reference| test.is_meant_by(reference))
}

/// In a case, in its name, or in the header of its file.
fn cites(test: &Test, label: &str) -> bool {
    test.rules().contains(label) || labels(&test.header).contains(label)
}

/// Whether it says what is not shown yet.
fn is_later(remark: &str) -> bool {
    remark
        .strip_prefix(LATER)
        .is_some_and(|what| !what.is_empty())
}

fn of_case(case: &PacketCase, page: &Page, tests: &[Test]) -> Vec<String> {
    let number = &case.number;
    let mut problems = Vec::new();
    let known: BTreeSet<&String> = page.rules.iter().map(|rule| &rule.label).collect();
    let rules = labels(&case.rules);
    let unknown = rules.iter().filter(|label| !known.contains(label));
    problems.extend(unknown.map(|label| format!("case {number}: there is no rule {label}")));
    if rules.is_empty() {
        problems.push(format!("case {number}: no rule"));
    }
    let is_silent = case.tests.is_empty() || !case.remark.is_empty();
    if is_silent && !is_later(&case.remark) {
        problems.push(format!("case {number}: no test, and not \"{LATER}…\""));
    }
    for reference in &case.tests {
        let meant = meant(tests, reference);
        let cited = || {
            let mut cited = meant.iter().flat_map(|test| test.packet_cases());
            cited.any(|cited| cited.to_string() == *number)
        };
        if meant.is_empty() {
            problems.push(format!("case {number}: there is no test {reference}"));
        } else if has_tables(&meant) && !cited() {
            problems.push(format!("case {number}: {reference} does not cite it"));
        }
    }
    let citing = tests.iter().filter(|test| {
        let mut cited = test.packet_cases().into_iter();
        cited.any(|cited| cited.to_string() == *number)
    });
    let unlisted = citing.filter(|test| !is_listed(test, &case.tests));
    problems.extend(unlisted.map(|test| format!("case {number}: {} is not listed", test.name())));
    problems
}

/// Cases in tables begin with a rule, and no test cites a rule or a packet case that is not on the page.
fn of_names(page: &Page, tests: &[Test]) -> Vec<String> {
    let known: BTreeSet<&String> = page.rules.iter().map(|rule| &rule.label).collect();
    let numbers: BTreeSet<&String> = page.cases.iter().map(|case| &case.number).collect();
    let mut problems = Vec::new();
    for test in tests {
        let name = test.name();
        let mut cited = test.rules();
        cited.extend(labels(&test.header));
        let unknown = cited.iter().filter(|label| !known.contains(label));
        problems.extend(unknown.map(|label| format!("{name} cites {label}, which is no rule")));
        let cited = test.packet_cases().into_iter().map(|it| it.to_string());
        let unknown = cited.filter(|number| !numbers.contains(number));
        problems.extend(unknown.map(|it| format!("{name} cites {it}, which is no packet case")));
        let begins = |case: &&String| {
            case.split_once(':')
                .is_none_or(|(rules, _)| labels(rules).is_empty())
        };
        let unnamed = test.cases.iter().filter(begins);
        problems.extend(unnamed.map(|case| format!("{name}: \"{case}\" begins with no rule")));
    }
    problems
}
