//! Forwarding, connection tracking, NAT, and hosts on the other side.

use anyhow::{Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions, OUTSIDE_IF},
};

use super::{INSIDE, examined::Examined};

const STRICT: &str = "table inet strict { chain forward { type filter hook forward priority 0; ct state invalid drop; }; }";
const MASQUERADE: &str = "table inet nat { chain out { type nat hook postrouting priority 100; oifname outside0 masquerade; }; }";

#[test]
fn a_healthy_gateway_is_told_so_before_and_after_attaching() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let before = Examined::by(&isnguard, &INSIDE)?;
    before.ensure_fine()?;
    before.ensure("hook", "ok", &["tc would be used", "veth"])?;
    before.ensure("facing", "ok", &["192.0.2.0/24 over `inside0`"])?;
    before.ensure("instance", "ok", &["is not attached"])?;
    for hook in [Hook::Tc, Hook::Xdp] {
        isnguard.attach(&Setup::new(Placement::Inside, hook))?;
        let after = Examined::by(&isnguard, &[])?;
        after.ensure_fine()?;
        after.ensure("hook", "ok", &[&format!("{} in use", hook.name())])?;
        after.ensure("instance", "ok", &["`inside0` inside", "read back"])?;
        after.ensure("programs", "ok", &[])?;
        after.ensure("sweeper", "warn", &["isnguard run"])?;
        after.ensure("room", "ok", &["translated_v4 0 of"])?;
        isnguard.detach()?;
    }
    Ok(())
}

#[test]
fn forwarding_that_is_off_is_switched_on_as_told() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    lab.gateway.set_sysctl("net/ipv4/ip_forward", "0")?;
    let off = Examined::by(&isnguard, &INSIDE)?;
    off.ensure("forwarding", "warn", &["net.ipv4.ip_forward=0"])?;
    off.ensure_degrades("forwarding")?;
    off.do_as_told("forwarding", &lab.gateway, &isnguard)?;
    let on = Examined::by(&isnguard, &INSIDE)?;
    on.ensure("forwarding", "ok", &["net.ipv4.ip_forward=1"])?;
    on.ensure_fine()
}

#[test]
fn a_strict_filter_of_sources_is_loosened_as_told() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    lab.gateway
        .set_sysctl("net/ipv4/conf/inside0/rp_filter", "1")?;
    let strict = Examined::by(&isnguard, &INSIDE)?;
    strict.ensure("rp-filter", "warn", &["inside0", "1 counts"])?;
    strict.do_as_told("rp-filter", &lab.gateway, &isnguard)?;
    Examined::by(&isnguard, &INSIDE)?.ensure("rp-filter", "ok", &["2 counts"])
}

#[test]
fn hosts_on_the_other_side_are_found_and_conntrack_with_them() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    lab.gateway.run("nft", &[STRICT])?;
    lab.gateway
        .set_sysctl("net/netfilter/nf_conntrack_tcp_be_liberal", "0")?;
    Examined::by(&isnguard, &INSIDE)?.ensure(
        "conntrack",
        "ok",
        &["drops what is invalid: fine"],
    )?;

    let mut wrong = Setup::new(Placement::Inside, Hook::Tc);
    OUTSIDE_IF.clone_into(&mut wrong.interface);
    isnguard.attach(&wrong)?;
    let seen = Examined::by(&isnguard, &[])?;
    seen.ensure(
        "facing",
        "warn",
        &["leave over `inside0`", "not over `outside0`"],
    )?;
    seen.ensure_degrades("facing")?;
    seen.ensure(
        "conntrack",
        "warn",
        &["nft table inet strict chain forward", "be_liberal=0"],
    )?;
    seen.do_as_told("conntrack", &lab.gateway, &isnguard)?;
    let liberal = Examined::by(&isnguard, &[])?;
    liberal.ensure("conntrack", "ok", &["be_liberal=1"])?;
    liberal.ensure_degrades("facing")?;
    isnguard.detach()?;

    let planned = Examined::by(
        &isnguard,
        &["--inside", OUTSIDE_IF, "--protect", "192.0.2.0/24"],
    )?;
    let line = planned.command("facing")?;
    ensure!(
        line == "isnguard attach --inside inside0 --protect 192.0.2.0/24",
        "{line}"
    );
    Ok(())
}

#[test]
fn masquerading_needs_the_other_placement_which_is_told_and_fits() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    lab.gateway.run("nft", &[MASQUERADE])?;
    let inside = Examined::by(&isnguard, &INSIDE)?;
    inside.ensure("nat", "warn", &["masquerade on outside0"])?;
    inside.ensure_degrades("nat")?;
    let line = inside.command("nat")?;
    let told = line
        .strip_prefix("isnguard attach ")
        .unwrap_or_else(|| panic!("{line}"));
    let told: Vec<&str> = told.split(' ').collect();
    ensure!(
        told[..2] == ["--outside", "outside0"] && line.contains("--protect 198.51.100.1"),
        "{line}"
    );
    let outside = Examined::by(&isnguard, &told)?;
    outside.ensure("nat", "ok", &["sees the flows that the peers know"])?;
    outside.ensure_fine()?;
    let nobody = Examined::by(
        &isnguard,
        &["--outside", OUTSIDE_IF, "--protect", "192.0.2.0/24"],
    )?;
    nobody.ensure("nat", "warn", &["no --protect covers"])
}
