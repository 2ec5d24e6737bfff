//! What checks say of themselves.

use super::*;

#[test]
fn every_check_has_a_name_of_its_own_and_a_sentence() {
    let mut names: Vec<_> = Check::ALL.iter().map(|it| it.name()).collect();
    for check in Check::ALL {
        let (name, help) = (check.name(), check.help());
        assert!(
            name.chars().all(|it| it == '-' || it.is_ascii_lowercase()),
            "{name}"
        );
        assert!(help.ends_with('.') && help.len() > 20, "{name}: {help}");
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Check::ALL.len());
}

#[test]
fn what_fails_degrades_and_what_is_only_to_be_known_does_not() {
    assert!(Check::Mtu.fail("", advice("")).degrades);
    assert!(Check::Mtu.warn("", advice("")).degrades);
    assert!(!Check::Mtu.note("", advice("")).degrades);
    assert!(!Check::Mtu.unknown("").degrades);
    assert!(!Check::Mtu.ok("").degrades);
}

#[test]
fn a_refusal_keeps_its_words() {
    let failure = Failure::new("cannot attach to `eth1`", "it is taken", "use another");
    let finding = Check::Programs.refused(&failure).on("eth1");
    assert_eq!(finding.evidence, "cannot attach to `eth1`: it is taken");
    assert_eq!(finding.fix.unwrap().text(), "use another");
}
