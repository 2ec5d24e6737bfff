//! Gateways of several sorts.

use super::*;
use crate::{
    doctor::{
        Verdict,
        judge::{placement::Way, ruleset::Nat},
    },
    settings::Placement,
};

fn gateway(placement: Placement, guarded: &[&str]) -> Gateway {
    let guarded: Vec<ipnet::IpNet> = guarded.iter().map(|it| it.parse().unwrap()).collect();
    let (interface, way) = match placement {
        Placement::Inside => ("lan0", Way::Over("lan0".into(), vec![])),
        Placement::Outside => ("wan0", Way::Local),
    };
    Gateway {
        sides: Some(Sides {
            interfaces: vec![interface.into()],
            placement,
            attached: false,
            bridged: false,
            ways: guarded.iter().map(|it| (*it, Ok(way.clone()))).collect(),
            guarded,
        }),
        forwards_v4: Ok(1),
        forwards_v6: Ok(1),
        rp_filter: vec![(interface.into(), Ok(0))],
        ruleset: Ok(Ruleset::default()),
        connections: Ok(Some(7)),
        liberal: Ok(Some(0)),
        addresses: vec![
            ("wan0".into(), "198.51.100.1".parse().unwrap()),
            ("lan0".into(), "192.0.2.1".parse().unwrap()),
        ],
        stacked: vec![],
    }
}

fn inside() -> Gateway {
    gateway(Placement::Inside, &["192.0.2.0/24"])
}

fn found(gateway: &Gateway, check: Check) -> Finding {
    let found = judge(gateway).into_iter().find(|it| it.check == check);
    found.expect("every check is made")
}

fn masquerade() -> Nat {
    Nat {
        action: "masquerade".into(),
        place: "nft table inet nat chain out".into(),
        leaving: vec!["wan0".into()],
    }
}

fn with_nat(gateway: Gateway, nat: Nat) -> Gateway {
    let ruleset = Ruleset {
        follows: true,
        nat: vec![nat],
        ..Ruleset::default()
    };
    Gateway {
        ruleset: Ok(ruleset),
        ..gateway
    }
}

#[test]
fn a_plain_router_is_fine() {
    let findings = judge(&inside());
    assert!(
        findings.iter().all(|it| it.verdict == Verdict::Ok),
        "{findings:?}"
    );
}

#[test]
fn forwarding_is_needed_for_the_families_that_are_guarded() {
    let mut it = inside();
    it.forwards_v6 = Ok(0);
    assert_eq!(found(&it, Check::Forwarding).verdict, Verdict::Ok);
    it.forwards_v4 = Ok(0);
    let off = found(&it, Check::Forwarding);
    assert!(off.degrades);
    assert_eq!(off.fix, Some(command("sysctl -w net.ipv4.ip_forward=1")));
    let mut both = gateway(Placement::Inside, &["192.0.2.0/24", "2001:db8:1::/64"]);
    both.forwards_v6 = Ok(0);
    assert!(!found(&both, Check::Forwarding).degrades);
    both.forwards_v4 = Ok(0);
    assert!(found(&both, Check::Forwarding).degrades);
    both.sides.as_mut().unwrap().bridged = true;
    assert_eq!(found(&both, Check::Forwarding).verdict, Verdict::Ok);
}

#[test]
fn strict_filters_of_sources_are_told() {
    let mut it = inside();
    it.rp_filter[0].1 = Ok(1);
    let finding = found(&it, Check::RpFilter);
    assert_eq!(finding.subject.as_deref(), Some("lan0"));
    assert_eq!(
        finding.fix,
        Some(command("sysctl -w net.ipv4.conf.lan0.rp_filter=2"))
    );
    it.rp_filter[0].1 = Ok(2);
    assert_eq!(found(&it, Check::RpFilter).verdict, Verdict::Ok);
}

