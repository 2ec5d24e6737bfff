//! Flows for the tables: as many as numbers, spread over a thousand hosts.

use isn_common::{
    abi::flow::{Control, Record, pack},
    flow::{Key4, Key6},
    tick::Tick,
};

/// Hosts that the flows belong to.
const HOSTS: u32 = 1000;
/// Wire minus host.
pub const OFFSET: u32 = 2_000_000_000;
/// What the host has sent up to, as the wire has it.
pub const HIGH_WATER: u32 = 3_000_000_000;
/// What the peer has sent up to.
pub const PEER_NEXT: u32 = 500_000;
/// The peer's port, of flows with an offset.
pub const SERVICE: u16 = 443;
/// The peer's port, of others: a flow is in one table only.
pub const OTHER_SERVICE: u16 = 80;

/// Bits of a connection that is open.
pub const OPEN: u32 = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;
/// Bits of one that has ended.
pub const CLOSED: u32 = OPEN | Control::HOST_FIN | Control::PEER_FIN;

/// Host, peer and the host's port of a number: 32 bits are enough for each of the addresses' ends.
fn ends(number: u32) -> ([u8; 2], [u8; 2], [u8; 2]) {
    let (host, rest) = (number % HOSTS, number / HOSTS);
    let [_, _, high, low] = host.to_be_bytes();
    let [_, peer, port_high, port_low] = rest.to_be_bytes();
    ([high, low], [peer, 1], [port_high, port_low])
}

/// The IPv4 flow of a number, to this port.
pub fn key4(number: u32, service: u16) -> Key4 {
    let ([high, low], [peer, last], host_port) = ends(number);
    Key4 {
        host: [10, 1, high, low],
        peer: [198, 18, peer, last],
        host_port,
        peer_port: service.to_be_bytes(),
        vlan: 0,
    }
}

/// The IPv6 flow of a number, to this port.
pub fn key6(number: u32, service: u16) -> Key6 {
    let ([high, low], [peer, last], host_port) = ends(number);
    let address = |net: u8, one: u8, other: u8| {
        let mut octets = [0; 16];
        octets[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        octets[5] = net;
        octets[14..].copy_from_slice(&[one, other]);
        octets
    };
    Key6 {
        host: address(1, high, low),
        peer: address(2, peer, last),
        host_port,
        peer_port: service.to_be_bytes(),
        vlan: 0,
    }
}

/// The record of a flow with these bits and this offset, last seen at `seen`.
pub fn record(control: u32, offset: u32, seen: Tick) -> Record {
    Record {
        identity: pack(offset, 1_000_000),
        sent: pack(HIGH_WATER, seen.0),
        received: pack(HIGH_WATER.wrapping_add(65_535), PEER_NEXT),
        stamps: 0,
        life: pack(control, seen.0),
    }
}
