//! What people and scripts see of an examination.

use super::*;

fn finding(check: Check, verdict: Verdict, degrades: bool, fix: Option<Fix>) -> Finding {
    Finding {
        check,
        subject: None,
        verdict,
        degrades,
        evidence: "net.ipv4.ip_forward=0, net.ipv6.conf.all.forwarding=0: hosts get no further than this gateway".into(),
        fix,
    }
}

fn report() -> DoctorReport {
    let long = "isnguard detach --drain && isnguard attach --inside eth1 --protect 192.0.2.0/24 --protect 198.51.100.0/24";
    DoctorReport::new(&Examination {
        instance: "plant".into(),
        attached: true,
        findings: vec![
            finding(
                Check::Forwarding,
                Verdict::Fail,
                true,
                Some(Fix::Command("sysctl -w net.ipv4.ip_forward=1".into())),
            ),
            Finding {
                subject: Some("eth1".into()),
                ..finding(
                    Check::Facing,
                    Verdict::Warn,
                    true,
                    Some(Fix::Command(long.into())),
                )
            },
            finding(
                Check::Room,
                Verdict::Warn,
                false,
                Some(Fix::Advice(
                    "see who holds it, and attach anew with larger tables than there are now"
                        .into(),
                )),
            ),
            finding(Check::Kernel, Verdict::Ok, false, None),
            finding(Check::Jit, Verdict::Unknown, false, None),
        ],
    })
}

fn text(style: Style) -> String {
    let mut out = Vec::new();
    report().text(&mut out, style).unwrap();
    String::from_utf8(out).unwrap()
}

const NARROW: Style = Style::Terminal {
    width: 80,
    color: false,
};

#[test]
fn eighty_columns_are_enough_and_what_matters_most_stands_last() {
    let shown = text(NARROW);
    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
    let at = |what: &str| {
        shown
            .find(what)
            .unwrap_or_else(|| panic!("{what} in {shown}"))
    };
    assert!(at("ok       kernel") < at("unknown  jit"));
    assert!(at("unknown  jit") < at("warn     room"));
    assert!(at("warn     room") < at("warn     facing on eth1"));
    assert!(at("warn     facing") < at("fail     forwarding"));
    assert!(
        shown.ends_with("5 checks: 1 fail, 2 warn, 1 unknown; degraded by 2\n"),
        "{shown}"
    );
}

#[test]
fn a_command_over_two_lines_is_still_one_to_a_shell() {
    let shown = text(NARROW);
    let fixes: Vec<&str> = shown.split("fix: # ").skip(1).collect();
    let joined = fixes[0].replace("\\\n", "");
    let words: Vec<&str> = joined.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "isnguard detach --drain && isnguard attach --inside eth1 --protect 192.0.2.0/24 --protect 198.51.100.0/24"
    );
    assert!(fixes[1].starts_with("sysctl -w net.ipv4.ip_forward=1\n"));
}

#[test]
fn colours_only_where_they_are_wanted() {
    assert!(!text(NARROW).contains('\x1b'));
    let colored = text(Style::Terminal {
        width: 80,
        color: true,
    });
    assert!(colored.contains("\x1b[1;31mfail") && colored.contains("\x1b[32mok"));
}

#[test]
fn scripts_get_a_line_for_each_check() {
    let plain = text(Style::Plain);
    let lines: Vec<&str> = plain.lines().collect();
    assert_eq!(lines[0], "verdict\tcheck\tsubject\tdegrades\tevidence\tfix");
    assert!(lines[1].starts_with("fail\tforwarding\t-\tyes\tnet.ipv4.ip_forward=0"));
    assert!(lines[1].ends_with("\tsysctl -w net.ipv4.ip_forward=1"));
    assert!(lines[2].starts_with("warn\tfacing\teth1\tyes\t"));
    assert_eq!(lines.len(), 6);
}

#[test]
fn json_has_the_keys_of_the_contract() {
    let mut out = Vec::new();
    report().json(&mut out).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(
        (&json["instance"], &json["attached"]),
        (&"plant".into(), &true.into())
    );
    assert_eq!(json["degraded"], true);
    let first = &json["findings"][0];
    assert_eq!(first["check"], "forwarding");
    assert_eq!(first["subject"], serde_json::Value::Null);
    assert_eq!(first["verdict"], "fail");
    assert_eq!(first["degrades"], true);
    assert_eq!(first["fix"], "sysctl -w net.ipv4.ip_forward=1");
    assert_eq!(first["fix_is_command"], true);
    assert_eq!(json["findings"][2]["fix_is_command"], false);
}

#[test]
fn names_that_would_command_a_terminal_are_shown_and_not_obeyed() {
    let odd = Finding {
        subject: Some("eth\x1b[2J".into()),
        evidence: "line\nby line\tand \u{9b}31m".into(),
        ..finding(Check::Programs, Verdict::Ok, false, None)
    };
    let report = DoctorReport::new(&Examination {
        instance: "plant".into(),
        attached: false,
        findings: vec![odd],
    });
    for style in [NARROW, Style::Plain] {
        let mut out = Vec::new();
        report.text(&mut out, style).unwrap();
        let shown = String::from_utf8(out).unwrap();
        let odd = |it: char| it.is_control() && it != '\n' && it != '\t';
        assert!(!shown.contains(odd), "{shown:?}");
        assert!(shown.contains("eth\\u{1b}[2J"), "{shown}");
        assert!(shown.contains("line by line and"), "{shown}");
    }
}
