//! Ending connections at both ends (RFC 9293 section 3.5.2, RFC 5961 section 3): a reset to the host and
//! one to the peer, each with the number that this end expects next.
//!
//! They are sent while the programs are attached and go their usual way out of this machine, so that the
//! one that crosses the watched interface is translated and closes the flow in the table too.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use etherparse::PacketBuilder;
use socket2::{Domain, Protocol, Socket, Type};

use super::flows::Flow;
use crate::{
    failure::{Explain as _, Failure},
    settings::Placement,
};

/// Hops that a reset may take: as many as Linux gives any packet.
const HOPS: u8 = 64;

/// Sends resets in the name of others.
pub struct Resetter {
    v4: Socket,
    v6: Socket,
    placement: Placement,
}

/// One reset: from whom, to whom, with which numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reset {
    from: SocketAddr,
    to: SocketAddr,
    sequence: u32,
    acknowledgment: u32,
}

impl Resetter {
    /// Opens raw sockets; takes `CAP_NET_RAW`.
    pub fn open(placement: Placement) -> Result<Self, Failure> {
        let raw = |domain| {
            Socket::new(
                domain,
                Type::RAW,
                Some(Protocol::from(nix::libc::IPPROTO_RAW)),
            )
        };
        let open = || -> io::Result<Self> {
            let (v4, v6) = (raw(Domain::IPV4)?, raw(Domain::IPV6)?);
            v4.set_header_included_v4(true)?;
            v6.set_header_included_v6(true)?;
            Ok(Self { v4, v6, placement })
        };
        open().explain(
            "cannot send resets",
            "run it as root, or with CAP_NET_RAW; or leave --reset away",
        )
    }

    /// Resets both ends of a flow, as far as there is a way to them.
    pub fn reset(&self, flow: &Flow) -> io::Result<()> {
        let [to_host, to_peer] = resets(flow, self.placement);
        // Both are tried: one end that knows tells the other one when that goes on.
        let sent = self.send(to_host);
        self.send(to_peer).and(sent)
    }

    fn send(&self, reset: Reset) -> io::Result<()> {
        let packet = packet(reset)?;
        let socket = if reset.to.is_ipv4() {
            &self.v4
        } else {
            &self.v6
        };
        // The port is in the packet; IPv6 refuses one in the address.
        let address = SocketAddr::new(reset.to.ip(), 0);
        socket.send_to(&packet, &address.into()).map(drop)
    }
}

/// The resets to host and peer, with the numbers that they have where they leave this machine: the one
/// that crosses a watched interface is translated on its way (S22, S23).
fn resets(flow: &Flow, placement: Placement) -> [Reset; 2] {
    let host = SocketAddr::new(flow.host, flow.host_port);
    let peer = SocketAddr::new(flow.peer, flow.peer_port);
    let record = &flow.record;
    let sent = match placement {
        Placement::Inside => record.high_water(),
        Placement::Outside => record.high_water().to_host(record.offset()),
    };
    // A host that still waits for an answer believes a reset only with an acknowledgment.
    let to_host = Reset {
        from: peer,
        to: host,
        sequence: record.peer_next().0,
        acknowledgment: sent.0,
    };
    let to_peer = Reset {
        from: host,
        to: peer,
        sequence: sent.0,
        acknowledgment: record.peer_next().0,
    };
    [to_host, to_peer]
}

fn packet(reset: Reset) -> io::Result<Vec<u8>> {
    let Reset { from, to, .. } = reset;
    let ip = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), HOPS),
        (IpAddr::V6(from), IpAddr::V6(to)) => PacketBuilder::ipv6(from.octets(), to.octets(), HOPS),
        _ => return Err(io::Error::other("the ends are of two address families")),
    };
    let tcp = ip
        .tcp(from.port(), to.port(), reset.sequence, 0)
        .rst()
        .ack(reset.acknowledgment);
    let mut packet = Vec::with_capacity(tcp.size(0));
    tcp.write(&mut packet, &[]).map_err(io::Error::other)?;
    Ok(packet)
}

#[cfg(test)]
mod tests {
    use etherparse::SlicedPacket;
    use isn_common::{
        abi::flow::{Record, pack},
        flow::Vlan,
    };

    use super::*;

    fn flow() -> Flow {
        Flow {
            host: "192.0.2.2".parse().unwrap(),
            host_port: 40_000,
            peer: "198.51.100.2".parse().unwrap(),
            peer_port: 102,
            vlan: Vlan::UNTAGGED,
            place: isn_common::expiry::Place::Translated,
            record: Record {
                identity: pack(1_000, 5),
                sent: pack(500, 0),
                received: pack(0, 77),
                ..Record::EMPTY
            },
        }
    }

    #[test]
    fn each_end_gets_the_number_that_it_expects() {
        let [host, peer] = resets(&flow(), Placement::Inside);
        assert_eq!((host.sequence, host.acknowledgment), (77, 500));
        assert_eq!((peer.sequence, peer.acknowledgment), (500, 77));
        assert_eq!((host.to, peer.to), (peer.from, host.from));
    }

    #[test]
    fn what_is_translated_on_its_way_out_leaves_with_the_hosts_numbers() {
        let [host, peer] = resets(&flow(), Placement::Outside);
        assert_eq!(
            (host.sequence, host.acknowledgment),
            (77, 500u32.wrapping_sub(1_000))
        );
        assert_eq!(
            (peer.sequence, peer.acknowledgment),
            (500u32.wrapping_sub(1_000), 77)
        );
    }

    #[test]
    fn a_reset_is_a_whole_packet() {
        let [host, _] = resets(&flow(), Placement::Inside);
        let packet = packet(host).unwrap();
        let parsed = SlicedPacket::from_ip(&packet).unwrap();
        let Some(etherparse::TransportSlice::Tcp(tcp)) = parsed.transport else {
            panic!("no TCP")
        };
        assert!(tcp.rst() && tcp.ack() && !tcp.syn() && !tcp.fin());
        assert_eq!((tcp.source_port(), tcp.destination_port()), (102, 40_000));
        assert_eq!(packet.len(), 40);
    }
}
