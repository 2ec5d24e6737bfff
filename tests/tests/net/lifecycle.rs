//! The data plane and the process that made it: killed, adopted, attached in the middle, refused, removed (S4, S15, S19, S20).

use std::{thread, time::Duration};

use anyhow::{Result, anyhow, ensure};
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
const PATIENCE: Duration = Duration::from_mins(1);

fn killed_and_adopted(hook: Hook, placement: Placement) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let host = host_end(&server, PORT);
    let setup = Setup::new(placement, hook);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let mut daemon = isnguard.run(&setup)?;
    one_life(&lab, &server, PORT, FIRST_ISN)?;
    let connection = Connection::open(&lab, &server, PORT, LOWER_ISN)?;
    let before = isnguard.flow(host)?;
    ensure!(
        before.offset != 0,
        "the connection was not translated: {before:?}"
    );
    let attached = isnguard.status()?["attached"].as_array().map(Vec::len);

    connection.exchange_while(128 * MIB, || {
        daemon.signal(Signal::SIGKILL)?;
        daemon.wait(PATIENCE).map(drop)
    })?;
    ensure!(
        isnguard.flow(host)? == before,
        "the flow went with the process"
    );

    isnguard.attach(&setup)?;
    ensure!(
        isnguard.flow(host)? == before,
        "`attach` did not adopt the flow"
    );
    connection.exchange(MIB, 2)?;
    let daemon = isnguard.run(&setup)?;
    ensure!(
        isnguard.flow(host)? == before,
        "`run` did not adopt the flow"
    );
    ensure!(
        isnguard.status()?["attached"].as_array().map(Vec::len) == attached,
        "attached twice: {}",
        isnguard.status()?
    );
    connection.exchange(MIB, 3)?;
    drop(daemon);
    connection.close()
}

#[test]
fn a_killed_process_leaves_the_data_plane_to_the_next_at_xdp() -> Result<()> {
    killed_and_adopted(Hook::Xdp, Placement::Inside)?;
    killed_and_adopted(Hook::Xdp, Placement::Outside)
}

#[test]
fn a_killed_process_leaves_the_data_plane_to_the_next_at_generic_xdp() -> Result<()> {
    killed_and_adopted(Hook::XdpGeneric, Placement::Inside)
}

#[test]
fn a_killed_process_leaves_the_data_plane_to_the_next_at_tc() -> Result<()> {
    killed_and_adopted(Hook::Tc, Placement::Inside)?;
    killed_and_adopted(Hook::Tc, Placement::Outside)
}

fn attached_in_the_middle(hook: Hook, placement: Placement, family: Family) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let dir = TempDir::new()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let host = host_end(&server, PORT);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let watch = Watch::start(&lab, dir.path(), "middle")?;
    let connection = Connection::open(&lab, &server, PORT, LOWER_ISN)?;
    // Small pieces, one after the other, for as long as attaching takes: the captures stay small.
    thread::scope(|scope| {
        let attaching = scope.spawn(|| isnguard.attach(&Setup::new(placement, hook)).map(drop));
        for piece in 0.. {
            connection.exchange(16 << 10, piece)?;
            if attaching.is_finished() {
                break;
            }
        }
        attaching
            .join()
            .map_err(|_| anyhow!("attaching panicked"))?
    })?;
    // No more than the queues of a veth hold: a lost frame would have no counterpart.
    connection.exchange(4 * MIB, 2)?;
    ensure!(
        isnguard.flow(host).is_err(),
        "a flow came from the middle of a connection: {:?}",
        isnguard.flows()?
    );
    connection.close()?;
    ensure!(watch.stop()?.verified(host)?.ensure_untouched()? > 5_000);
    ensure!(
        isnguard.counter("packets_translated_out")? == 0
            && isnguard.counter("packets_translated_in")? == 0
    );

    one_life(&lab, &server, PORT + 1, FIRST_ISN)?;
    one_life(&lab, &server, PORT + 1, LOWER_ISN)
}

#[test]
fn an_open_connection_passes_untouched_when_isnguard_comes() -> Result<()> {
    attached_in_the_middle(Hook::Xdp, Placement::Inside, Family::V4)?;
    attached_in_the_middle(Hook::Tc, Placement::Outside, Family::V6)
}

fn observed(hook: Hook, placement: Placement, family: Family) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let dir = TempDir::new()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, hook).in_mode("observe"))?;
    let watch = Watch::start(&lab, dir.path(), "observe")?;
    one_life(&lab, &server, PORT, FIRST_ISN)?;
    ensure_hangs(&lab, &server, PORT, LOWER_ISN, Duration::from_millis(1100))?;
    let sides = watch.stop()?.verified(host_end(&server, PORT))?;
    ensure!(sides.ensure_untouched()? > 8);
    ensure!(
        sides.openings().len() > 2,
        "the hang was expected to bring retransmissions"
    );
    ensure!(
        isnguard.counter("syn_would_rewrite")? >= 1,
        "nothing would have been rewritten: {}",
        isnguard.stats()?
    );
    ensure!(isnguard.counter("syn_rewritten")? == 0);
    ensure!(
        isnguard.status()?["mode"] == "observe",
        "{}",
        isnguard.status()?
    );
    Ok(())
}

#[test]
fn observe_counts_and_changes_nothing() -> Result<()> {
    observed(Hook::Xdp, Placement::Inside, Family::V4)?;
    observed(Hook::XdpGeneric, Placement::Outside, Family::V6)?;
    observed(Hook::Tc, Placement::Inside, Family::V6)
}

#[test]
fn detach_is_refused_while_a_translated_flow_lives_and_force_removes_all() -> Result<()> {
    for hook in [Hook::Xdp, Hook::Tc] {
        let lab = Lab::new(LabOptions::default())?;
        let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        isnguard.attach(&Setup::new(Placement::Inside, hook))?;
        one_life(&lab, &server, PORT, FIRST_ISN)?;
        let connection = Connection::open(&lab, &server, PORT, LOWER_ISN)?;
        let refusal = isnguard.detach().err().map(|error| format!("{error:#}"));
        let refusal =
            refusal.ok_or_else(|| anyhow!("a detach that breaks a connection was not refused"))?;
        ensure!(
            refusal.contains("--force") && refusal.contains("--drain"),
            "the refusal does not say what to do: {refusal}"
        );
        connection.exchange(MIB, 1)?;
        isnguard.detach_by_force()?;
        ensure!(isnguard.status().map_or(true, |status| {
            status["attached"].as_array().is_none_or(Vec::is_empty)
        }));
        for direction in ["ingress", "egress"] {
            let filters = lab
                .gateway
                .run("tc", &["filter", "show", "dev", "inside0", direction])?;
            ensure!(
                filters.trim().is_empty(),
                "filters were left behind: {filters}"
            );
        }
        let link = lab.gateway.run("ip", &["link", "show", "dev", "inside0"])?;
        ensure!(
            !link.contains("xdp"),
            "an XDP program was left behind: {link}"
        );
    }
    Ok(())
}
