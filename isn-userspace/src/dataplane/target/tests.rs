//! What is asked for against what is there.

use std::collections::BTreeMap;

use super::{Targets, targets};
use crate::{
    dataplane::{
        interfaces::tests::interface,
        pins::{Known, Note},
        seat::{LinkName, Seat},
    },
    failure::Failure,
    settings::{HookChoice, Place, Placed, Placement, Request, TcFlavour},
};

pub(crate) fn request(placed: &[(&str, Placement)]) -> Request {
    let placed = placed
        .iter()
        .map(|(name, placement)| Placed {
            interface: (*name).into(),
            placement: *placement,
        })
        .collect();
    Request {
        place: Place {
            instance: "plant".parse().unwrap(),
            bpffs: "/bpf".into(),
        },
        placed,
        protect: vec![],
        mode: None,
        hook: None,
        tc_flavour: None,
        history: None,
        max_flows: None,
        max_half_open: None,
        max_history: None,
        idle: None,
        closing: None,
        samples: None,
        on_full: None,
        key_file: None,
        adopt: None,
        forward: None,
        forward_past_rules: None,
        verbose: false,
    }
}

const INSIDE: Placement = Placement::Inside;

fn pins(ifindex: u32, ingress: Seat, egress: Seat) -> [LinkName; 2] {
    [ingress, egress].map(|seat| LinkName {
        placement: INSIDE,
        ifindex,
        seat,
    })
}

fn known(pinned: &[LinkName]) -> Known {
    Known {
        seats: pinned.to_vec(),
        notes: BTreeMap::new(),
    }
}

fn work_out(request: &Request, pinned: &[LinkName]) -> Result<Targets, Failure> {
    targets(
        request,
        &known(pinned),
        &[interface("eth0", 2), interface("eth1", 3)],
    )
}

#[test]
fn nothing_named_adopts_what_is_attached() {
    let pinned = pins(3, Seat::Xdp, Seat::TcxEgress);
    let found = work_out(&request(&[]), &pinned).unwrap();
    assert_eq!(found.wanted.len(), 1);
    assert_eq!(found.wanted[0].interface.name, "eth1");
    assert_eq!(found.wanted[0].seats, pinned);
    assert!(found.gone.is_empty());
}

#[test]
fn nothing_named_and_nothing_attached_is_refused() {
    let failure = work_out(&request(&[]), &[]).unwrap_err();
    assert!(
        failure.to_string().contains("no interface is named"),
        "{failure}"
    );
    let gone = work_out(&request(&[]), &pins(9, Seat::Xdp, Seat::TcxEgress)).unwrap_err();
    assert!(gone.to_string().contains("are gone"), "{gone}");
}

#[test]
fn further_interfaces_are_added_to_those_that_are_named_again() {
    let request = request(&[("eth1", INSIDE), ("eth0", INSIDE)]);
    let found = work_out(&request, &pins(3, Seat::Xdp, Seat::TcxEgress)).unwrap();
    let pinned: Vec<_> = found
        .wanted
        .iter()
        .map(|target| (target.interface.name.as_str(), target.seats.len()))
        .collect();
    assert_eq!(pinned, [("eth1", 2), ("eth0", 0)]);
}

#[test]
fn an_attached_interface_that_is_not_named_is_refused() {
    let pinned = pins(3, Seat::Xdp, Seat::TcxEgress);
    let failure = work_out(&request(&[("eth0", INSIDE)]), &pinned).unwrap_err();
    assert!(
        failure.to_string().contains("attached to `eth1` too"),
        "{failure}"
    );
    assert!(failure.remedy().contains("--instance"));
}

#[test]
fn pins_of_interfaces_that_are_gone_are_stale() {
    let gone = pins(9, Seat::Xdp, Seat::TcxEgress);
    let found = work_out(&request(&[("eth0", INSIDE)]), &gone).unwrap();
    assert_eq!(found.gone[0].pins, gone);
    assert_eq!((found.gone.len(), found.wanted.len()), (1, 1));
    assert_eq!(found.wanted[0].instead_of, None);
}

fn noted(name: &str, ifindex: u32) -> BTreeMap<u32, Note> {
    let note = Note {
        interface: name.into(),
        reason: "asked for".into(),
        clsact_added: true,
        seats: vec![],
    };
    BTreeMap::from([(ifindex, note)])
}

#[test]
fn an_interface_that_has_come_back_is_known_by_its_name() {
    let known = Known {
        seats: pins(9, Seat::Xdp, Seat::ClsactEgress).to_vec(),
        notes: noted("eth1", 9),
    };
    let interfaces = [interface("eth0", 2), interface("eth1", 3)];
    let found = targets(&request(&[]), &known, &interfaces).unwrap();
    let target = &found.wanted[0];
    assert_eq!(target.interface.index, 3);
    assert_eq!(target.seats, pins(3, Seat::Xdp, Seat::ClsactEgress));
    assert_eq!(target.instead_of, Some(9));
    let note = target.note.clone().unwrap();
    assert!(note.reason == "asked for" && !note.clsact_added);
    assert_eq!(found.gone[0].pins, known.seats);

    // What it had holds only as far as nothing else is asked for.
    let mut anew = request(&[("eth1", INSIDE)]);
    anew.hook = Some(HookChoice::Tc);
    let found = targets(&anew, &known, &interfaces).unwrap();
    assert!(found.wanted[0].seats.is_empty());
}

