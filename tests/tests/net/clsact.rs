//! clsact filters, which kernels without TCX get: the cure, adoption in mid-transfer, and nothing left when it is over (S19, S20, S24).

use std::time::Duration;

use anyhow::{Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    scenario::{Connection, Watch, ensure_hangs, host_end, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};
use nix::sys::signal::Signal;
use tempfile::TempDir;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const MIB: u64 = 1 << 20;
const MUCH: u64 = 128 * MIB;
const GIVE_UP: Duration = Duration::from_millis(1100);
const PATIENCE: Duration = Duration::from_mins(1);

fn clsact(placement: Placement, hook: Hook) -> Setup {
    Setup::new(placement, hook).with(&["--tc-flavour", "clsact"])
}

/// Filters and qdiscs of an interface, as `tc` shows them.
fn filters(lab: &Lab, interface: &str) -> Result<[String; 3]> {
    let shown = |arguments: &[&str]| lab.gateway.run("tc", arguments);
    Ok([
        shown(&["qdisc", "show", "dev", interface])?,
        shown(&["filter", "show", "dev", interface, "ingress"])?,
        shown(&["filter", "show", "dev", interface, "egress"])?,
    ])
}

fn hang_and_cure(placement: Placement, hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let setup = clsact(placement, hook);
    let before = filters(&lab, &setup.interface)?;
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        one_life(&lab, &server, PORT, FIRST_ISN)?;
        ensure_hangs(&lab, &server, PORT, LOWER_ISN, GIVE_UP)?;
    }
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&setup)?;
    let attached = isnguard.status()?["attached"][0].clone();
    ensure!(
        attached["hook"] == hook.name() && attached["tc_flavour"] == "clsact",
        "{attached}"
    );
    let [qdiscs, ingress, egress] = filters(&lab, &setup.interface)?;
    ensure!(
        qdiscs.contains("clsact") && egress.contains("isn_tc_"),
        "{qdiscs} {egress}"
    );
    ensure!(
        ingress.contains("isn_tc_") == (hook == Hook::Tc),
        "{ingress}"
    );
    for family in Family::ALL {
        is_cured(&lab, &isnguard, family)?;
    }
    isnguard.detach()?;
    ensure!(filters(&lab, &setup.interface)? == before);
    ensure!(!isnguard.pins().exists());
    Ok(())
}

fn is_cured(lab: &Lab, isnguard: &Isnguard, family: Family) -> Result<()> {
    let dir = TempDir::new()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let host = host_end(&server, PORT + 1);
    one_life(lab, &server, PORT + 1, FIRST_ISN)?;
    let watch = Watch::start(lab, dir.path(), "clsact")?;
    let connection = Connection::open(lab, &server, PORT + 1, LOWER_ISN)?;
    connection.exchange(MIB, 1)?;
    let flow = isnguard.flow(host)?;
    connection.close()?;
    ensure!(flow.offset != 0, "{flow:?}");
    let sides = watch.stop()?.verified(host)?;
    ensure!(sides.openings().len() == 1, "{:?}", sides.openings());
    ensure!(sides.ensure_translated(flow.offset)? > 1000);
    Ok(())
}

#[test]
fn inside() -> Result<()> {
    hang_and_cure(Placement::Inside, Hook::Tc)
}

#[test]
fn outside() -> Result<()> {
    hang_and_cure(Placement::Outside, Hook::Tc)
}

#[test]
fn inside_beside_xdp() -> Result<()> {
    hang_and_cure(Placement::Inside, Hook::Xdp)
}

#[test]
fn outside_beside_xdp() -> Result<()> {
    hang_and_cure(Placement::Outside, Hook::Xdp)
}

fn killed_and_adopted(placement: Placement, hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let host = host_end(&server, PORT);
    let setup = clsact(placement, hook);
    let before = filters(&lab, &setup.interface)?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let mut daemon = isnguard.run(&setup)?;
    one_life(&lab, &server, PORT, FIRST_ISN)?;
    let connection = Connection::open(&lab, &server, PORT, LOWER_ISN)?;
    let flow = isnguard.flow(host)?;
    ensure!(flow.offset != 0, "{flow:?}");
    connection.exchange_while(MUCH, || {
        daemon.signal(Signal::SIGKILL)?;
        daemon.wait(PATIENCE).map(drop)
    })?;
    ensure!(isnguard.status()?["healthy"] == true);
    // Replaced while segments fly: each finds the old program or the new one.
    connection.exchange_while(MUCH, || isnguard.attach(&setup).map(drop))?;
    ensure!(isnguard.flow(host)? == flow, "the flow was not adopted");
    let daemon = isnguard.run(&Setup::new(placement, hook))?;
    let [_, ingress, egress] = filters(&lab, &setup.interface)?;
    for (shown, number) in [(ingress, usize::from(hook == Hook::Tc)), (egress, 1)] {
        ensure!(
            shown.matches(" handle ").count() == number,
            "attached twice or not at all: {shown}"
        );
    }
    connection.exchange(MIB, 3)?;
    ensure!(isnguard.flow(host)? == flow, "`run` did not adopt the flow");
    drop(daemon);
    connection.close()?;
    isnguard.detach_by_force()?;
    ensure!(filters(&lab, &setup.interface)? == before);
    ensure!(!isnguard.pins().exists());
    Ok(())
}

#[test]
fn a_killed_process_leaves_the_filters_to_the_next_inside() -> Result<()> {
    killed_and_adopted(Placement::Inside, Hook::Tc)
}

#[test]
fn a_killed_process_leaves_the_filters_to_the_next_outside() -> Result<()> {
    killed_and_adopted(Placement::Outside, Hook::Tc)
}

#[test]
fn a_killed_process_leaves_the_filter_beside_xdp_to_the_next() -> Result<()> {
    killed_and_adopted(Placement::Inside, Hook::Xdp)
}

#[test]
fn a_qdisc_that_was_there_and_the_filters_of_others_stay() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let setup = clsact(Placement::Inside, Hook::Tc);
    let interface = setup.interface.as_str();
    lab.gateway
        .run("tc", &["qdisc", "add", "dev", interface, "clsact"])?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let own = filters(&lab, interface)?;
    isnguard.attach(&setup)?;
    isnguard.detach()?;
    ensure!(filters(&lab, interface)? == own, "the qdisc was not ours");

    lab.gateway
        .run("tc", &["qdisc", "del", "dev", interface, "clsact"])?;
    isnguard.attach(&setup)?;
    // Classic BPF, "return 0": it matches nothing.
    let foreign = "filter add dev inside0 ingress prio 7 protocol all bpf flowid 1:1 bytecode";
    let mut foreign: Vec<&str> = foreign.split_whitespace().collect();
    foreign.push("1,6 0 0 0");
    lab.gateway.run("tc", &foreign)?;
    isnguard.detach()?;
    let [qdiscs, ingress, egress] = filters(&lab, interface)?;
    ensure!(
        qdiscs.contains("clsact") && ingress.contains("pref 7 bpf"),
        "{qdiscs} {ingress}"
    );
    ensure!(
        !ingress.contains("isn_tc_") && egress.trim().is_empty(),
        "{ingress} {egress}"
    );
    Ok(())
}
