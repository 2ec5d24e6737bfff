//! Connections opened through a gateway by both ends as far as it can see: without stacks, from chosen numbers.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use isn_tests::segment::Segment as Arrived;

use super::{
    ground::Ends,
    traffic::{self, ACKNOWLEDGMENT, Segment},
};

/// Handshakes under way at once: their frames fit into the ring of a line.
const AT_ONCE: u32 = 32;
/// A handshake that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens so many flows; the acknowledgment numbers that their hosts then have, in the flows' order.
pub fn open(ends: &Ends, flows: u32) -> Result<Vec<u32>> {
    let mut opened = vec![ACKNOWLEDGMENT; flows as usize];
    for first in (0..flows).step_by(AT_ONCE as usize) {
        let some = first..flows.min(first + AT_ONCE);
        for flow in some.clone() {
            ends.host.say(&traffic::opening(flow)?)?;
        }
        for (flow, number) in await_open(ends, some.len())? {
            opened[flow as usize] = number;
        }
    }
    Ok(opened)
}

/// Plays both ends until so many handshakes are complete.
fn await_open(ends: &Ends, wanted: usize) -> Result<HashMap<u32, u32>> {
    let deadline = Instant::now() + PATIENCE;
    let mut numbers = HashMap::new();
    let mut complete = 0;
    while complete < wanted {
        while let Some(arrived) = ends.host.hear()? {
            if let Some((flow, number)) = answered(ends, &arrived)? {
                numbers.insert(flow, number);
            }
        }
        while let Some(arrived) = ends.peer.hear()? {
            complete += usize::from(is_complete(ends, &arrived)?);
        }
        if Instant::now() > deadline {
            bail!("{complete} of {wanted} handshakes were complete after {PATIENCE:?}");
        }
    }
    ensure!(
        numbers.len() == wanted,
        "{} of {wanted} hosts had an answer",
        numbers.len()
    );
    Ok(numbers)
}

/// The host's part: acknowledges what answers its SYN. Which flow, and what it acknowledged.
fn answered(ends: &Ends, arrived: &Arrived) -> Result<Option<(u32, u32)>> {
    let Some(flow) = traffic::number(arrived.destination.port()) else {
        return Ok(None);
    };
    if !arrived.flags.syn {
        return Ok(None);
    }
    let number = arrived.end();
    ends.host.say(&traffic::acknowledgment(flow, number)?)?;
    Ok(Some((flow, number)))
}

/// The peer's part: answers a SYN. Whether this completes a handshake.
fn is_complete(ends: &Ends, arrived: &Arrived) -> Result<bool> {
    if !arrived.is_opening() {
        return Ok(arrived.is_bare_ack());
    }
    ends.peer.say(&Segment {
        from: v4(arrived.destination)?,
        to: v4(arrived.source)?,
        sequence: ACKNOWLEDGMENT.wrapping_sub(1),
        acknowledgment: Some(arrived.end()),
        syn: true,
    })?;
    Ok(false)
}

fn v4(end: SocketAddr) -> Result<(std::net::Ipv4Addr, u16)> {
    match end.ip() {
        IpAddr::V4(address) => Ok((address, end.port())),
        IpAddr::V6(address) => bail!("a segment of {address} among those of IPv4"),
    }
}
