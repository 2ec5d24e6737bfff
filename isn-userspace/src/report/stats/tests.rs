//! Counters as scripts and people see them.

use super::*;

fn stats() -> Stats {
    let mut counters = [0; Counter::COUNT];
    counters[Counter::PacketsTranslatedOut.index()] = 3;
    counters[Counter::PassNotTcp.index()] = 4;
    counters[Counter::SynSeen.index()] = 2;
    let tables = vec![TableLoad {
        name: "translated_v4".into(),
        entries: 1,
        capacity: 65_536,
    }];
    Stats {
        counters,
        half_open_evicted: 0,
        history_evicted: 5,
        tables,
    }
}

fn text(report: &StatsReport, style: Style) -> String {
    let mut out = Vec::new();
    report.text(&mut out, style).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn json_has_every_counter_and_the_tables() {
    let mut out = Vec::new();
    StatsReport::new("default", &stats(), false)
        .json(&mut out)
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    for name in [
        "packets_seen",
        "packets_translated_out",
        "packets_translated_in",
        "sack_edges_translated",
        "icmp_translated",
        "syn_seen",
        "syn_safe",
        "syn_rewritten",
        "syn_retransmit",
        "syn_would_rewrite",
        "bypass_tcp_auth",
        "bypass_one_way",
        "table_full",
        "history_evicted",
        "dropped_untranslatable",
    ] {
        assert!(json["counters"][name].is_u64(), "{name}");
    }
    assert_eq!(
        json["counters"].as_object().unwrap().len(),
        Counter::COUNT + 3
    );
    assert_eq!(json["counters"]["packets_seen"], 7);
    assert_eq!(json["tables"][0]["name"], "translated_v4");
    assert_eq!(json["tables"][0]["entries"], 1);
    assert_eq!(json["tables"][0]["capacity"], 65_536);
    assert_eq!(json["rates"], serde_json::Value::Null);
}

#[test]
fn zero_lines_are_left_away_unless_asked_for() {
    let few = text(&StatsReport::new("default", &stats(), false), Style::Plain);
    assert!(few.contains("passed\tpass_not_tcp\t4\n"), "{few}");
    assert!(!few.contains("syn_safe"));
    let all = text(&StatsReport::new("default", &stats(), true), Style::Plain);
    assert!(all.contains("connections\tsyn_safe\t0\n"), "{all}");
    assert_eq!(
        all.lines()
            .filter(|line| line.matches('\t').count() == 2)
            .count(),
        Counter::COUNT + 3 + 1 + 2
    );
}

#[test]
fn people_get_the_meaning_within_their_columns() {
    let shown = text(
        &StatsReport::new("default", &stats(), true),
        Style::Terminal {
            width: 80,
            color: false,
        },
    );
    assert!(shown.contains("Passed: neither TCP nor"), "{shown}");
    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
}

#[test]
fn rates_are_growth_over_time() {
    let mut later = stats();
    later.counters[Counter::PassNotTcp.index()] = 14;
    let report = StatsReport::new("default", &later, false).since(&stats(), 4.0);
    assert!((report.rates.as_ref().unwrap()["pass_not_tcp"] - 2.5).abs() < 1e-9);
    assert!(text(&report, Style::Plain).contains("passed\tpass_not_tcp\t14\t2.5\n"));
}
