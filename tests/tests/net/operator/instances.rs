//! Several instances on one machine.

use anyhow::{Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};

use super::{KIB, NOT_RUNNING, PEER_PORT, PORT, code, translated};

#[test]
fn instances_side_by_side_do_not_touch_each_other() -> Result<()> {
    let labs = [
        Lab::new(LabOptions::default())?,
        Lab::new(LabOptions::default())?,
    ];
    let mut instances = [
        Isnguard::new(&labs[0].gateway)?,
        Isnguard::new(&labs[1].gateway)?,
    ];
    for isnguard in &mut instances {
        isnguard.attach(&Setup::new(Placement::Inside, Hook::Xdp))?;
    }
    let server = Server::listen(&labs[0].peer, Family::V4.peer(PEER_PORT))?;
    let connection = translated(&labs[0], &server, PORT)?;
    let [first, second] = &instances;
    ensure!(first.flows()?.len() == 1 && second.flows()?.is_empty());
    let seen = second.counter("syn_seen")?;
    ensure!(seen == 0, "{seen} SYNs of the other laboratory");
    second.detach()?;
    ensure!(code(second, "status", &[])? == Some(NOT_RUNNING));
    ensure!(code(first, "status", &[])? == Some(0));
    connection.exchange(64 * KIB, 1)?;
    connection.close()?;
    Ok(())
}
