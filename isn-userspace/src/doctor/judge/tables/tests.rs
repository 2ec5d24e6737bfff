//! Tables that fill and counters that grew.

use super::{super::instance::tests::running, *};
use crate::doctor::Verdict;

fn with(change: impl FnOnce(&mut Stats)) -> Running {
    let mut it = running();
    change(it.stats.as_mut().unwrap());
    it
}

fn translated(stats: &mut Stats, entries: usize) {
    stats.tables.push(TableLoad {
        name: "translated_v4".into(),
        entries,
        capacity: 100,
    });
}

fn found(running: &Running, check: Check) -> Finding {
    let found = judge(running).into_iter().find(|it| it.check == check);
    found.expect("every check is made")
}

#[test]
fn an_instance_without_load_is_fine() {
    let findings = judge(&running());
    assert!(
        findings.iter().all(|it| it.verdict == Verdict::Ok),
        "{findings:?}"
    );
}

#[test]
fn a_table_that_fills_degrades_and_history_that_was_forgotten_is_told() {
    assert_eq!(
        found(&with(|it| translated(it, 79)), Check::Room).verdict,
        Verdict::Ok
    );
    assert!(found(&with(|it| translated(it, 80)), Check::Room).degrades);
    let forgotten = found(&with(|it| it.history_evicted = 3), Check::Room);
    assert!(!forgotten.degrades && forgotten.evidence.contains("history_evicted=3"));
}

#[test]
fn connections_that_went_without_are_told_and_degrade_while_it_goes_on() {
    let lost = |entries| {
        with(|it| {
            it.counters[Counter::TableFull.index()] = 2;
            translated(it, entries);
        })
    };
    let past = found(&lost(10), Check::Unprotected);
    assert!(!past.degrades && past.evidence.contains("table_full=2"));
    assert!(found(&lost(95), Check::Unprotected).degrades);
}

#[test]
fn one_way_connections_matter_by_their_share_and_in_keyed_mode_at_once() {
    let seen = |one, both, keyed| {
        let it = Running {
            directions: Ok(Directions {
                one,
                both,
                unanswered: 0,
            }),
            keyed,
            ..running()
        };
        found(&it, Check::OneWay)
    };
    assert_eq!(seen(10, 9, true).verdict, Verdict::Ok);
    assert_eq!(seen(1, 99, true).verdict, Verdict::Ok);
    assert!(!seen(20, 80, false).degrades);
    assert!(seen(60, 40, false).degrades);
    assert_eq!(seen(20, 80, true).verdict, Verdict::Fail);
}

#[test]
fn in_keyed_mode_answers_that_never_come_are_told() {
    let seen = |unanswered, both, keyed| {
        let it = Running {
            directions: Ok(Directions {
                one: 0,
                both,
                unanswered,
            }),
            keyed,
            ..running()
        };
        found(&it, Check::OneWay).verdict
    };
    assert_eq!(seen(20, 2, true), Verdict::Fail);
    assert_eq!(seen(20, 3, true), Verdict::Ok);
    assert_eq!(seen(19, 0, true), Verdict::Ok);
    assert_eq!(seen(900, 0, false), Verdict::Ok);
}

#[test]
fn without_a_sweeper_a_half_full_table_is_a_worry() {
    let alone = |entries| Running {
        process: None,
        ..with(|it| translated(it, entries))
    };
    let calm = found(&alone(49), Check::Sweeper);
    assert_eq!((calm.verdict, calm.degrades), (Verdict::Warn, false));
    assert!(found(&alone(50), Check::Sweeper).degrades);
}

#[test]
fn lost_samples_are_told() {
    let lost = with(|it| it.counters[Counter::SamplesLost.index()] = 5);
    let finding = found(&lost, Check::Samples);
    assert!(!finding.degrades && finding.evidence.contains("samples_lost=5"));
}

#[test]
fn counters_that_cannot_be_read_are_unknown() {
    let mut it = running();
    it.stats = Err("permission denied".into());
    assert_eq!(found(&it, Check::Room).verdict, Verdict::Unknown);
    assert_eq!(found(&it, Check::Sweeper).verdict, Verdict::Ok);
}
