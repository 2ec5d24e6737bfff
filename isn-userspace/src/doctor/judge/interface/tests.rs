//! Interfaces of several sorts.

use super::*;
use crate::{
    dataplane::interfaces::tests::interface,
    doctor::{Fix, Verdict},
};

/// A network card that does everything.
pub fn card() -> Device {
    Device {
        interface: interface("eth1", 3),
        placement: Placement::Inside,
        hook: Seated::Asked(HookChoice::Auto),
        driver: Ok("ixgbe".into()),
        queues: Ok((8, 8)),
        offloads: Ok(vec!["rx-gro".into()]),
        xdp: Ok(XdpFeatures {
            basic: true,
            buffers: true,
            transmit: true,
        }),
        controller: None,
        uppers: vec![],
        others: Ok(vec![]),
    }
}

fn found(device: &Device, check: Check) -> Finding {
    let found = judge(device).into_iter().find(|it| it.check == check);
    found.expect("every check is made")
}

fn with(change: impl FnOnce(&mut Device)) -> Device {
    let mut device = card();
    change(&mut device);
    device
}

fn other(place: &str, is_xdp: bool) -> Other {
    Other {
        place: place.into(),
        is_xdp,
        program: "`balancer` (id 9)".into(),
        owners: vec!["held by balancerd (77)".into()],
    }
}

#[test]
fn a_good_card_is_fine_and_everything_is_told_by_name() {
    let findings = judge(&card());
    assert!(
        findings
            .iter()
            .all(|it| it.verdict == Verdict::Ok && it.subject.as_deref() == Some("eth1")),
        "{findings:?}"
    );
    assert!(
        found(&card(), Check::Hook)
            .evidence
            .starts_with("xdp would be used")
    );
    assert!(
        found(&card(), Check::Driver)
            .evidence
            .contains("8 receive and 8 transmit")
    );
}

#[test]
fn an_interface_that_is_down_is_switched_on() {
    let finding = found(&with(|it| it.interface.up = false), Check::Interface);
    assert!(finding.degrades);
    assert_eq!(finding.fix, Some(command("ip link set dev eth1 up")));
}

#[test]
fn auto_is_foretold_from_kind_features_and_length() {
    let hook = |change: fn(&mut Device)| found(&with(change), Check::Hook).evidence;
    assert!(hook(|it| it.interface.kind = Some("veth".into())).starts_with("tc would be used"));
    assert!(hook(|it| it.xdp = Ok(XdpFeatures::default())).starts_with("tc would be used"));
    assert!(hook(|it| it.xdp = Err("no word".into())).contains("is tried, else TC"));
    let jumbo = |it: &mut Device| {
        it.interface.mtu = 9000;
        it.xdp = Ok(XdpFeatures {
            basic: true,
            buffers: false,
            transmit: true,
        });
    };
    assert!(hook(jumbo).contains("the MTU is 9000"), "{}", hook(jumbo));
    assert_eq!(found(&with(jumbo), Check::Mtu).verdict, Verdict::Ok);
    assert!(
        hook(|it| it.offloads = Ok(vec!["rx-gro-hw".into()]))
            .starts_with("tc would be used: auto: segments come joined")
    );
    let in_use = hook(|it| it.hook = Seated::Attached(Hook::Tc, "asked for".into()));
    assert_eq!(in_use, "tc in use: asked for");
}

#[test]
fn xdp_that_the_driver_cannot_is_refused_as_attach_refuses_it() {
    let device = with(|it| {
        it.hook = Seated::Asked(HookChoice::Xdp);
        it.xdp = Ok(XdpFeatures::default());
    });
    let finding = found(&device, Check::Hook);
    assert_eq!(finding.verdict, Verdict::Fail);
    assert!(
        finding
            .evidence
            .starts_with("cannot attach to `eth1` with --hook xdp: the driver refused it"),
        "{finding:?}"
    );
    let generic = with(|it| it.hook = Seated::Asked(HookChoice::XdpGeneric));
    assert!(!found(&generic, Check::Hook).degrades);
}

#[test]
fn long_frames_need_several_buffers_at_xdp_and_nothing_elsewhere() {
    let jumbo = |hook: Seated, buffers| {
        let device = with(|it| {
            it.interface.mtu = 9000;
            it.hook = hook;
            it.xdp = Ok(XdpFeatures {
                basic: true,
                buffers,
                transmit: true,
            });
        });
        found(&device, Check::Mtu)
    };
    let attached = |hook| Seated::Attached(hook, "asked for".into());
    assert_eq!(jumbo(attached(Hook::Xdp), true).verdict, Verdict::Ok);
    assert_eq!(jumbo(attached(Hook::Tc), false).verdict, Verdict::Ok);
    let lost = jumbo(attached(Hook::Xdp), false);
    assert!(
        lost.degrades
            && lost
                .fix
                .unwrap()
                .text()
                .starts_with("ip link set dev eth1 mtu 3")
    );
    let refused = jumbo(Seated::Asked(HookChoice::Xdp), false);
    assert!(
        refused
            .evidence
            .contains("cannot attach to `eth1` with --hook xdp")
    );
    let untold = with(|it| {
        it.interface.mtu = 9000;
        it.xdp = Err("no word".into());
    });
    assert_eq!(found(&untold, Check::Mtu).verdict, Verdict::Unknown);
}

