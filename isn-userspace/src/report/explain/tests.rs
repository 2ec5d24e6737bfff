//! Flows explained for scripts, and for people at 80 columns.

use isn_common::{
    abi::{
        flow::{Record, pack},
        settings::OnFull,
    },
    flow::Vlan,
    room::Admission,
    settle::Settled,
    siphash::Key,
    translate::Translation,
    verdict::PassReason,
};

use super::*;
use crate::{
    dataplane::{Ends, FirstSyn, Flow, MidFlow},
    settings::{Mode, Ports, Treatment},
};

const NOW: Tick = Tick(1_000_000);
const OPEN: u32 = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;

fn ends() -> Ends {
    Ends {
        host: "192.0.2.10:1025".parse().unwrap(),
        peer: "198.51.100.2:80".parse().unwrap(),
        vlan: Vlan(0),
    }
}

fn guarded(mode: Mode) -> Guarded {
    Guarded {
        prefix: "192.0.2.0/24".parse().unwrap(),
        ports: Ports::ALL,
        mode: Treatment::Guard(mode),
    }
}

fn settings() -> Settings {
    Settings::new(Tick::in_seconds(240), OnFull::Pass, 0, Key([0, 0]))
}

fn known(reason: Reason, timestamp_offset: u32) -> Known {
    let Ends { host, peer, vlan } = ends();
    Known {
        flow: Flow {
            host: host.ip(),
            host_port: host.port(),
            peer: peer.ip(),
            peer_port: peer.port(),
            vlan,
            place: Place::Translated,
            record: Record {
                identity: pack(5_000_000, 1_000),
                sent: pack(5_001_500, NOW.0 - Tick::in_seconds(185)),
                received: pack(5_060_000, 77),
                stamps: pack(timestamp_offset, 0),
                life: pack(
                    Control(OPEN | Control::OWN).with_reason(reason).0,
                    NOW.0 - Tick::in_seconds(4),
                ),
            },
        },
        is_lost: false,
        previous: None,
        guarded: Some(guarded(Mode::Monotonic)),
    }
}

fn syn(mode: Option<Mode>, settled: Settled, reason: Option<Reason>) -> FirstSyn {
    FirstSyn {
        guarded: mode.map(guarded),
        mode,
        settled,
        reason,
        is_remembered: true,
    }
}

fn foreseen(first: FirstSyn, mid_flow: MidFlow) -> Foreseen {
    Foreseen {
        ends: ends(),
        host_opens: first,
        peer_opens: first,
        mid_flow,
        admission: Admission::Admitted,
    }
}

fn report(known: &[Known], foreseen: &[Foreseen]) -> ExplainReport {
    let Ends { host, peer, .. } = ends();
    ExplainReport::new("default", [host, peer], &settings(), known, foreseen, NOW)
}

fn json(report: &ExplainReport) -> serde_json::Value {
    let mut out = Vec::new();
    report.json(&mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn text(report: &ExplainReport) -> String {
    let mut out = Vec::new();
    let style = Style::Terminal {
        width: 80,
        color: false,
    };
    report.text(&mut out, style).unwrap();
    let text = String::from_utf8(out).unwrap();
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{text}");
    text
}

#[test]
fn a_flow_that_is_known_has_its_rule_and_its_numbers_on_both_sides() {
    let json = json(&report(&[known(Reason::Regressed, 0)], &[]));
    assert_eq!(json["schema_version"], 1);
    let flow = &json["flows"][0];
    assert_eq!(flow["reason"], "regressed");
    assert_eq!(flow["rule"], "S2");
    assert_eq!(
        (&flow["host_isn"], &flow["wire_isn"]),
        (&1_000.into(), &5_001_000.into())
    );
    assert_eq!(flow["host_high_water"], 1_500);
    assert_eq!(flow["table"], "translated");
    assert_eq!(flow["opened_by"], "host");
    assert_eq!(flow["policy"]["prefix"], "192.0.2.0/24");
    assert!(flow["forgotten_in_seconds"].as_f64().unwrap() > 13.9 * 86_400.0);
}

#[test]
fn a_person_reads_a_sentence_and_a_table() {
    let text = text(&report(&[known(Reason::Regressed, 9)], &[]));
    for part in [
        "host      192.0.2.10:1025\n",
        "regressed (S2): the number lay at or below",
        "established, opened by the host; since 3m0",
        "(PAWS)",
        "initial      1000  5001000  5000000",
        "high_water",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_flow_whose_entry_was_overwritten_says_so() {
    let lost = Known {
        is_lost: true,
        ..known(Reason::Safe, 0)
    };
    let json = json(&report(&[lost], &[]));
    assert_eq!(json["flows"][0]["rule"], "S13");
    assert_eq!(json["flows"][0]["lost"], true);
}

#[test]
fn what_was_learnt_in_mid_flow_was_opened_by_nobody_that_is_known() {
    let json = json(&report(&[known(Reason::Adopted, 0)], &[]));
    assert!(json["flows"][0]["opened_by"].is_null());
    assert!(json["flows"][0]["host_isn"].is_null());
    assert_eq!(json["flows"][0]["rule"], "S15");
}

#[test]
fn no_number_is_given_away_of_a_flow_that_is_not_there() {
    let by = Translation {
        sequence: Offset(3_141_592_653),
        timestamp: Offset(0),
    };
    let first = syn(
        Some(Mode::Keyed),
        Settled::Rewritten(by),
        Some(Reason::Keyed),
    );
    let report = report(&[], &[foreseen(first, MidFlow::Keyed)]);
    let (json, text) = (json(&report), text(&report));
    assert_eq!(json["expected"][0]["host_opens"]["reason"], "keyed");
    assert_eq!(json["expected"][0]["host_opens"]["translated"], true);
    assert_eq!(json["expected"][0]["mid_flow"], "keyed");
    for told in [json.to_string(), text] {
        assert!(!told.contains("3141592653"), "{told}");
    }
}

#[test]
fn a_flow_that_is_not_guarded_passes() {
    let pass = Settled::Pass(PassReason::NotGuarded);
    let report = report(&[], &[foreseen(syn(None, pass, None), MidFlow::Passes)]);
    assert_eq!(json(&report)["expected"][0]["guarded"], false);
    let text = text(&report);
    assert!(text.contains("not-guarded (S1)"), "{text}");
    assert!(!text.contains("room"), "{text}");
}
