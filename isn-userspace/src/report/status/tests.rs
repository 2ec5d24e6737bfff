//! The state of an instance as scripts and people see it.

use isn_common::{abi::settings::Settings, siphash::Key};

use super::*;
use crate::{
    dataplane::{Adopting, KeyState},
    key::Fingerprint,
    settings::{Mode, Placement, PolicyTable},
};

fn key(in_use: bool) -> KeyState {
    let adopting = Adopting {
        left: Tick::in_seconds(7_800),
        after_key: false,
    };
    KeyState {
        generation: 3,
        fingerprint: in_use.then_some(Fingerprint(0xabc)),
        in_use,
        adopting: in_use.then_some(adopting),
        recomputed: 0,
        adopted: 0,
        not_adopted: 0,
    }
}

fn status(problems: &[&str]) -> Status {
    let protect = [
        "10.0.0.0/8,port=102".parse().unwrap(),
        "2001:db8::/32".parse().unwrap(),
    ];
    Status {
        instance: "plant".into(),
        attached: vec![Attachment {
            interface: "eth1".into(),
            ifindex: 3,
            placement: Placement::Inside,
            hook: Some(Hook::Tc),
            reason: "auto: the driver refused native XDP (Operation not supported)".into(),
            flavour: Some(TcFlavour::Tcx),
            forwards: false,
            ingress_program: Some(71),
            egress_program: Some(72),
        }],
        settings: Settings::new(Tick::in_seconds(240), OnFull::Pass, 1, Key([0, 0])),
        policy: PolicyTable::build(&protect, Mode::Monotonic).unwrap(),
        key: key(false),
        running: None,
        last_reload: None,
        problems: problems.iter().map(|problem| (*problem).into()).collect(),
    }
}

fn text(report: &impl Report, style: Style) -> String {
    let mut out = Vec::new();
    report.text(&mut out, style).unwrap();
    String::from_utf8(out).unwrap()
}

fn json(report: &impl Report) -> serde_json::Value {
    let mut out = Vec::new();
    report.json(&mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn json_has_the_keys_of_the_contract() {
    let json = json(&StatusReport::new(&status(&[])));
    let attached = &json["attached"][0];
    assert_eq!(attached["interface"], "eth1");
    assert_eq!(attached["placement"], "inside");
    assert_eq!(attached["hook"], "tc");
    assert!(
        attached["reason"]
            .as_str()
            .unwrap()
            .contains("refused native XDP")
    );
    assert_eq!(attached["mode"], "monotonic");
    assert_eq!(attached["program_id"], 71);
    assert_eq!(json["mode"], "monotonic");
    assert_eq!(json["abi_version"], ABI_VERSION);
    assert_eq!(json["healthy"], true);
    assert_eq!(json["problems"].as_array().unwrap().len(), 0);
    assert_eq!(json["protect"][0]["ports"], "102");
    assert_eq!(json["history_seconds"], 240);
    assert_eq!(json["schema_version"], 1);
}

#[test]
fn what_is_not_there_is_not_healthy_and_says_why() {
    let report = StatusReport::absent("plant", "nothing is pinned".into());
    assert!(!report.is_healthy());
    let json = json(&report);
    assert_eq!(json["attached"].as_array().unwrap().len(), 0);
    assert_eq!(json["problems"][0], "nothing is pinned");
    assert_eq!(json["mode"], serde_json::Value::Null);
    assert!(text(&report, Style::Plain).contains("state\tnot attached\n"));
}

#[test]
fn people_see_why_the_hook_was_chosen_and_what_is_wrong() {
    let style = Style::Terminal {
        width: 80,
        color: false,
    };
    let shown = text(&StatusReport::new(&status(&["`eth1` is gone"])), style);
    assert!(shown.contains("state     degraded\n"), "{shown}");
    assert!(
        shown.contains("why       tc on eth1: auto: the driver refused"),
        "{shown}"
    );
    assert!(shown.contains("problem   `eth1` is gone\n"), "{shown}");
    assert!(
        shown.contains("protect   10.0.0.0/8 ports 102 monotonic\n"),
        "{shown}"
    );
    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
}

#[test]
fn plain_output_is_a_name_a_tab_and_a_value() {
    let plain = text(&StatusReport::new(&status(&[])), Style::Plain);
    assert!(plain.contains("on_full\tpass\n"), "{plain}");
    assert!(
        plain.ends_with("eth1\tinside\ttc\ttcx\tmonotonic\t71\t72\n"),
        "{plain}"
    );
}

#[test]
fn keyed_mode_is_shown_where_it_is_in_use() {
    let unused = json(&StatusReport::new(&status(&[])));
    assert_eq!(
        (&unused["key"], &unused["adopting"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    let used = Status {
        key: key(true),
        ..status(&[])
    };
    let report = StatusReport::new(&used);
    let json = json(&report);
    assert_eq!(json["key"]["generation"], 3);
    assert_eq!(json["key"]["fingerprint"], "0000000000000abc");
    assert_eq!(json["adopting"]["of"], "no-offset");
    assert!((json["adopting"]["seconds_left"].as_f64().unwrap() - 7_800.0).abs() < 1.0);
    let plain = text(&report, Style::Plain);
    assert!(
        plain.contains("key\tgeneration 3, fingerprint 0000000000000abc\n"),
        "{plain}"
    );
    assert!(
        plain.contains("adopting\tconnections of before keyed mode, for "),
        "{plain}"
    );
}
