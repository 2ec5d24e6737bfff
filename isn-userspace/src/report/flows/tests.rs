//! Flows as scripts and people see them.

use isn_common::abi::flow::{Record, pack};

use super::*;

const NOW: Tick = Tick(1_000);

fn flow(last: u8, offset: u32, idle: u32, control: Control) -> Flow {
    Flow {
        host: [192, 0, 2, last].into(),
        host_port: 1_024,
        peer: [198, 51, 100, 1].into(),
        peer_port: 502,
        vlan: Vlan(0),
        place: isn_common::expiry::Place::Translated,
        record: Record {
            identity: pack(offset, 1_000),
            sent: pack(1_001_u32.wrapping_add(offset), NOW.0 - 100),
            received: 0,
            stamps: pack(offset / 2, 0),
            life: pack(control.0, NOW.0 - idle),
        },
    }
}

fn regressed() -> Control {
    Control(Control::HOST_SYN | Control::ANSWERED).with_reason(Reason::Regressed)
}

fn report(selection: Selection) -> FlowsReport {
    let flows = vec![
        flow(1, 0, 50, Control(Control::HOST_SYN)),
        flow(2, u32::MAX, 10, regressed()),
        flow(3, 0, 30, Control(0)),
    ];
    FlowsReport::new("default", flows, selection, NOW)
}

fn json(report: &FlowsReport) -> serde_json::Value {
    let mut out = Vec::new();
    report.json(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.find('\n'), Some(text.len() - 1), "one line");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn json_has_the_keys_of_the_contract_and_unsigned_numbers() {
    let json = json(&report(Selection::default()));
    assert_eq!(json["schema_version"], 1);
    let first = json["flows"][0].as_object().unwrap();
    let mut keys: Vec<&str> = first.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "age_seconds",
            "high_water",
            "host",
            "host_isn",
            "host_port",
            "idle_seconds",
            "offset",
            "peer",
            "peer_port",
            "reason",
            "state",
            "timestamp_offset",
            "vlan",
            "wire_isn"
        ]
    );
    assert_eq!(first["host"], "192.0.2.2");
    assert_eq!(first["offset"], u32::MAX);
    assert_eq!(first["timestamp_offset"], u32::MAX / 2);
    assert_eq!(first["host_isn"], 1_000);
    assert_eq!(first["wire_isn"], 999);
    assert_eq!(first["high_water"], 1_000);
    assert_eq!(first["state"], "established");
    assert_eq!(first["reason"], "regressed");
    assert_eq!(first["vlan"], serde_json::Value::Null);
    assert!((first["idle_seconds"].as_f64().unwrap() - 1.342).abs() < 0.001);
}

#[test]
fn without_a_syn_of_the_host_its_numbers_are_not_known() {
    let json = json(&report(Selection::default()));
    assert_eq!(json["flows"][1]["state"], "opening");
    assert_eq!(json["flows"][1]["host_isn"], serde_json::Value::Null);
}

#[test]
fn the_most_recently_active_comes_first_and_the_limit_is_told() {
    let report = report(Selection {
        limit: Some(2),
        ..Selection::default()
    });
    let hosts: Vec<String> = report
        .flows
        .iter()
        .map(|flow| flow.host.to_string())
        .collect();
    assert_eq!(hosts, ["192.0.2.2", "192.0.2.3"]);
    assert_eq!((report.matching, report.left_out), (3, 1));
    let mut out = Vec::new();
    report
        .text(
            &mut out,
            Style::Terminal {
                width: 80,
                color: false,
            },
        )
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.ends_with("... and 1 of 3 flows more; --limit 3 shows all\n"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn host_and_translated_select() {
    let host = Some([192, 0, 2, 3].into());
    assert_eq!(
        report(Selection {
            host,
            ..Selection::default()
        })
        .matching,
        1
    );
    let translated = report(Selection {
        translated: true,
        ..Selection::default()
    });
    assert_eq!(translated.flows[0].offset, u32::MAX);
    assert_eq!(translated.matching, 1);
}

#[test]
fn vlans_are_numbers_or_two_with_a_dot() {
    assert_eq!(vlan(Vlan(0)), None);
    assert_eq!(vlan(Vlan(7)), Some(VlanText::One(7)));
    assert_eq!(vlan(Vlan(7).tagged(9)), Some(VlanText::Two("7.9".into())));
}

#[test]
fn of_a_flow_that_was_learnt_in_mid_flow_the_first_numbers_are_not_known() {
    for reason in [Reason::Adopted, Reason::Recomputed] {
        let flows = vec![Flow {
            place: isn_common::expiry::Place::History,
            ..flow(1, 77, 5, regressed().with_reason(reason))
        }];
        let selection = Selection {
            translated: true,
            ..Selection::default()
        };
        let report = FlowsReport::new("default", flows, selection, NOW);
        let json = json(&report);
        let flow = &json["flows"][0];
        assert!(
            flow["host_isn"].is_null() && flow["wire_isn"].is_null(),
            "{flow}"
        );
        assert_eq!(
            (&flow["offset"], &flow["high_water"]),
            (&77.into(), &1_078.into())
        );
        let mut out = Vec::new();
        report.text(&mut out, Style::Plain).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("\t77\t38\t-\t-\t1078\t"), "{text}");
    }
}