#[test]
fn offloads_matter_by_hook() {
    let at = |hook, offload: &str| {
        with(|it| {
            it.hook = Seated::Attached(hook, "asked for".into());
            it.offloads = Ok(vec![offload.into()]);
        })
    };
    for hook in [Hook::Xdp, Hook::Tc] {
        let lro = found(&at(hook, "rx-lro"), Check::Lro);
        assert!(lro.degrades);
        assert_eq!(lro.fix, Some(command("ethtool -K eth1 lro off")));
        assert_eq!(found(&at(hook, "rx-gro"), Check::Gro).verdict, Verdict::Ok);
    }
    let gro = found(&at(Hook::XdpGeneric, "rx-gro"), Check::Gro);
    assert_eq!(gro.fix, Some(command("ethtool -K eth1 gro off")));
    let vlan = "rx-vlan-hw-parse";
    assert_eq!(
        found(&at(Hook::Tc, vlan), Check::VlanOffload).verdict,
        Verdict::Ok
    );
    let stripped = found(&at(Hook::Xdp, vlan), Check::VlanOffload);
    assert!(!stripped.degrades);
    assert_eq!(stripped.fix, Some(command("ethtool -K eth1 rxvlan off")));
    let mut with_vlans = at(Hook::Xdp, vlan);
    with_vlans.uppers = vec![("eth1.7".into(), "vlan".into())];
    assert!(found(&with_vlans, Check::VlanOffload).degrades);
    let untold = with(|it| it.offloads = Err("no word".into()));
    assert_eq!(found(&untold, Check::Lro).verdict, Verdict::Unknown);
}

#[test]
fn unfinished_checksums_are_a_matter_of_virtual_wires_at_xdp() {
    let at = |hook, kind: Option<&str>| {
        let device = with(|it| {
            it.hook = Seated::Attached(hook, "asked for".into());
            it.interface.kind = kind.map(str::to_owned);
        });
        found(&device, Check::Checksums)
    };
    assert_eq!(at(Hook::Tc, Some("veth")).verdict, Verdict::Ok);
    assert_eq!(at(Hook::Xdp, None).verdict, Verdict::Ok);
    let veth = at(Hook::Xdp, Some("veth"));
    assert_eq!((veth.verdict, veth.degrades), (Verdict::Warn, false));
    assert!(veth.fix.unwrap().text().contains("ethtool -K IF tx off"));
}

#[test]
fn other_programs_are_named_with_their_owners_and_stand_in_the_way_of_xdp_alone() {
    let beside = with(|it| it.others = Ok(vec![other("TCX egress", false)]));
    let finding = found(&beside, Check::Programs);
    assert_eq!((finding.verdict, finding.degrades), (Verdict::Warn, false));
    assert_eq!(
        finding.evidence,
        "TCX egress: `balancer` (id 9) (held by balancerd (77))"
    );
    let taken = with(|it| it.others = Ok(vec![other("XDP", true)]));
    let finding = found(&taken, Check::Programs);
    assert_eq!(finding.verdict, Verdict::Fail);
    assert!(
        finding
            .evidence
            .starts_with("cannot attach to `eth1`: it is taken by XDP program `balancer` (id 9)"),
        "{finding:?}"
    );
    assert!(finding.evidence.contains("balancerd (77)"));
    let at_tc = with(|it| {
        it.others = Ok(vec![other("XDP", true)]);
        it.hook = Seated::Asked(HookChoice::Tc);
    });
    assert!(!found(&at_tc, Check::Programs).degrades);
}

#[test]
fn a_port_is_told_to_name_the_whole() {
    for (kind, name) in [("bond", "bond0"), ("bridge", "br0"), ("team", "team0")] {
        let port = with(|it| it.controller = Some((name.into(), kind.into())));
        let finding = found(&port, Check::Members);
        assert!(finding.degrades && finding.evidence.contains(kind));
        let Some(Fix::Advice(fix)) = finding.fix else {
            panic!()
        };
        assert!(fix.contains(&format!("--inside {name}")), "{fix}");
    }
    let carrier = with(|it| it.uppers = vec![("eth1.7".into(), "vlan".into())]);
    let finding = found(&carrier, Check::Members);
    assert!(finding.verdict == Verdict::Ok && finding.evidence.contains("vlan `eth1.7`"));
}

#[test]
fn a_capture_that_runs_is_noticed() {
    let finding = found(&with(|it| it.interface.promiscuity = 2), Check::Promiscuous);
    assert!(!finding.degrades && finding.evidence.contains("promiscuity 2"));
}
