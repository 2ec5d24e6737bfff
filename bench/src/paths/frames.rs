//! Frames as they stand on the wire of a connection that is open, and the flows that they belong to.

use etherparse::{IpNumber, Ipv4Header, Ipv6Header, TcpHeader, TcpOptionElement};
use isn_bench_ebpf::Stimulus;
use isn_common::{
    abi::flow::{Control, Record, pack},
    flow::{Key4, Key6},
    tick::Tick,
};

/// Octets of the buffer of a run.
pub const ROOM: usize = 2048;
/// Wire minus host, of flows by their peer's port. Whoever translates the same frame again and again moves its numbers on by
/// that much with each run: the host's numbers go up by one or down by one, so that either all of them are new or none.
pub const fn offset(service: u16) -> u32 {
    match service {
        UP => 1,
        DOWN | CLOSING | KEPT => u32::MAX,
        _ => 0,
    }
}

/// Peer's ports: of flows with an offset, up and down; of others that are being closed; of such as are followed and have no
/// offset; of keyed ones that have an entry, and of such as have lost it; of new ones.
pub const UP: u16 = 443;
pub const DOWN: u16 = 444;
pub const CLOSING: u16 = 445;
pub const FOLLOWED: u16 = 80;
pub const KEPT: u16 = 446;
pub const LOST: u16 = 447;
pub const NEW: u16 = 8080;
/// A VLAN that one of the flows lives in.
pub const VLAN: u16 = 7;
/// Prefixes that are guarded, 16 and 64 bits long.
pub const GUARDED_V4: [u8; 4] = [10, 1, 0, 0];
pub const GUARDED_V6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const PEER_V4: [u8; 4] = [198, 18, 0, 1];
const PEER_V6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// What the host has sent up to, as the wire has it, and the peer.
const HIGH_WATER: u32 = 3_000_000_000;
const PEER_NEXT: u32 = 500_000;
/// The right edge lies so far ahead that no measurement comes there.
const WINDOW: u32 = 1 << 30;
const OPEN: u32 = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;

/// A flow by its number.
#[derive(Clone, Copy, Debug)]
pub struct Flow(pub u32);

impl Flow {
    fn low(self) -> [u8; 2] {
        let [_, _, high, low] = self.0.to_be_bytes();
        [high, low]
    }

    fn high(self) -> u8 {
        self.0.to_be_bytes()[1]
    }

    /// Its host's port is the low part of the number, its host's last octet the next.
    pub fn key4(self, service: u16) -> Key4 {
        let [a, b, c, _] = GUARDED_V4;
        Key4 {
            host: [a, b, c, self.high()],
            peer: PEER_V4,
            host_port: self.low(),
            peer_port: service.to_be_bytes(),
            vlan: 0,
        }
    }

    /// The same for IPv6.
    pub fn key6(self, service: u16) -> Key6 {
        let mut host = GUARDED_V6;
        host[15] = self.high();
        Key6 {
            host,
            peer: PEER_V6,
            host_port: self.low(),
            peer_port: service.to_be_bytes(),
            vlan: 0,
        }
    }

    /// As the floor has it: as the frame of the host does.
    pub fn floor_key(self) -> [u8; 16] {
        let key = self.key4(UP);
        let mut octets = [0; 16];
        octets[..4].copy_from_slice(&key.host);
        octets[4..8].copy_from_slice(&key.peer);
        octets[8..10].copy_from_slice(&key.host_port);
        octets[10..12].copy_from_slice(&key.peer_port);
        octets
    }
}

/// A flow to this port that is open. Where the host's numbers go down, the peer's acknowledgments go up: the host has sent
/// what they acknowledge, and each moves the right edge.
pub fn record(service: u16, now: Tick) -> Record {
    let (mark, edge) = if service == DOWN {
        (
            HIGH_WATER.wrapping_add(WINDOW / 2),
            HIGH_WATER.wrapping_add(65_535),
        )
    } else {
        (HIGH_WATER, HIGH_WATER.wrapping_add(WINDOW))
    };
    Record {
        identity: pack(offset(service), 1_000_000),
        sent: pack(mark, now.0),
        received: pack(edge, PEER_NEXT),
        stamps: 0,
        life: pack(OPEN, now.0),
    }
}

/// A frame of one flow, and what a stimulus must know of it.
#[derive(Clone, Debug)]
pub struct Frame {
    pub octets: Vec<u8>,
    tcp: TcpHeader,
    tcp_at: usize,
    address_at: usize,
    port_at: usize,
}

/// Which way a frame goes, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub from_host: bool,
    pub is_v6: bool,
    pub vlan: Option<u16>,
    /// The peer's port.
    pub service: u16,
    /// The host is one that is guarded.
    pub guarded: bool,
    /// Octets of data.
    pub data: usize,
}

/// From a guarded host, IPv4, a flow with an offset, no data.
pub const PLAIN: Shape = Shape {
    from_host: true,
    is_v6: false,
    vlan: None,
    service: DOWN,
    guarded: true,
    data: 0,
};

