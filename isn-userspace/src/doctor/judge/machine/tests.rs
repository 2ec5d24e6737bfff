//! Machines of several sorts.

use super::*;
use crate::doctor::Verdict;

pub fn machine() -> Machine {
    Machine {
        kernel: Ok("6.12.9".into()),
        maps_tried: true,
        lacking: vec![],
        btf: true,
        jit: Ok(1),
        hardened: Ok(0),
        lockdown: Ok(Some("[none] integrity confidentiality".into())),
        unprivileged_disabled: Ok(2),
        bpffs: Bpffs {
            dir: "/sys/fs/bpf".into(),
            mounted: Some("rw,nosuid".into()),
            refused: None,
        },
        capabilities: Ok(()),
        slept: 0,
    }
}

fn found(machine: &Machine, check: Check) -> Finding {
    let found = judge(machine).into_iter().find(|it| it.check == check);
    found.expect("every check is made")
}

#[test]
fn an_ordinary_machine_is_fine_and_says_what_was_read() {
    let findings = judge(&machine());
    assert!(
        findings.iter().all(|it| it.verdict == Verdict::Ok),
        "{findings:?}"
    );
    let said: String = findings.into_iter().map(|it| it.evidence).collect();
    for value in ["6.12.9", "bpf_jit_enable=1", "[none]", "rw,nosuid"] {
        assert!(said.contains(value), "{value} in {said}");
    }
}

#[test]
fn what_is_missing_is_told_with_the_way_to_get_it() {
    let mut it = machine();
    it.kernel = Err(Failure::new("cannot run", "Linux 5.4 is too old", "boot"));
    it.btf = false;
    it.jit = Ok(0);
    it.unprivileged_disabled = Ok(0);
    it.slept = 90;
    assert_eq!(found(&it, Check::Kernel).verdict, Verdict::Fail);
    assert!(!found(&it, Check::Btf).degrades);
    let jit = found(&it, Check::Jit);
    assert!(jit.degrades);
    assert_eq!(
        jit.fix,
        Some(command("sysctl -w net.core.bpf_jit_enable=1"))
    );
    assert!(found(&it, Check::Lockdown).fix.is_some());
    assert!(found(&it, Check::Clock).evidence.contains("90 s"));
    it.jit = Ok(1);
    it.hardened = Ok(2);
    assert!(found(&it, Check::Jit).evidence.contains("harden=2"));
}

#[test]
fn what_could_not_be_read_is_unknown_and_nothing_else_suffers() {
    let mut it = machine();
    it.jit = Err("net.core.bpf_jit_enable is not to be seen".into());
    it.lockdown = Err("permission denied".into());
    for check in [Check::Jit, Check::Lockdown] {
        let finding = found(&it, check);
        assert_eq!(
            (finding.verdict, finding.degrades),
            (Verdict::Unknown, false)
        );
    }
    assert_eq!(found(&it, Check::Kernel).verdict, Verdict::Ok);
}

#[test]
fn a_directory_without_a_bpf_file_system_can_be_mounted_or_is_refused() {
    let mut it = machine();
    it.bpffs.mounted = None;
    let finding = found(&it, Check::Bpffs);
    assert!(!finding.degrades);
    assert!(finding.fix.unwrap().text().contains("mount -t bpf"));
    it.bpffs.refused = Some(Failure::new("cannot mount", "files", "name an empty one"));
    assert_eq!(found(&it, Check::Bpffs).verdict, Verdict::Fail);
    it.bpffs.mounted = Some("ro,relatime".into());
    assert!(
        found(&it, Check::Bpffs)
            .fix
            .unwrap()
            .text()
            .contains("remount")
    );
}
