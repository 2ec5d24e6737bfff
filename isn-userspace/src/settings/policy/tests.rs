//! Which rules a table has, and which are refused.

use super::*;

fn table(protect: &[&str]) -> Result<PolicyTable, Failure> {
    let protect: Vec<Protect> = protect.iter().map(|given| given.parse().unwrap()).collect();
    PolicyTable::build(&protect, Mode::Monotonic)
}

fn described(table: &PolicyTable) -> Vec<String> {
    let line = |rule: Guarded| format!("{} {} {}", rule.prefix, rule.ports, rule.mode.name());
    table.rules().map(line).collect()
}

#[test]
fn rules_of_a_prefix_keep_their_order() {
    let table = table(&["10.0.0.0/8,port=102,mode=observe", "::/0", "10.0.0.0/8"]).unwrap();
    assert_eq!(
        described(&table),
        [
            "10.0.0.0/8 102 observe",
            "10.0.0.0/8 all monotonic",
            "::/0 all monotonic"
        ]
    );
    let policy = table.0[&"10.0.0.0/8".parse().unwrap()];
    assert_eq!(policy.mode_for(102), Some(Mode::Observe));
    assert_eq!(policy.mode_for(80), Some(Mode::Monotonic));
}

#[test]
fn the_same_rule_twice_counts_once() {
    assert_eq!(
        described(&table(&["10.0.0.0/8", "10.0.0.0/8"]).unwrap()).len(),
        1
    );
}

#[test]
fn a_rule_that_could_never_apply_is_refused() {
    let error = table(&["10.0.0.0/8", "10.0.0.0/8,port=102,mode=observe"]).unwrap_err();
    assert!(error.to_string().contains("would never apply"), "{error}");
}

#[test]
fn eight_port_ranges_fit_and_nine_do_not() {
    let all: Vec<String> = (1..=9)
        .map(|port| format!("10.0.0.0/8,port={port}"))
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(described(&table(&all[..8]).unwrap()).len(), 8);
    assert!(
        table(&all)
            .unwrap_err()
            .to_string()
            .contains("more than 8 port ranges")
    );
}

#[test]
fn the_common_mode_is_named_or_mixed() {
    assert_eq!(common_mode(&PolicyTable::default()), "none");
    assert_eq!(
        common_mode(&table(&["10.0.0.0/8", "::/0"]).unwrap()),
        "monotonic"
    );
    let mixed = table(&["10.0.0.0/8", "::/0,mode=observe"]).unwrap();
    assert_eq!(common_mode(&mixed), "mixed");
    assert_eq!(common_mode(&mixed.in_mode(Mode::Observe)), "observe");
}

#[test]
fn changing_the_mode_keeps_prefixes_and_ports() {
    let table = table(&["10.0.0.0/8,port=102", "10.0.0.0/8,port=80-90"]).unwrap();
    assert_eq!(
        described(&table.in_mode(Mode::Observe)),
        ["10.0.0.0/8 102 observe", "10.0.0.0/8 80-90 observe"]
    );
}

#[test]
fn a_narrow_prefix_with_some_ports_hides_the_wide_one() {
    let hiding = table(&["10.0.0.0/8", "10.1.0.0/16,port=102", "192.0.2.0/24,port=1"]).unwrap();
    let [(narrow, wide)] = hiding.shadows()[..] else {
        panic!("{:?}", hiding.shadows())
    };
    assert_eq!(
        (narrow.to_string(), wide.to_string()),
        ("10.1.0.0/16".into(), "10.0.0.0/8".into())
    );
    assert!(
        table(&["10.0.0.0/8", "10.1.0.0/16"])
            .unwrap()
            .shadows()
            .is_empty()
    );
}
