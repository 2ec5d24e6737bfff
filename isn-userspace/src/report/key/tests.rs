//! Keys as scripts and people see them: by their fingerprints.

use isn_common::tick::Tick;

use super::*;

fn stored() -> Stored {
    let line = "00112233445566778899aabbccddeeff 4\n";
    Stored::parse(line.as_bytes()).unwrap_or_else(|why| panic!("{why}"))
}

fn state(fingerprint: Option<Fingerprint>) -> KeyState {
    KeyState {
        generation: 4,
        fingerprint,
        in_use: fingerprint.is_some(),
        adopting: Some(Adopting {
            left: Tick::in_seconds(60),
            after_key: true,
        }),
        recomputed: 5,
        adopted: 6,
        not_adopted: 0,
    }
}

fn report(read: Result<Option<Stored>, Failure>, state: Option<KeyState>) -> KeyReport {
    KeyReport::new("plant", Path::new("/k"), &read, state.map(|it| (it, 7)))
}

fn text(report: &impl Report) -> String {
    let mut out = Vec::new();
    report.text(&mut out, Style::Plain).unwrap();
    String::from_utf8(out).unwrap()
}

fn json(report: &impl Report) -> serde_json::Value {
    let mut out = Vec::new();
    report.json(&mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn a_file_and_an_instance_agree_or_do_not() {
    let own = stored().secret.fingerprint();
    let agreeing = report(Ok(Some(stored())), Some(state(Some(own))));
    let shown = json(&agreeing);
    assert_eq!(shown["agree"], true);
    assert_eq!(shown["file"]["fingerprint"], own.to_string());
    assert_eq!(
        (&shown["file"]["generation"], &shown["running"]["own_flows"]),
        (&4.into(), &7.into())
    );
    assert_eq!(shown["running"]["keyed_recomputed"], 5);
    assert_eq!(shown["running"]["flows_adopted"], 6);
    assert_eq!(shown["running"]["adopting"]["of"], "older-key");
    assert!(agreeing.is_healthy() && text(&agreeing).contains("state\thealthy\n"));

    for (read, expected) in [
        (Ok(Some(stored())), "--from /k"),
        (Ok(None), "isnguard key rotate"),
    ] {
        let other = report(read, Some(state(Some(Fingerprint(1)))));
        assert_eq!(json(&other)["agree"], false);
        assert!(
            !other.is_healthy() && text(&other).contains(expected),
            "{}",
            text(&other)
        );
    }
}

#[test]
fn a_file_alone_an_instance_that_needs_none_and_nothing_at_all() {
    let alone = report(Ok(Some(stored())), None);
    assert!(
        alone.is_healthy() && json(&alone)["agree"].is_null() && json(&alone)["running"].is_null()
    );
    let unused = report(Ok(None), Some(state(None)));
    assert!(unused.is_healthy());
    assert!(
        text(&unused).contains("no rule is keyed") && text(&unused).contains("state\tno key\n")
    );
    let broken = report(Err(Failure::new("w", "y", "r")), None);
    assert!(!broken.is_healthy() && text(&broken).contains("problem\tw: y; r\n"));
}

#[test]
fn nothing_of_the_key_is_shown() {
    let digits = "00112233445566778899aabbccddeeff";
    let shown = report(
        Ok(Some(stored())),
        Some(state(Some(stored().secret.fingerprint()))),
    );
    let said = [text(&shown), json(&shown).to_string(), format!("{shown:?}")].concat();
    for at in 0..=digits.len() - 8 {
        assert!(!said.contains(&digits[at..at + 8]), "{said}");
    }
}

#[test]
fn a_rotation_says_what_it_did() {
    let rotated = |switched, finished, before| Rotated {
        generation: 2,
        fingerprint: Fingerprint(0xab),
        before,
        switched,
        finished,
        pinned: crate::dataplane::Pinned { done: 1, left: 3 },
        adopting: None,
    };
    let said = |rotated: &Rotated| text(&RotateReport::new("plant", Path::new("/k"), rotated));
    assert!(said(&rotated(false, false, None)).contains("made a key"));
    assert!(said(&rotated(false, false, Some(Fingerprint(1)))).contains("no instance uses it yet"));
    let switched = rotated(true, false, Some(Fingerprint(1)));
    assert!(
        said(&switched).contains("kept\t1 connection of the key before\n"),
        "{}",
        said(&switched)
    );
    assert!(said(&rotated(true, true, None)).contains("broken off"));
    let report = RotateReport::new("plant", Path::new("/k"), &switched);
    assert!(report.warnings()[0].starts_with("3 connections"));
    let json = json(&report);
    assert_eq!(
        (&json["fingerprint"], &json["kept"]),
        (&"00000000000000ab".into(), &1.into())
    );
    assert_eq!(
        (&json["without_room"], &json["switched"]),
        (&3.into(), &true.into())
    );
}
