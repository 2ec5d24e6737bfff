//! Advice by what joins segments, and by whether there is a choice.

use super::*;
use crate::doctor::{
    Verdict,
    judge::interface::{XdpFeatures, tests::card},
};

fn advised(hook: Hook, kind: Option<&str>, on: &[&str], native: bool) -> Finding {
    let mut device = card();
    device.interface.kind = kind.map(str::to_owned);
    device.offloads = Ok(on.iter().map(|it| (*it).to_owned()).collect());
    device.xdp = Ok(XdpFeatures {
        basic: native,
        ..XdpFeatures::default()
    });
    judge(&device, hook)
}

#[track_caller]
fn says(finding: &Finding, verdict: Verdict, words: &[&str]) {
    assert_eq!(finding.verdict, verdict, "{finding:?}");
    assert!(!finding.degrades, "{finding:?}");
    let fix = finding.fix.as_ref().map_or("", |it| it.text());
    let said = format!("{} {fix}", finding.evidence);
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said:?}");
    }
}

#[test]
fn a_card_with_a_choice_is_told_what_each_hook_is_for() {
    let gro = ["rx-gro"];
    let xdp = advised(Hook::Xdp, None, &gro, true);
    says(
        &xdp,
        Verdict::Ok,
        &[
            "rx-gro: on",
            "native XDP offered",
            "floods",
            "--hook tc is cheaper",
        ],
    );
    let tc = advised(Hook::Tc, None, &gro, true);
    says(&tc, Verdict::Ok, &["bulk TCP", "--hook xdp is cheaper"]);
    let alone = advised(Hook::Xdp, None, &[], true);
    says(&alone, Verdict::Ok, &["rx-gro: off"]);
    assert!(!alone.evidence.contains("--hook tc"), "{alone:?}");
}

#[test]
fn what_native_xdp_would_cost_is_named() {
    let veth = advised(Hook::Xdp, Some("veth"), &["rx-gro"], true);
    says(&veth, Verdict::Warn, &["64 KiB", "--hook tc"]);
    let joins = advised(Hook::Xdp, None, &["rx-gro", "rx-gro-hw"], true);
    says(&joins, Verdict::Warn, &["rx-gro-hw: on", "--hook tc"]);
    let at_tc = advised(Hook::Tc, None, &["rx-gro-hw"], true);
    says(&at_tc, Verdict::Ok, &["rx-gro-hw: on", "joined"]);
}

#[test]
fn tc_without_anything_that_joins_is_told_to_have_it() {
    let choice = advised(Hook::Tc, None, &[], true);
    says(&choice, Verdict::Warn, &["--hook xdp", "gro on"]);
    let none = advised(Hook::Tc, None, &[], false);
    says(&none, Verdict::Warn, &["ethtool -K eth1 gro on"]);
    let joins = advised(Hook::Tc, None, &["rx-gro"], false);
    says(&joins, Verdict::Ok, &["suits this interface"]);
    // The other end of a virtual wire sends whole what it has.
    let wire = advised(Hook::Tc, Some("veth"), &[], true);
    says(&wire, Verdict::Ok, &["rx-gro: off", "suits this interface"]);
}

#[test]
fn generic_xdp_is_for_nothing_and_what_is_not_known_is_said() {
    let generic = advised(Hook::XdpGeneric, None, &[], true);
    says(&generic, Verdict::Warn, &["dearest"]);
    let mut device = card();
    device.offloads = Err("no word".into());
    assert_eq!(judge(&device, Hook::Tc).verdict, Verdict::Unknown);
    device = card();
    device.xdp = Err("no word".into());
    says(&judge(&device, Hook::Xdp), Verdict::Ok, &["not told"]);
}