#[test]
fn an_interface_that_has_another_name_now_is_known_by_its_index() {
    let known = Known {
        seats: pins(3, Seat::Xdp, Seat::TcxEgress).to_vec(),
        notes: noted("eth0", 3),
    };
    let found = targets(
        &request(&[]),
        &known,
        &[interface("eth0", 2), interface("eth1", 3)],
    );
    let found = found.unwrap();
    assert_eq!((found.wanted.len(), found.gone.len()), (1, 0));
    assert_eq!(found.wanted[0].interface.name, "eth1");
}

#[test]
fn side_and_hook_of_an_attached_interface_do_not_change() {
    let pinned = pins(3, Seat::XdpGeneric, Seat::ClsactEgress);
    let other_side = request(&[("eth1", Placement::Outside)]);
    let failure = work_out(&other_side, &pinned).unwrap_err();
    assert!(
        failure.to_string().contains("it is attached --inside"),
        "{failure}"
    );

    let mut other_hook = request(&[("eth1", INSIDE)]);
    other_hook.hook = Some(HookChoice::Tc);
    let failure = work_out(&other_hook, &pinned).unwrap_err();
    assert!(
        failure.to_string().contains("--hook xdp-generic"),
        "{failure}"
    );

    let mut other_flavour = request(&[]);
    other_flavour.tc_flavour = Some(TcFlavour::Tcx);
    let failure = work_out(&other_flavour, &pinned).unwrap_err();
    assert!(
        failure.to_string().contains("--tc-flavour clsact"),
        "{failure}"
    );

    for same in [HookChoice::Auto, HookChoice::XdpGeneric] {
        let mut request = request(&[("eth1", INSIDE)]);
        request.hook = Some(same);
        assert!(work_out(&request, &pinned).is_ok(), "{same:?}");
    }
}

#[test]
fn one_instance_does_not_watch_both_sides() {
    let request = request(&[("eth0", INSIDE), ("eth1", Placement::Outside)]);
    assert!(
        work_out(&request, &[])
            .unwrap_err()
            .to_string()
            .contains("translated twice")
    );
}

#[test]
fn both_sides_are_sat_on_where_the_instance_forwards_and_outside_one_way_only() {
    use crate::dataplane::netlink::Way;

    let mut both = request(&[("eth1", INSIDE), ("eth0", Placement::Outside)]);
    let twice = work_out(&both, &[]).unwrap_err();
    assert!(twice.to_string().contains("translated twice"), "{twice}");
    both.forward = Some(true);
    let found = work_out(&both, &[]).unwrap();
    let ways: Vec<_> = found.wanted.iter().map(super::Target::ways).collect();
    assert_eq!(ways, [&[Way::Ingress, Way::Egress][..], &[Way::Ingress]]);
}

#[test]
fn whether_an_instance_forwards_is_settled_when_it_is_attached() {
    let outside = LinkName {
        placement: Placement::Outside,
        ifindex: 2,
        seat: Seat::Forward,
    };
    let mut pinned = pins(3, Seat::Forward, Seat::TcxEgress).to_vec();
    pinned.push(outside);
    let adopted = work_out(&request(&[]), &pinned).unwrap();
    assert!(adopted.wanted.iter().all(|target| target.forwards));
    assert_eq!(adopted.wanted.len(), 2);

    let mut other = request(&[]);
    other.forward = Some(false);
    let refused = work_out(&other, &pinned).unwrap_err();
    assert!(
        refused.to_string().contains("attached with --forward"),
        "{refused}"
    );
    other.forward = Some(true);
    let refused = work_out(&other, &pins(3, Seat::Xdp, Seat::TcxEgress)).unwrap_err();
    assert!(
        refused.to_string().contains("attached without --forward"),
        "{refused}"
    );
}

#[test]
fn an_attach_that_was_killed_early_can_be_finished_either_way() {
    let egress = pins(3, Seat::Xdp, Seat::TcxEgress)[1];
    let mut both = request(&[("eth1", INSIDE), ("eth0", Placement::Outside)]);
    both.forward = Some(true);
    let found = work_out(&both, &[egress]).unwrap();
    assert!(found.wanted.iter().all(|target| target.forwards));
    assert_eq!(found.wanted[0].seats, [egress]);
    let found = work_out(&request(&[("eth1", INSIDE)]), &[egress]).unwrap();
    assert!(!found.wanted[0].forwards);
}
