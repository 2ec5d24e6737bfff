//! Hosts that pass by, as scripts and people see them.

use std::time::Duration;

use super::*;
use crate::grading::Sample;

/// Numbers without a rule that anybody could see.
fn scattered(nth: u32) -> u32 {
    let mixed = nth.wrapping_add(1).wrapping_mul(0x9e37_79b9);
    let mixed = (mixed ^ mixed >> 16).wrapping_mul(0x85eb_ca6b);
    (mixed ^ mixed >> 13).wrapping_mul(0xc2b2_ae35)
}

fn samples(isn: impl Fn(u32) -> u32) -> Vec<Sample> {
    (0..30_u32)
        .map(|nth| Sample {
            at: Duration::from_millis(u64::from(nth) * 100),
            peer: [198, 51, 100, 2].into(),
            peer_port: 5_000 + u16::try_from(nth).unwrap(),
            host_port: 80,
            isn: isn(nth),
            ahead: None,
        })
        .collect()
}

/// A host with these numbers, seen in a VLAN and a mode.
fn host(last: u8, vlan: u32, mode: Option<Mode>, isn: impl Fn(u32) -> u32) -> LiveHost {
    let address = [192, 0, 2, last].into();
    let numbers = Numbers {
        chosen: samples(isn),
        left: samples(scattered),
        mode,
    };
    LiveHost {
        id: HostId { address, vlan },
        syns: 40,
        rewritten: u64::from(last),
        graded: numbers.graded(address),
        numbers,
    }
}

fn report(limit: Option<usize>) -> HostsReport {
    let listening = Listening {
        instance: "plant".into(),
        source: Source::Run,
        listening_seconds: Some(7_800.123_456),
        samples_taken: 100,
        samples_limited: 3,
        samples_lost: 0,
        hosts_forgotten: 0,
    };
    let mut hosts = vec![
        host(1, 0, None, scattered),
        host(2, 100, Some(Mode::Monotonic), |_| 7),
        host(2, 200, Some(Mode::Observe), |nth| nth * 64_000),
    ];
    HostsReport::new(listening, &mut hosts, limit)
}

fn text(report: &HostsReport, style: Style) -> String {
    let mut out = Vec::new();
    report.text(&mut out, style).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn json_says_of_each_host_what_audit_says_and_more() {
    let mut out = Vec::new();
    report(None).json(&mut out).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(
        (json["source"].as_str(), json["matching"].as_u64()),
        (Some("run"), Some(3))
    );
    assert_eq!(json["listening_seconds"], 7_800.123);
    let first = &json["hosts"][0];
    assert_eq!(
        (&first["host"], &first["vlan"]),
        (&"192.0.2.2".into(), &100.into())
    );
    assert_eq!(
        (&first["mode"], &first["after"]),
        (&"monotonic".into(), &"measured".into())
    );
    assert_eq!(
        (&first["syns"], &first["rewritten"]),
        (&40.into(), &2.into())
    );
    assert_eq!(
        (&first["class"], &first["samples"]),
        (&"constant".into(), &30.into())
    );
    let observed = &json["hosts"][1];
    assert_eq!(
        (&observed["mode"], &observed["after"]),
        (&"observe".into(), &"predicted".into())
    );
    let stranger = json["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["host"] == "192.0.2.1");
    assert!(stranger.unwrap()["mode"].is_null() && stranger.unwrap()["vlan"].is_null());
}

#[test]
fn columns_stand_behind_those_of_audit() {
    let text = text(&report(Some(1)), Style::Plain);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        rows[0][12..],
        ["vlan", "mode", "after_is", "syns", "rewritten"]
    );
    assert_eq!(rows[1][12..], ["100", "monotonic", "measured", "40", "2"]);
}

#[test]
fn people_are_told_what_was_left_out_and_how_long_somebody_has_listened() {
    let style = Style::Terminal {
        width: 200,
        color: false,
    };
    let text = text(&report(Some(2)), style);
    assert!(text.contains("... and 1 of 3 hosts more"), "{text}");
    assert!(
        text.contains("listened for 2h10m") && text.contains("3 beyond a host's share"),
        "{text}"
    );
}
