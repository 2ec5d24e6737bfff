//! Graded hosts as scripts and people see them.

use std::time::Duration;

use super::*;
use crate::{
    audit::{Dropped, LeftOut},
    grading::{Advice, After, Assessment, Class, Grade, Sequence},
};

fn assessment(grade: Grade, difficulty: u32) -> Assessment {
    Assessment {
        samples: 20,
        same_tuple_samples: 3,
        regressions: 1,
        class: Class::FixedStep,
        detail: "one step of 64,000 a connection".into(),
        sequence: (difficulty > 0).then_some(Sequence {
            gcd: 64_000,
            isr: 130,
            difficulty,
        }),
        grade,
        advice: Advice::Keyed,
        reason: "Whoever has seen one number can count out the next ones, and forge or reset connections.".into(),
    }
}

fn graded(last: u8, grade: Grade, difficulty: u32) -> Graded {
    Graded {
        host: [192, 0, 2, last].into(),
        before: assessment(grade, difficulty),
        after: assessment(Grade::A, 260),
        is_after: After::Predicted,
    }
}

fn report(limit: Option<usize>) -> AuditReport {
    let mut left_out = LeftOut::default();
    left_out.count(Why::NotTcp);
    let findings = Findings {
        format: Format::Pcap,
        hosts: BTreeMap::new(),
        packets: 100,
        segments: 99,
        syns: 60,
        repeated: 2,
        span: Some((Duration::from_secs(1), Duration::from_secs(186))),
        left_out,
        dropped: Dropped::default(),
        forgotten: 0,
        ending: Ending::Cut { place: 77 },
    };
    let hosts = vec![
        graded(1, Grade::Unknown, 0),
        graded(2, Grade::A, 256),
        graded(3, Grade::F, 9),
        graded(4, Grade::F, 3),
        graded(5, Grade::C, 250),
    ];
    AuditReport::new("plant.pcap", &findings, hosts, limit)
}

fn text(report: &AuditReport, style: Style) -> String {
    let mut out = Vec::new();
    report.text(&mut out, style).unwrap();
    String::from_utf8(out).unwrap()
}

const NARROW: Style = Style::Terminal {
    width: 80,
    color: false,
};

#[test]
fn the_worst_comes_first_and_the_unknown_last() {
    let lines = report(None).hosts;
    let hosts: Vec<String> = lines.iter().map(|line| line.host.to_string()).collect();
    assert_eq!(
        hosts,
        [
            "192.0.2.4",
            "192.0.2.3",
            "192.0.2.5",
            "192.0.2.2",
            "192.0.2.1"
        ]
    );
}

#[test]
fn json_has_the_keys_of_the_contract() {
    let mut out = Vec::new();
    report(Some(4)).json(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.find('\n'), Some(text.len() - 1), "one line");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&json["schema_version"], &json["syns"]),
        (&1.into(), &60.into())
    );
    let rest = (&json["matching"], &json["hosts_left_out"]);
    assert_eq!(rest, (&5.into(), &1.into()));
    assert_eq!(json["left_out"]["not_tcp"], 1);
    assert_eq!(
        (&json["complete"], &json["ends_at"]),
        (&false.into(), &77.into())
    );
    let first = json["hosts"][0].as_object().unwrap();
    let expected = serde_json::json!({
        "host": "192.0.2.4",
        "samples": 20,
        "grade": "F",
        "class": "fixed-step",
        "regressions": 1,
        "same_tuple_samples": 3,
        "difficulty_before": 3,
        "difficulty_after": 260,
        "advice": "keyed",
        "gcd": 64_000,
        "isr": 130,
        "grade_after": "A",
        "regressions_after": 1,
        "detail": "one step of 64,000 a connection",
        "reason": assessment(Grade::F, 3).reason,
    });
    assert_eq!(Some(first), expected.as_object());
}

#[test]
fn too_few_samples_have_no_difficulty() {
    let json = serde_json::to_value(report(None)).unwrap();
    assert_eq!(
        json["hosts"][4]["difficulty_before"],
        serde_json::Value::Null
    );
    assert_eq!(json["hosts"][4]["grade"], "-");
}

#[test]
fn plain_columns_are_all_there_and_nothing_else() {
    let text = text(&report(Some(1)), Style::Plain);
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(
        lines[0],
        [
            "host",
            "grade",
            "class",
            "samples",
            "difficulty_before",
            "difficulty_after",
            "regressions",
            "same_tuple_samples",
            "advice",
            "grade_after",
            "detail",
            "reason"
        ]
    );
    assert_eq!(lines.len(), 2);
    let first = [
        "192.0.2.4",
        "F",
        "fixed-step",
        "20",
        "3",
        "260",
        "1",
        "3",
        "keyed",
        "A",
    ];
    assert_eq!(lines[1][..10], first);
}

#[test]
fn a_terminal_of_80_columns_is_enough() {
    let text = text(&report(Some(4)), NARROW);
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert!(text.contains("DIFFICULTY  AFTER"), "{text}");
    assert!(text.contains("... and 1 of 5 hosts more"), "{text}");
    assert!(text.contains("1 not TCP"), "{text}");
}
