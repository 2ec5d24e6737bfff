//! Instances and keys.

use isn_common::counter::Counter;

use super::*;
use crate::doctor::Verdict;

pub fn running() -> Running {
    Running {
        abi: 4,
        attached: vec!["`eth1` inside at tc, programs 7 and 8".into()],
        problems: vec![],
        attach_heals: true,
        process: Some(7),
        stats: Ok(Stats {
            counters: [0; Counter::COUNT],
            half_open_evicted: 0,
            history_evicted: 0,
            tables: vec![],
        }),
        directions: Ok(Directions::default()),
        keyed: false,
        adopting: None,
        adopting_problem: None,
    }
}

fn judged(running: Running) -> Vec<Finding> {
    judge(
        &Seen::There(Box::new(running)),
        "plant",
        " --instance plant",
    )
}

#[test]
fn each_problem_is_a_finding_with_the_command_that_heals() {
    let sick = Running {
        problems: vec!["one".into(), "two".into()],
        ..running()
    };
    let findings = judged(sick);
    assert_eq!(findings.len(), 2);
    for finding in findings {
        assert_eq!(finding.verdict, Verdict::Fail);
        assert_eq!(
            finding.fix,
            Some(command("isnguard attach --instance plant"))
        );
    }
    let gone = Running {
        problems: vec!["`eth1` is gone".into()],
        attach_heals: false,
        ..running()
    };
    assert!(matches!(
        judged(gone)[0].fix,
        Some(crate::doctor::Fix::Advice(_))
    ));
    assert_eq!(judged(running())[0].verdict, Verdict::Ok);
}

#[test]
fn what_is_not_attached_is_no_problem_and_what_cannot_be_trusted_is() {
    assert_eq!(judge(&Seen::Absent, "plant", "")[0].verdict, Verdict::Ok);
    let refused = Seen::Refused(Failure::new("cannot trust it", "mode 0777", "find out"));
    assert_eq!(judge(&refused, "plant", "")[0].verdict, Verdict::Fail);
}

#[test]
fn a_key_that_is_missing_open_or_another_one_is_told() {
    let fine = KeyFacts {
        path: "/k".into(),
        refused: None,
        missing: false,
        open_to_others: false,
        disagreement: None,
        options: " --key-file /k".into(),
    };
    assert_eq!(key(&fine).verdict, Verdict::Ok);
    let refused = || Some(Failure::new("cannot use the key in /k", "why", "remedy"));
    let missing = KeyFacts {
        refused: refused(),
        missing: true,
        options: " --key-file /k".into(),
        path: "/k".into(),
        ..fine
    };
    assert_eq!(
        key(&missing).fix,
        Some(command("isnguard key rotate --key-file /k"))
    );
    let open = KeyFacts {
        missing: false,
        open_to_others: true,
        ..missing
    };
    assert_eq!(key(&open).fix, Some(command("chmod 600 /k")));
    let other = KeyFacts {
        refused: None,
        disagreement: Some("the file has another key".into()),
        ..open
    };
    assert_eq!(key(&other).verdict, Verdict::Fail);
}
