//! Interfaces: down, taken by others, with offloads and long frames, and ports of a bridge.

use anyhow::{Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    process,
    setup::{Hook, Placement, Setup},
    topology::{INSIDE_IF, Lab, LabOptions, OUTSIDE_IF},
};

use super::{INSIDE, examined::Examined};

fn with_xdp() -> Vec<&'static str> {
    INSIDE.into_iter().chain(["--hook", "xdp"]).collect()
}

#[test]
fn another_program_is_named_with_its_owner_in_the_words_of_attach() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut other = Isnguard::new(&lab.gateway)?;
    other.attach(&Setup::new(Placement::Inside, Hook::Xdp))?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let taken = Examined::by(&isnguard, &with_xdp())?;
    let pin = format!("pinned at {}", other.pins().display());
    taken.ensure(
        "programs",
        "fail",
        &[
            "cannot attach to `inside0`: it is taken by XDP program `isn_xdp_out` (id",
            &pin,
        ],
    )?;
    let refused = process::run_to_end(isnguard.command("attach", &with_xdp())?)?;
    let said = taken.finding("programs")?;
    let evidence = said["evidence"].as_str().unwrap_or_default();
    let words = evidence.split_once("; ").map_or(evidence, |it| it.0);
    ensure!(
        refused.stderr.contains(words)
            && refused
                .stderr
                .contains(said["fix"].as_str().unwrap_or("none")),
        "attach does not say {words:?}: {refused:?}"
    );
    let beside = Examined::by(&isnguard, &INSIDE)?;
    beside.ensure(
        "programs",
        "warn",
        &["XDP: `isn_xdp_out`", "TCX egress: `isn_tc_in`", &pin],
    )?;
    beside.ensure_fine()
}

#[test]
fn a_filter_of_tc_is_named() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut other = Isnguard::new(&lab.gateway)?;
    other.attach(&Setup::new(Placement::Inside, Hook::Tc).with(&["--tc-flavour", "clsact"]))?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    Examined::by(&isnguard, &INSIDE)?.ensure(
        "programs",
        "warn",
        &["clsact ingress: `isn_tc_out`", "clsact egress: `isn_tc_in`"],
    )
}

#[test]
fn an_interface_that_is_down_is_switched_on_as_told() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    lab.gateway
        .run("ip", &["link", "set", OUTSIDE_IF, "down"])?;
    let outside = ["--outside", OUTSIDE_IF, "--protect", "198.51.100.1"];
    let down = Examined::by(&isnguard, &outside)?;
    down.ensure("interface", "warn", &["down"])?;
    down.ensure_degrades("interface")?;
    down.do_as_told("interface", &lab.gateway, &isnguard)?;
    Examined::by(&isnguard, &outside)?.ensure("interface", "ok", &["up (netlink)"])
}

#[test]
fn offloads_are_read_and_switched_off_as_told() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let offload =
        |name: &str, state: &str| lab.gateway.run("ethtool", &["-K", INSIDE_IF, name, state]);
    offload("rxvlan", "on")?;
    offload("gro", "on")?;
    let at_xdp = Examined::by(&isnguard, &with_xdp())?;
    at_xdp.ensure("vlan-offload", "warn", &["rx-vlan-hw-parse: on"])?;
    at_xdp.ensure("checksums", "warn", &["veth", "tx off"])?;
    at_xdp.ensure("lro", "ok", &["rx-lro: off"])?;
    at_xdp.ensure("driver", "ok", &["driver veth"])?;
    at_xdp.ensure("mtu", "ok", &["1500"])?;
    at_xdp.do_as_told("vlan-offload", &lab.gateway, &isnguard)?;
    let at_tc = Examined::by(&isnguard, &INSIDE)?;
    at_tc.ensure("gro", "ok", &["rx-gro: on", "TC sees merged segments"])?;
    at_tc.ensure("checksums", "ok", &["at TC"])?;
    Examined::by(&isnguard, &with_xdp())?.ensure(
        "vlan-offload",
        "ok",
        &["rx-vlan-hw-parse: off"],
    )?;
    let generic: Vec<&str> = INSIDE
        .into_iter()
        .chain(["--hook", "xdp-generic"])
        .collect();
    let merged = Examined::by(&isnguard, &generic)?;
    merged.ensure("gro", "warn", &["rx-gro: on"])?;
    merged.do_as_told("gro", &lab.gateway, &isnguard)?;
    Examined::by(&isnguard, &generic)?.ensure("gro", "ok", &["rx-gro: off"])
}

/// What each hook is for depends on what joins segments and on what native XDP would cost; a hook that is asked for is taken all the same.
#[test]
fn the_hook_is_advised_by_what_the_interface_offers() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let gro = |state: &str| lab.gateway.run("ethtool", &["-K", INSIDE_IF, "gro", state]);
    gro("on")?;
    let auto = Examined::by(&isnguard, &INSIDE)?;
    auto.ensure("hook", "ok", &["tc would be used", "unfinished checksums"])?;
    auto.ensure(
        "traffic",
        "ok",
        &[
            "rx-gro: on",
            "rx-gro-hw: off",
            "native XDP offered",
            "bulk TCP",
        ],
    )?;
    gro("off")?;
    let at_xdp = Examined::by(&isnguard, &with_xdp())?;
    at_xdp.ensure("traffic", "warn", &["rx-gro: off", "64 KiB", "--hook tc"])?;
    at_xdp.ensure_fine()?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Xdp))?;
    let in_use = Examined::by(&isnguard, &[])?;
    in_use.ensure("hook", "ok", &["xdp in use", "asked for with --hook xdp"])?;
    in_use.ensure("traffic", "warn", &["gives up segments of 64 KiB"])
}

#[test]
fn jumbo_frames_are_held_against_what_the_driver_says_and_it_is_so() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    lab.gateway
        .run("ip", &["link", "set", INSIDE_IF, "mtu", "9000"])?;
    let foretold = Examined::by(&isnguard, &with_xdp())?;
    foretold.ensure("mtu", "ok", &["9000", "several buffers"])?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Xdp))?;
    Examined::by(&isnguard, &[])?.ensure("hook", "ok", &["xdp in use"])
}

#[test]
fn a_port_of_a_bridge_is_told_to_name_the_bridge() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    lab.gateway
        .run("ip", &["link", "add", "br0", "type", "bridge"])?;
    lab.gateway
        .run("ip", &["link", "set", INSIDE_IF, "master", "br0"])?;
    let port = Examined::by(&isnguard, &INSIDE)?;
    port.ensure("members", "warn", &["port of bridge `br0`", "--inside br0"])?;
    port.ensure("facing", "ok", &["bridged"])?;
    port.ensure_degrades("members")?;
    Examined::by(&isnguard, &["--inside", "br0"])?.ensure("members", "ok", &[])
}

#[test]
fn what_is_no_interface_is_refused_in_the_words_of_attach_and_the_rest_is_checked() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    for (name, why) in [("nope", "there is no such interface"), ("lo", "loopback")] {
        let seen = Examined::by(&isnguard, &["--inside", name])?;
        seen.ensure("interface", "fail", &[why])?;
        seen.ensure("forwarding", "ok", &[])?;
        let refused = process::run_to_end(isnguard.command("attach", &["--inside", name])?)?;
        let evidence = seen.finding("interface")?["evidence"]
            .as_str()
            .unwrap_or_default();
        ensure!(refused.stderr.contains(evidence), "{refused:?}");
    }
    Ok(())
}