/// A host's acknowledgment without data.
pub fn acknowledgment() -> Frame {
    Frame::new(PLAIN, |tcp| tcp.ack = true)
}

impl Frame {
    /// A frame of flow 0; `change` makes the TCP header what is wanted.
    pub fn new(shape: Shape, change: impl FnOnce(&mut TcpHeader)) -> Self {
        let (host_port, service) = (0, shape.service);
        let mut tcp = if shape.from_host {
            let sequence = HIGH_WATER.wrapping_sub(offset(service));
            TcpHeader::new(host_port, service, sequence, 65_535)
        } else {
            TcpHeader::new(service, host_port, PEER_NEXT, 65_535)
        };
        tcp.acknowledgment_number = if shape.from_host {
            PEER_NEXT
        } else {
            HIGH_WATER
        };
        change(&mut tcp);
        let mut octets = ethernet(shape);
        let ip_at = octets.len();
        network(shape, tcp.header_len() + shape.data, &mut octets);
        let tcp_at = octets.len();
        tcp.write(&mut octets).expect("a vector takes everything");
        octets.resize((octets.len() + shape.data).max(60), 0);
        let (source, destination) = if shape.is_v6 {
            (8 + 15, 24 + 15)
        } else {
            (12 + 3, 16 + 3)
        };
        Self {
            octets,
            tcp,
            tcp_at,
            address_at: ip_at + if shape.from_host { source } else { destination },
            port_at: tcp_at + if shape.from_host { 0 } else { 2 },
        }
    }

    /// The same of another flow of the same ports and prefixes.
    pub fn of(mut self, flow: Flow) -> Self {
        self.octets[self.port_at..self.port_at + 2].copy_from_slice(&flow.low());
        self.octets[self.address_at] = flow.high();
        self
    }

    /// What restores the numbers of this frame, and takes one of `flows` flows, a power of two, at random for each run.
    pub fn stimulus(&self, flows: u32) -> Stimulus {
        let number = |at: usize| u32::try_from(at).expect("a frame is short");
        Stimulus {
            state: 1,
            mask: flows - 1,
            port_at: number(self.port_at),
            address_at: number(self.address_at),
            tcp_at: number(self.tcp_at),
            sequence: self.tcp.sequence_number,
            acknowledgment: self.tcp.acknowledgment_number,
        }
    }
}

fn ethernet(shape: Shape) -> Vec<u8> {
    let ether_type: u16 = if shape.is_v6 { 0x86dd } else { 0x0800 };
    let mut octets = Vec::with_capacity(ROOM);
    octets.extend([[2; 6], [4; 6]].concat());
    if let Some(vlan) = shape.vlan {
        octets.extend(0x8100u16.to_be_bytes());
        octets.extend(vlan.to_be_bytes());
    }
    octets.extend(ether_type.to_be_bytes());
    octets
}

fn network(shape: Shape, length: usize, octets: &mut Vec<u8>) {
    let key = Flow(0);
    let length = u16::try_from(length).expect("a frame is short");
    if shape.is_v6 {
        let key = key.key6(shape.service);
        let (source, destination) = ends(shape, host(shape, key.host, 5), key.peer);
        let header = Ipv6Header {
            payload_length: length,
            next_header: IpNumber::TCP,
            hop_limit: 64,
            source,
            destination,
            ..Ipv6Header::default()
        };
        header.write(octets)
    } else {
        let key = key.key4(shape.service);
        let (source, destination) = ends(shape, host(shape, key.host, 1), key.peer);
        Ipv4Header::new(length, 64, IpNumber::TCP, source, destination)
            .expect("a frame is short")
            .write(octets)
    }
    .expect("a vector takes everything");
}

/// The host's address, in another prefix if it is not to be guarded.
fn host<const N: usize>(shape: Shape, mut address: [u8; N], prefix_at: usize) -> [u8; N] {
    if !shape.guarded {
        address[prefix_at] = 200;
    }
    address
}

fn ends<A>(shape: Shape, host: A, peer: A) -> (A, A) {
    if shape.from_host {
        (host, peer)
    } else {
        (peer, host)
    }
}

/// Timestamps as every stack aligns them, then SACK blocks behind the high-water mark's last window, as many as are asked for.
pub fn options(tcp: &mut TcpHeader, timestamps: bool, blocks: u8) {
    let mut options = Vec::new();
    if timestamps {
        options.extend([TcpOptionElement::Noop, TcpOptionElement::Noop]);
        options.push(TcpOptionElement::Timestamp(1_000, 2_000));
    }
    if blocks > 0 {
        let block = |number: u32| {
            let left = HIGH_WATER
                .wrapping_sub(100_000)
                .wrapping_add(number * 10_000);
            (left, left.wrapping_add(5_000))
        };
        let rest = [1, 2].map(|number| (number < blocks).then(|| block(number.into())));
        options.extend([TcpOptionElement::Noop, TcpOptionElement::Noop]);
        options.push(TcpOptionElement::SelectiveAcknowledgement(
            block(0),
            [rest[0], rest[1], None],
        ));
    }
    tcp.set_options(&options).expect("they fit into 40 octets");
}
