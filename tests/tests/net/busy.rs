//! A busy link: attaching, upgrading and detaching leave every connection alone that was open before (S15, S19).

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    hooks::{ensure_single, programs_at},
    scenario::{Connection, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
    wait,
};

/// Connections of each family.
const CONNECTIONS: u16 = 24;
const ROUNDS: u64 = 3;
const FIRST_PORT: u16 = 40_000;
const PEER_PORT: u16 = 7000;
const LOW: u32 = 1_000_000_000;
const HIGH: u32 = 3_000_000_000;
const KIB: u64 = 1 << 10;
const PATIENCE: Duration = Duration::from_mins(1);

/// Moves pieces over every connection, all at once, while `work` is done; each moves one more after it.
fn busy_while(
    connections: &[Connection],
    work: impl FnOnce(&AtomicU64) -> Result<()>,
) -> Result<()> {
    let (done, pieces) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let transfers: Vec<_> = connections
            .iter()
            .map(|connection| {
                scope.spawn(|| -> Result<()> {
                    for seed in 0.. {
                        let last = done.load(Ordering::Acquire);
                        connection.exchange(16 * KIB, seed)?;
                        pieces.fetch_add(1, Ordering::Relaxed);
                        if last {
                            break;
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        let worked = work(&pieces);
        done.store(true, Ordering::Release);
        for transfer in transfers {
            transfer
                .join()
                .map_err(|_| anyhow!("a transfer panicked"))??;
        }
        worked
    })
}

/// Waits until so many pieces more have arrived.
fn await_pieces(pieces: &AtomicU64, more: u64) -> Result<()> {
    let wanted = pieces.load(Ordering::Relaxed) + more;
    wait::until(PATIENCE, "the transfers to go on", || {
        Ok((pieces.load(Ordering::Relaxed) >= wanted).then_some(()))
    })
}

fn left_alone(placement: Placement, hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let setup = Setup::new(placement, hook);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let mut servers = Vec::new();
    for family in Family::ALL {
        servers.push(Server::listen(&lab.peer, family.peer(PEER_PORT))?);
    }
    let ends = servers
        .iter()
        .flat_map(|server| (FIRST_PORT..FIRST_PORT + CONNECTIONS).map(move |port| (server, port)));
    let connections: Vec<Connection> = ends
        .map(|(server, port)| Connection::open(&lab, server, port, LOW))
        .collect::<Result<_>>()?;
    let all = connections.len() as u64;
    busy_while(&connections, |pieces| {
        for _ in 0..ROUNDS {
            await_pieces(pieces, all)?;
            isnguard.attach(&setup)?;
            ensure_single(&lab, &setup.interface, hook)?;
            await_pieces(pieces, all)?;
            isnguard.attach(&setup)?;
            ensure_single(&lab, &setup.interface, hook)?;
            await_pieces(pieces, all)?;
            for name in [
                "packets_translated_out",
                "packets_translated_in",
                "syn_seen",
            ] {
                ensure!(
                    isnguard.counter(name)? == 0,
                    "{name}: {}",
                    isnguard.stats()?
                );
            }
            ensure!(
                isnguard.counter("packets_seen")? > 0,
                "{}",
                isnguard.stats()?
            );
            ensure!(isnguard.flows()?.is_empty(), "{:?}", isnguard.flows()?);
            // Not refused: there is nothing that it would break.
            isnguard.detach()?;
            ensure!(programs_at(&lab, &setup.interface)? == [0, 0, 0]);
        }
        isnguard.attach(&setup).map(drop)
    })?;
    for connection in connections {
        connection.close()?;
    }
    // They have ended, and what comes after them is guarded.
    let server = &servers[0];
    one_life(&lab, server, FIRST_PORT + CONNECTIONS, HIGH)?;
    one_life(&lab, server, FIRST_PORT + CONNECTIONS, LOW)?;
    ensure!(
        isnguard.counter("syn_rewritten")? == 1,
        "{}",
        isnguard.stats()?
    );
    Ok(())
}

#[test]
fn open_connections_are_left_alone_at_xdp() -> Result<()> {
    for placement in Placement::ALL {
        left_alone(placement, Hook::Xdp).with_context(|| format!("{placement:?}"))?;
    }
    Ok(())
}

#[test]
fn open_connections_are_left_alone_at_generic_xdp() -> Result<()> {
    left_alone(Placement::Inside, Hook::XdpGeneric)
}

#[test]
fn open_connections_are_left_alone_at_tc() -> Result<()> {
    for placement in Placement::ALL {
        left_alone(placement, Hook::Tc).with_context(|| format!("{placement:?}"))?;
    }
    Ok(())
}