#[test]
fn conntrack_that_drops_what_is_invalid_needs_the_right_placement() {
    let mut it = inside();
    it.ruleset = Ok(Ruleset {
        follows: true,
        drops_invalid: vec!["nft table inet strict chain forward".into()],
        ..Ruleset::default()
    });
    assert_eq!(found(&it, Check::Conntrack).verdict, Verdict::Ok);
    it.sides.as_mut().unwrap().ways[0].1 = Ok(Way::Over("dmz0".into(), vec![]));
    let wrong = found(&it, Check::Conntrack);
    assert!(wrong.degrades, "{wrong:?}");
    assert!(
        wrong
            .evidence
            .contains("nft table inet strict chain forward")
    );
    assert_eq!(
        wrong.fix,
        Some(command(
            "sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1"
        ))
    );
    it.liberal = Ok(Some(1));
    assert_eq!(found(&it, Check::Conntrack).verdict, Verdict::Ok);
    it.liberal = Ok(None);
    assert_eq!(found(&it, Check::Conntrack).verdict, Verdict::Ok);
}

#[test]
fn masquerading_needs_outside_and_the_address_that_peers_see() {
    let it = with_nat(inside(), masquerade());
    let finding = found(&it, Check::Nat);
    assert!(finding.degrades && finding.evidence.contains("masquerade on wan0"));
    assert_eq!(
        finding.fix,
        Some(command(
            "isnguard attach --outside wan0 --protect 198.51.100.1"
        ))
    );
    let right = with_nat(
        gateway(Placement::Outside, &["198.51.100.1/32"]),
        masquerade(),
    );
    assert_eq!(found(&right, Check::Nat).verdict, Verdict::Ok);
    let nobody = with_nat(gateway(Placement::Outside, &["192.0.2.0/24"]), masquerade());
    assert!(found(&nobody, Check::Nat).degrades);
    let all = with_nat(gateway(Placement::Outside, &["0.0.0.0/0"]), masquerade());
    assert_eq!(found(&all, Check::Nat).verdict, Verdict::Ok);
    let forwarded = Nat {
        action: "dnat".into(),
        ..masquerade()
    };
    assert!(!found(&with_nat(inside(), forwarded), Check::Nat).degrades);
}

#[test]
fn short_cuts_around_the_hooks_are_told() {
    let table = |hardware| Flowtable {
        name: "fast".into(),
        devices: vec!["lan0".into(), "wan0".into()],
        hardware,
    };
    let with = |hardware, stacked: &[&str]| Gateway {
        ruleset: Ok(Ruleset {
            flowtables: vec![table(hardware)],
            ..Ruleset::default()
        }),
        stacked: stacked.iter().map(|it| (*it).into()).collect(),
        ..inside()
    };
    assert_eq!(
        found(&with(false, &[]), Check::Flowtable).verdict,
        Verdict::Ok
    );
    assert!(found(&with(false, &["lan0.7"]), Check::Flowtable).degrades);
    let hard = found(&with(true, &[]), Check::Flowtable);
    assert_eq!(hard.verdict, Verdict::Fail);
    assert!(hard.evidence.contains("`fast` on lan0, wan0"));
}

#[test]
fn rules_that_could_not_be_read_leave_the_rest_known() {
    let mut it = inside();
    it.ruleset = Err("nft is not installed".into());
    for check in [
        Check::Conntrack,
        Check::Nat,
        Check::Synproxy,
        Check::Flowtable,
    ] {
        let finding = found(&it, check);
        assert_eq!(finding.verdict, Verdict::Unknown);
        assert!(finding.evidence.contains("nft is not installed"));
    }
    assert_eq!(found(&it, Check::Forwarding).verdict, Verdict::Ok);
}

#[test]
fn syns_that_the_gateway_answers_are_told() {
    let mut it = inside();
    it.ruleset = Ok(Ruleset {
        synproxy: vec!["nft table inet f chain sp".into()],
        ..Ruleset::default()
    });
    let finding = found(&it, Check::Synproxy);
    assert_eq!((finding.verdict, finding.degrades), (Verdict::Warn, false));
}
