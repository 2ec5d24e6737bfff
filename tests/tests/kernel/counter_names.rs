//! Every counter has a name, a sentence of help, and a line in what the operator sees (S13).

use isn_common::counter::{Counter, Kind};
use isnguard::{
    dataplane::Stats,
    report::{Report as _, StatsReport, Style},
};

#[test]
fn every_counter_has_a_name_a_sentence_and_a_line() {
    let stats = Stats {
        counters: [0; Counter::COUNT],
        half_open_evicted: 0,
        history_evicted: 0,
        tables: Vec::new(),
    };
    let report = StatsReport::new("default", &stats, true);
    let text = |style| {
        let mut out = Vec::new();
        report.text(&mut out, style).expect("memory takes it");
        String::from_utf8(out).expect("text")
    };
    let people = text(Style::Terminal {
        width: 200,
        color: false,
    });
    let scripts = text(Style::Plain);
    for counter in Counter::ALL {
        let (name, help) = (counter.name(), counter.help());
        let fits = name.chars().all(|it| it == '_' || it.is_ascii_lowercase());
        assert!(fits && !name.is_empty(), "{name} is no name for scripts");
        assert!(
            help.ends_with('.') && help.len() > 20 && people.contains(help),
            "{name}: people do not see \"{help}\" in\n{people}"
        );
        assert!(
            scripts.contains(&format!("\t{name}\t0\n")),
            "scripts do not see {name} in\n{scripts}"
        );
        let begins = |prefixes: &[&str]| prefixes.iter().any(|it| name.starts_with(it));
        let outcome = begins(&["pass_", "dropped_", "packets_", "icmp_"]);
        assert_eq!(outcome, counter.kind() == Kind::Outcome, "{name}");
    }
    let mut names: Vec<_> = Counter::ALL.iter().map(|it| it.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Counter::COUNT, "two counters share a name");
}
