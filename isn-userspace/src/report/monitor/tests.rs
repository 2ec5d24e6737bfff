//! Lines of decisions, for scripts and for people at 80 columns.

use isn_common::abi::{flow::Reason, policy::Mode};

use super::*;

const NOW: u64 = 10_000_000_000;

fn mapped(last: [u8; 4]) -> [u8; 16] {
    std::net::Ipv4Addr::from(last).to_ipv6_mapped().octets()
}

fn sample(reason: Reason, wire_isn: u32, more: u32) -> Sample {
    Sample {
        at: NOW - 1_500_000_000,
        host: mapped([192, 0, 2, 10]),
        peer: mapped([198, 51, 100, 2]),
        host_port: 1025_u16.to_be_bytes(),
        peer_port: 80_u16.to_be_bytes(),
        vlan: 0,
        host_isn: 1_000,
        wire_isn,
        host_mark: 5_000,
        wire_mark: 6_000,
        flags: Flags::of_mode(Some(Mode::Monotonic))
            .with(Flags::WANTED | more)
            .with_reason(reason as u32),
        timestamp_offset: 0,
    }
}

fn line(sample: &Sample) -> DecisionLine {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_001_500);
    DecisionLine::new(sample, NOW, wall)
}

fn json(line: &DecisionLine) -> serde_json::Value {
    let mut out = Vec::new();
    line.json(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.find('\n'), Some(text.len() - 1), "one line");
    serde_json::from_str(&text).unwrap()
}

fn text(line: &DecisionLine, style: Style) -> String {
    let mut out = Vec::new();
    line.text(&mut out, style).unwrap();
    String::from_utf8(out).unwrap()
}

const NARROW: Style = Style::Terminal {
    width: 80,
    color: false,
};

#[test]
fn json_has_the_time_of_the_decision_and_both_sides_numbers() {
    let json = json(&line(&sample(
        Reason::Regressed,
        312_554_210,
        Flags::MARKED,
    )));
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["event"], "decision");
    assert_eq!(json["time"], "2023-11-14T22:13:20.000Z");
    assert_eq!(
        (&json["host"], &json["host_port"]),
        (&"192.0.2.10".into(), &1025.into())
    );
    assert_eq!(
        (&json["reason"], &json["rule"]),
        (&"regressed".into(), &"S2".into())
    );
    assert_eq!(json["action"], "rewritten");
    assert_eq!(json["opened_by"], "host");
    assert_eq!(
        (&json["host_isn"], &json["wire_isn"]),
        (&1_000.into(), &312_554_210.into())
    );
    assert_eq!(json["wire_end_before"], 6_000);
    assert!(json["vlan"].is_null());
}

#[test]
fn a_person_reads_one_line_of_an_ordinary_decision() {
    let line = line(&sample(Reason::Regressed, 312_554_210, 0));
    assert_eq!(
        text(&line, NARROW),
        "22:13:20.000 192.0.2.10:1025 > 198.51.100.2:80 regressed 1000 -> 312554210\n"
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [40, 80, 132] {
        for (host, peer) in [
            (mapped([192, 168, 100, 200]), mapped([198, 151, 100, 200])),
            ([0xff; 16], [0x2a; 16]),
        ] {
            let sample = Sample {
                host,
                peer,
                host_isn: u32::MAX,
                host_port: [0xff; 2],
                peer_port: [0xff; 2],
                vlan: Vlan::UNTAGGED.tagged(4094).tagged(4093).0,
                timestamp_offset: u32::MAX,
                ..sample(Reason::Regressed, u32::MAX - 1, 0)
            };
            let style = Style::Terminal {
                width,
                color: false,
            };
            let told = text(&line(&sample), style);
            if width >= 80 {
                let widest = told.lines().map(|line| line.chars().count()).max();
                assert!(widest <= Some(width.into()), "{told}");
            }
            assert!(told.contains("4294967295 -> 4294967294"), "{told}");
        }
    }
}

#[test]
fn columns_have_a_place_for_everything() {
    let plain = text(
        &line(&sample(Reason::Safe, 1_000, Flags::PASSIVE)),
        Style::Plain,
    );
    let cells: Vec<&str> = plain.trim_end().split('\t').collect();
    assert_eq!(cells.len(), DecisionLine::COLUMNS.len());
    assert_eq!(
        cells[4..9],
        ["peer", "monotonic", "unchanged", "safe", "S2"]
    );
}

#[test]
fn what_was_dropped_learnt_or_not_remembered_is_told_apart() {
    let refused = line(&sample(Reason::TableFull, 1_000, Flags::REFUSED));
    assert_eq!(json(&refused)["action"], "dropped");
    assert!(text(&refused, NARROW).contains("table-full 1000 dropped"));
    let learnt = line(&sample(Reason::Adopted, 1_000, Flags::LEARNT));
    assert_eq!(json(&learnt)["action"], "learnt");
    assert!(json(&learnt)["opened_by"].is_null());
    let forgotten = Sample {
        flags: Flags::of_mode(Some(Mode::Monotonic)),
        ..sample(Reason::New, 1_000, 0)
    };
    assert_eq!(json(&line(&forgotten))["reason"], UNREMEMBERED);
}

#[test]
fn what_was_missed_is_told_with_why() {
    assert!(Missed::default().is_none());
    let missed = Missed {
        limited: 3,
        lost: 0,
        slow: 4,
    };
    let text = missed.text();
    assert!(
        text.starts_with("7 decisions") && text.contains("3 beyond"),
        "{text}"
    );
    assert!(!text.contains("kernel"), "{text}");
    let mut out = Vec::new();
    missed.json(&mut out).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(
        (&json["event"], &json["limited"]),
        (&"missed".into(), &3.into())
    );
}
