//! Lets the next connection of a program that knows nothing of all this begin with a number that the peer refuses.
//!
//! Linux derives a first sequence number from the 4-tuple and a clock (RFC 6528): 2^32 numbers in 274 s. So the number that a program will
//! get can be told from one connection on the same 4-tuple, and another, whose number is chosen, is put far ahead of it.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};

use crate::{
    chosen_isn::{connect, next_seq},
    scenario::AT_ONCE,
    server::{Server, close_server_first},
    topology::Lab,
    transfer::exchange_unwatched,
};

/// So far ahead of the clock is the connection that the peer remembers: the clock needs more than a minute to reach it.
const AHEAD: u32 = 1_500_000_000;

/// Leaves the peer in TIME-WAIT so that the host's next connection from `host` to `peer` begins too low. Nobody may listen there yet.
pub fn regress_next(lab: &Lab, host: SocketAddr, peer: SocketAddr) -> Result<()> {
    let server = Server::listen(&lab.peer, peer)?;
    let clock = life(lab, &server, host, None)?;
    life(lab, &server, host, Some(clock.wrapping_add(AHEAD)))?;
    Ok(())
}

/// The host's programs that choose no port of their own get this one.
pub fn give_port(lab: &Lab, port: u16) -> Result<()> {
    lab.host
        .set_sysctl("net/ipv4/ip_local_port_range", &format!("{port} {port}"))
}

/// One short connection; the number that it began with.
fn life(lab: &Lab, server: &Server, host: SocketAddr, isn: Option<u32>) -> Result<u32> {
    let limit: Duration = AT_ONCE;
    let client = connect(&lab.host, host, server.address(), isn, limit)
        .with_context(|| format!("from {host} to {}", server.address()))?;
    let accepted = server.accept(limit)?;
    let first = next_seq(&client)?.wrapping_sub(1);
    exchange_unwatched(&client, &accepted, 1000, 1)?.ensure_intact()?;
    close_server_first(client, accepted)?;
    Ok(first)
}
